"""Fine-CIRR (Li et al. 2025): CIRR's pairs with longer texts; scored on val, as there is no server.

cirr.fine.<split>.jsonl (or .json, or no suffix)          split.rc2.<split>.json
"""

from __future__ import annotations

from pathlib import Path

from retrieval.benchmarks import cirr
from retrieval.benchmarks.annotations import by_id, find, read_entries
from retrieval.benchmarks.base import Benchmark, check_choice

SPLITS = ("train", "val")


def read(root: str | Path, split: str = "val") -> Benchmark:
    """Fine-CIRR under CIRR's protocol, over all images of CIRR's split.

    Raises:
        InputError: a file is missing or malformed, or there is no such split.
    """
    check_choice("split", split, SPLITS)
    images, gallery = cirr.read_gallery(root, split)
    name = f"cirr.fine.{split}"
    folders = ("captions/", "cirr/captions/", "")
    entries = read_entries(
        find(root, *(f"{folder}{name}{suffix}" for folder in folders for suffix in (".jsonl", ".json", "")))
    )
    queries = tuple(
        cirr.query(entry, "finemt", gallery, images.name, hidden=False)
        for entry in by_id(entries, "pairid").values()
    )
    return cirr.benchmark("fine-cirr", split, queries, gallery, {})
