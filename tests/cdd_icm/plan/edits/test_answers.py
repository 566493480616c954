"""Answers in words."""

import pytest
import torch

from cdd_icm.plan.answer import Answer
from cdd_icm.plan.edits.answers import Describer
from cdd_icm.plan.edits.memory import Remembered, scene_of
from cdd_icm.plan.edits.plan import asked_edits
from cdd_icm.plan.edits.requests import Asked, stacked
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.known_words import FREQUENT, known_words, unknown_words
from tests.cdd_icm.plan.edits.toy import BALL, CHANGES, CLASSES, CUBE, GRID, TRAITS, encoder

WORDS = ("add", "remove", "the", "a", "cube", "ball", "tube", "to", "left")


def answer(text, changes, intent="change"):
    encode = encoder()
    objects = [
        (encode.class_of(obj), tuple(encode.traits_of(obj).tolist()), encode.cell_of(obj))
        for obj in (CUBE, BALL)
    ]
    scene = scene_of([Remembered(objects)], 1, torch.device("cpu"))
    edits = asked_edits(scene, stacked(Asked, [encode.asked((CUBE, BALL), changes, intent)]))
    return Describer(CLASSES, TRAITS, GRID, None, WORDS).answer(text, scene, edits, 0)


@pytest.mark.parametrize(
    ("text", "changes", "intent", "line"),
    [
        ("remove the cube", CHANGES[0], "change", "removes the cube"),
        ("add a tube", CHANGES[1], "change", "adds a tube, in front of and left of the small ball"),
        ("ball to the left", CHANGES[2], "change", "moves the small ball, in front of and left of the cube"),
        ("add a dog", [], "unknown", "no dog in this model's world; nothing was changed; unknown: dog"),
        (
            "remove the tube",
            [],
            "absent",
            "no such object in the picture, or more than one; nothing was changed",
        ),
        ("xyzzy", [], "nonsense", "not understood; nothing was changed; unknown: xyzzy"),
        ("add the", [], "nothing", "asks for no change; nothing was changed"),
        ("remove", [], "undo", "takes back the turn before"),
    ],
)
def test_an_answer_is_one_sentence(text, changes, intent, line):
    assert intent in INTENTS
    assert str(answer(text, changes, intent)) == line


def test_a_doubtful_answer_says_so():
    doubtful = Answer("changed", "adds a cube", 0.3)
    assert str(doubtful) == "adds a cube; only 30% sure of it: look at the picture"
    assert not doubtful.is_understood and Answer("changed", "adds a cube", 0.9).is_understood


def test_known_words_are_frequent():
    assert known_words(["Add a cube"] * FREQUENT + ["ad a cube"] * (FREQUENT - 1)) == ["a", "add", "cube"]


def test_a_short_word_is_no_typing_error():
    assert unknown_words("add a dog", ("add", "a", "do")) == ("dog",)


def test_typing_errors_are_no_unknown_words():
    assert unknown_words("remve the cueb and the zebra", WORDS) == ("and", "zebra")
