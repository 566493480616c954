"""Instructions in the style of CoDraw's tellers: whatever words a text has, what it says is true."""

import re

import numpy as np
import pytest

from cdd_icm.data import SceneObject
from cdd_icm.plan.annotated.grammars.codraw import CoDrawGrammar

TREE = SceneObject("oak tree", 0.5, 0.2)
MANY = 400


def texts(*drawn, existing=()):
    return [CoDrawGrammar().write(drawn, existing, np.random.default_rng(seed)) for seed in range(MANY)]


@pytest.mark.parametrize("x, side", [(0.2, "left"), (0.8, "right"), (0.5, "middle|center")])
def test_an_object_is_told_on_its_side(x, side):
    for text in texts(SceneObject("cat", x, 0.5)):
        found = re.findall("left|right|middle|center", text)
        assert len(found) == 1 and re.fullmatch(side, found[0]) and text.count("cat") == 1


def test_a_text_names_every_object_once_beside_what_belongs_to_it():
    cat, sun = SceneObject("cat", 0.2, 0.8), SceneObject("sun", 0.9, 0.1)
    orders = set()
    for text in texts(cat, sun):
        first, *_ = re.findall("cat|sun", text)
        orders.add(first)
        named = re.split(" and | then | <teller> ", text.removeprefix("<teller> "))
        if " of " in text or len(named) < 2:
            continue
        for sentence in named:
            assert ("left" in sentence, "cat" in sentence) in {(True, True), (False, False)}
            assert not ("top" in sentence and "cat" in sentence)
            assert not ("bottom" in sentence and "sun" in sentence)
    assert orders == {"cat", "sun"}


def test_a_side_of_another_object_is_the_side_on_which_it_stands():
    relative = [text for text in texts(SceneObject("cat", 0.4, 0.8), existing=[TREE]) if " of " in text]
    assert len(relative) > MANY / 5
    assert all(re.search("left of (the )?oak tree", text) for text in relative)
    assert not any(" of " in text for text in texts(SceneObject("cat", 0.45, 0.8), existing=[TREE]))


def test_traits_are_told_as_the_tellers_call_them():
    def all_of(name, **look):
        return " ".join(texts(SceneObject(name, 0.5, 0.5, look=look)))

    assert re.search("small cat|little cat", all_of("cat", depth="2"))
    assert not re.search("big|large|medium", all_of("cat", depth="2"))
    for name, flip, side in [("cat", "0", "right"), ("cat", "1", "left"), ("kite", "0", "left")]:
        assert set(re.findall("left|right", all_of(name, flip=flip))) == {side}
    assert not re.search("facing|looking|faces", all_of("cat", pose="3"))


def test_the_same_draw_tells_the_same():
    assert texts(TREE) == texts(TREE)
    assert len(set(texts(TREE))) > 10
