"""Synthetic turns: their scenes are as the data have them, and their texts are true."""

import math
from collections import Counter

import numpy as np
import pytest

from cdd_icm.plan.edits.blocks.clauses import new_noun
from cdd_icm.plan.edits.blocks.mentions import Mention, refers_to
from cdd_icm.plan.edits.blocks.places import Fact
from cdd_icm.plan.edits.blocks.scene import SPACING, Block, Change, after_changes
from cdd_icm.plan.edits.blocks.synthetic import (
    MOST,
    random_state,
    synthetic_dialog,
    synthetic_turn,
    write_turn,
)
from cdd_icm.plan.edits.blocks.wording import write_changes
from cdd_icm.plan.edits.blocks.words import SIZE_WORDS, VOCABULARY
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.speech.grammar import Grammar
from cdd_icm.plan.shared.speech.mistakes import COMMON_WORDS, slip

NUMBER = 6000


@pytest.fixture(scope="module")
def turns():
    rng = np.random.default_rng(5)
    return [write_turn(rng, *random_state(rng)) for _ in range(NUMBER)]


def assert_proper(scene):
    assert len(scene) <= MOST
    assert len({(b.colour, b.shape) for b in scene}) == len(scene)
    for i, block in enumerate(scene):
        assert abs(block.right) + abs(block.away) < 4.6
        obj = block.as_object()
        assert 0.06 < obj.x < 0.94 and 0.2 < obj.y < 0.84
        for other in scene[:i]:
            assert math.hypot(block.right - other.right, block.away - other.away) >= SPACING - 1e-9


@pytest.mark.slow
def test_scenes_are_as_the_data_have_them_before_and_after_a_turn(turns):
    for turn, _ in turns:
        assert_proper(turn.scene)
        assert_proper(after_changes(turn.scene, turn.changes)[0])
        assert all(0 <= i < len(turn.scene) for i in turn.touched)


def test_only_changes_change(turns):
    for turn, _ in turns:
        assert (turn.intent == "change") == bool(turn.changes)
        for change in turn.changes:
            assert change.before is None or change.after != turn.scene[change.before]


def test_a_moved_block_goes_a_way(turns):
    for turn, _ in turns:
        for change in turn.changes:
            if change.before is not None and change.after is not None:
                old, new = turn.scene[change.before], change.after
                gone = math.hypot(old.right - new.right, old.away - new.away)
                assert gone == 0 or gone >= 1.2 - 1e-9


def test_what_is_told_of_places_is_true(turns):
    told = Counter(fact.kind for _, written in turns for fact, _ in written.facts)
    assert len(told) > 25
    for turn, written in turns:
        for fact, block in written.facts:
            assert fact.holds(block), (turn.text, fact, block)
            assert any(change.after == block for change in turn.changes)


def test_mentions_single_out_what_is_meant(turns):
    assert len({mention.how for _, written in turns for mention, _ in written.mentions}) > 15
    for turn, written in turns:
        for mention, numbers in written.mentions:
            found = refers_to(mention, turn.scene, turn.touched)
            if turn.intent == "absent":
                assert len(found) != 1, (turn.text, mention)
            else:
                assert set(found) == set(numbers), (turn.text, mention)


def test_all_intents_occur_in_their_shares(turns):
    found = Counter(turn.intent for turn, _ in turns)
    assert set(found) == set(INTENTS)
    assert 0.8 < found["change"] / NUMBER < 0.9
    assert min(found.values()) > 0.01 * NUMBER


def test_all_kinds_of_change_occur(turns):
    kinds = Counter()
    for turn, _ in turns:
        for change in turn.changes:
            if change.before is None or change.after is None:
                kinds["add" if change.before is None else "remove"] += 1
                continue
            old, new = turn.scene[change.before], change.after
            kinds["move"] += (old.right, old.away) != (new.right, new.away)
            kinds.update(
                name for name in ("colour", "shape", "size") if getattr(old, name) != getattr(new, name)
            )
        kinds["several"] += len(turn.changes) > 1
        kinds["three"] += len(turn.changes) > 2
    assert (
        min(kinds[k] for k in ("add", "remove", "move", "colour", "shape", "size", "several", "three"))
        > 0.02 * NUMBER
    )


def test_texts_are_many_and_clean(turns):
    texts = [turn.text for turn, _ in turns]
    assert len(set(texts)) > 0.95 * NUMBER
    for text in texts:
        assert text and text == text.strip() and len(text) < 600
        if not text.isascii():
            continue
        assert "\0" not in text and "\1" not in text
    changed = [turn.text for turn, _ in turns if turn.intent == "change"]
    assert not any(mark in text for text in changed for mark in "{}[]|*")


def test_a_turn_is_a_function_of_its_rng():
    first = [synthetic_turn(np.random.default_rng([3, i])) for i in range(50)]
    assert first == [synthetic_turn(np.random.default_rng([3, i])) for i in range(50)]


def test_a_dialog_goes_on_from_turn_to_turn():
    rng = np.random.default_rng(2)
    for _ in range(60):
        dialog = synthetic_dialog(rng)
        assert 5 <= len(dialog) <= 6 and dialog[0].scene == ()
        for turn, following in zip(dialog, dialog[1:], strict=False):
            if turn.intent != "undo":
                scene, touched = (
                    after_changes(turn.scene, turn.changes) if turn.changes else (turn.scene, turn.touched)
                )
                assert (following.scene, following.touched) == (scene, touched)


RED, BLUE = Block("red", "cube", "large", 0.0, 0.0), Block("blue", "cube", "small", 2.0, 1.0)
BALL = Block("green", "sphere", "large", -2.0, 0.0)
SCENE = (RED, BLUE, BALL)


@pytest.mark.parametrize(
    "mention, touched, found",
    [
        (Mention("red", "cube"), (), (0,)),
        (Mention(shape="sphere"), (), (2,)),
        (Mention(shape="cube"), (), (0, 1)),  # not clear
        (Mention(shape="cube"), (1,), (1,)),  # the one that was just spoken of
        (Mention(size="small"), (), (1,)),
        (Mention(how="it"), (2,), (2,)),
        (Mention(how="it"), (), ()),
        (Mention(how="it", many=True), (0, 2), (0, 2)),
        (Mention(shape="cube", how="other"), (0,), (1,)),
        (Mention(how="other", many=True), (0,), (1, 2)),
        (Mention(how="leftmost"), (), (2,)),
        (Mention(how="farthest"), (), (1,)),
        (Mention(how="first"), (), (0,)),
        (Mention(how="newest"), (0,), (2,)),
        (Mention(shape="cube", how="right of", other=Mention("red")), (), (1,)),
        (Mention(how="left of", other=Mention("red", "cube")), (), (2,)),
        (Mention("yellow"), (), ()),
        (Mention(shape="cube", many=True), (), (0, 1)),
    ],
)
def test_what_words_refer_to(mention, touched, found):
    assert refers_to(mention, SCENE, touched) == found


def test_facts_of_places():
    assert Fact("left", (RED,)).holds(BALL) and not Fact("right", (RED,)).holds(BALL)
    assert Fact("behind", (RED,)).holds(BLUE) and not Fact("behind", (RED,)).holds(BALL)
    assert Fact("between", (BALL, BLUE)).holds(RED)
    assert Fact("in the middle").holds(RED) and not Fact("in the middle").holds(BALL)


def test_any_change_has_words():
    rng = np.random.default_rng(0)
    moved = Block("green", "sphere", "large", -2.0, 2.5)
    for changes in (
        [Change(2, moved)],
        [Change(0, None), Change(1, None)],
        [Change(0, None), Change(None, moved)],
        [Change(1, Block("cyan", "cylinder", "large", 2.0, 1.0))],
    ):
        texts = {write_changes(SCENE, (2,), changes, rng) for _ in range(60)}
        assert None not in texts and len(texts) > 40


def test_small_is_said_of_what_is_added():
    rng = np.random.default_rng(1)
    small, large = (Block("purple", "cylinder", size, 0.0, 2.5) for size in ("small", "large"))
    for _ in range(300):
        assert any(word in new_noun(rng, small).replace(",", "") for word in SIZE_WORDS["small"])
        assert not any(f" {word} " in new_noun(rng, large) for word in SIZE_WORDS["small"])


def test_no_slip_makes_one_name_of_another():
    rng = np.random.default_rng(0)
    for word in ("red", "ball", "cube", "green", "left", "gray", "box", "small"):
        for _ in range(300):
            assert (
                slipped := slip(rng, word, VOCABULARY)
            ) == word or slipped not in COMMON_WORDS | VOCABULARY


def test_the_language_of_choices():
    rng = np.random.default_rng(0)
    grammar = Grammar("(a|b*3) [c] {x}, <take> it")
    texts = {grammar(rng, {"x": "y", "form": "ing"}) for _ in range(200)}
    assert texts == {f"{letter} {c}y, taking it" for letter in "ab" for c in ("", "c ")}
    assert Grammar("to {x} !")(rng, {"x": "it"}) == "to it!"
