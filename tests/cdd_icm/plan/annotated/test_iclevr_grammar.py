"""Instructions in i-CLEVR's grammar, and what they say is true; and which data has a grammar."""

import itertools
import re

import numpy as np
import pytest

from cdd_icm.data import SceneObject, load_dialogs
from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.readers.iclevr import ICLEVR_CLASSES
from cdd_icm.errors import InputError
from cdd_icm.plan.annotated.grammars.codraw import CoDrawGrammar
from cdd_icm.plan.annotated.grammars.iclevr import APART, HORIZON, IclevrGrammar
from cdd_icm.plan.annotated.grammars.registry import grammar_for

FIRST, SECOND = SceneObject("red cube", 0.5, 0.4), SceneObject("blue sphere", 0.2, 0.6)
NEW = SceneObject("cyan cylinder", 0.7, 0.5)
PLACE = r"(behind|in front of|on the left of|on the right of) (it|the \w+ \w+)( on the left| on the right)?"
MANY = 200


def texts(thing=NEW, existing=(FIRST, SECOND)):
    return [IclevrGrammar().write([thing], existing, np.random.default_rng(seed)) for seed in range(MANY)]


def test_a_text_is_of_the_grammar_and_true():
    named = set()
    for text in texts():
        assert re.fullmatch(rf"Add a cyan cylinder {PLACE}( and {PLACE})?", text)
        places = re.findall(PLACE, text)
        assert len({name for _, name, _ in places}) == len(places)
        for depth, name, side in places:
            named.add(name)
            anchor = {"it": SECOND, "the red cube": FIRST}[name]
            assert "behind" not in depth or NEW.y < anchor.y
            assert "front" not in depth or NEW.y > anchor.y
            assert "left" not in depth + side
    assert named == {"it", "the red cube"}


@pytest.mark.parametrize(
    "x, y, told",
    [(0.51, 0.8, "in front of it"), (0.9, 0.385, "on the right of it"), (0.49, 0.1, "behind it")],
)
def test_of_two_that_stand_one_above_the_other_no_side_is_told(x, y, told):
    assert set(texts(SceneObject("cyan cylinder", x, y), (FIRST,))) == {f"Add a cyan cylinder {told}"}


def test_of_two_that_stand_apart_both_sides_are_told():
    """So that a side that is left out says that there is none."""
    assert set(texts(NEW, (FIRST,))) == {"Add a cyan cylinder in front of it on the right"}


def said_of(text, antecedent):
    """Of each object that the text names the sides that it says, 0 where it says none: right, and away."""
    for depth, name, side in re.findall(PLACE, text):
        right = "right" in depth + side, "left" in depth + side
        away = "behind" in depth, "front" in depth
        yield name.removeprefix("the ").replace("it", antecedent), right[0] - right[1], away[0] - away[1]


def test_the_teller_and_the_data_agree_on_what_is_on_a_side(real_data):
    """Where the data's own texts tell a side, ours would, and where they tell none, ours wouldn't."""
    agreed = []
    for dialog in load_dialogs(real_data / "iclevr", "val"):
        for before, turn in itertools.pairwise(dialog.turns):
            *existing, new = turn.objects
            names = [thing.name for thing in existing]
            for name, *sides in said_of(turn.instruction, before.objects[-1].name):
                places = map(IclevrGrammar().on_the_ground, (new, existing[names.index(name)]))
                for said, (there, here) in zip(sides, zip(*places, strict=True), strict=True):
                    agreed.append(said == (abs(there - here) >= APART) * np.sign(there - here))
    assert len(agreed) > 2000 and np.mean(agreed) > 0.99


def test_the_first_object_stands_at_the_center():
    assert set(texts(FIRST, ())) == {"Add a red cube at the center"}


def test_the_classes_tell_the_grammar_and_the_plan_its_horizon():
    assert grammar_for(ICLEVR_CLASSES, None, "data") == IclevrGrammar(HORIZON)
    assert grammar_for(ICLEVR_CLASSES[:3], -0.5, "data") == IclevrGrammar(-0.5)
    assert isinstance(grammar_for(CODRAW_CLASSES, None, "data"), CoDrawGrammar)


@pytest.mark.parametrize("classes", [("lamp",), ("sun", "lamp"), ("red cube", "sun")])
def test_data_without_a_grammar_is_refused(classes):
    with pytest.raises(InputError, match=r"^my/data: no grammar for objects such as '[\w ]+', only "):
        grammar_for(classes, None, "my/data")
