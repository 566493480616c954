"""The hand-marked sentences and the figures that are measured on them."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from cdd_icm.errors import InputError
from retrieval.parsing.rules import parse

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
import measure_parser


def test_a_hundred_sentences_of_four_sets():
    sentences = measure_parser.read(measure_parser.SENTENCES)
    assert Counter(name for name, _, _ in sentences) == dict.fromkeys(
        ("iclevr", "codraw", "fashioniq", "cirr"), 25
    )
    assert all(facts["entities"] for _, _, facts in sentences)


def test_precision_and_recall_are_counts(tmp_path):
    file = tmp_path / "marked.txt"
    file.write_text("own: a red cube on a box\nred cube; wooden box | 0 on 1\n")
    ((_, text, marked),) = measure_parser.read(file)
    figures = measure_parser.score([(marked, measure_parser.facts_of(parse(text)))])
    assert figures == {
        "entities": {"precision": 100, "recall": 100, "marked": 2},
        "attributes": {"precision": 100, "recall": 50, "marked": 2},
        "relations": {"precision": 100, "recall": 100, "marked": 1},
    }
    file.write_text("own: a red cube\nred cube | 0 on 1\n")
    with pytest.raises(InputError, match="relation '0 on 1' names no two entities"):
        measure_parser.read(file)
