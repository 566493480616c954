"""The protocol's arithmetic on pictures whose figures are worked out by hand."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdd_icm.data import SceneObject, load_dialogs
from cdd_icm.data.batch import NO_OP_TEXTS
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import Detections
from cdd_icm.evaluation.protocol import (
    ANNOTATION,
    DETECTOR,
    LOWER,
    MODEL,
    NO_OP_PHRASES,
    UPPER,
    evaluate_no_op,
    evaluate_pictures,
    nearest_depth,
    no_op_dialogs,
    true_pictures,
)

SIDE = 32  # of the squares' pictures
ROOT = Path(__file__).parents[3]


@pytest.fixture
def perfect(dialogs):
    return [true_pictures(dialog, SIDE) for dialog in dialogs]


def test_the_true_pictures_score_100(dialogs, perfect, detector):
    found = evaluate_pictures(dialogs, perfect, detector, progress=False)
    for row in (MODEL, UPPER):
        for labels in (DETECTOR, ANNOTATION):
            figures = found["figures"][row][labels]
            assert {figures[name]["value"] for name in ("ap", "ar", "f1", "rsim")} == {100}
            assert figures["preservation"]["value"] == 0
    assert found["pictures_by_turn"] == [2, 2, 1]


def test_copying_the_reference_by_hand(dialogs, perfect, detector):
    """Turn 1 has the empty canvas: nothing. Turn 2 has one of two objects: P 1, R 1/2, F1 2/3. Turn 3 two of
    three: P 1, R 2/3, F1 4/5. RSIM of the last turns: recall x all relations right."""
    lower = evaluate_pictures(dialogs, perfect, detector, progress=False)["figures"][LOWER][DETECTOR]
    assert lower["f1_by_turn"] == pytest.approx([0, 200 / 3, 80], abs=1e-3)
    assert lower["ap"]["value"] == pytest.approx(100 * 3 / 5)
    assert lower["ar"]["value"] == pytest.approx(100 * (2 * 1 / 2 + 2 / 3) / 5, abs=1e-3)
    assert lower["rsim"]["value"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2, abs=1e-3)
    assert lower["rsim_by_turn"] == pytest.approx([0, 50, 200 / 3], abs=1e-3)


def test_a_model_that_swaps_two_objects(dialogs, perfect, detector, paint):
    """In dialog 1's last picture red and blue change places: of 8 entries the four off the diagonal flip, and
    so do the four on it, as they stand on opposite sides of both middles. F1 sees nothing of it."""
    drawn = [perfect[0], paint((("blue", 8, 20),), (("blue", 24, 8), ("red", 8, 20)))]
    model = evaluate_pictures(dialogs, drawn, detector, progress=False)["figures"][MODEL][DETECTOR]
    assert model["f1"]["value"] == 100
    assert model["rsim"]["value"] == pytest.approx((100 + 0) / 2)
    assert (model["rsim"]["low"], model["rsim"]["high"]) == (0, 100)  # of two dialogs, one or the other twice


def test_preservation_counts_what_moved_and_depends_on_the_reference(dialogs, detector, paint):
    """Red moves at turn 2 of dialog 1, where only green should appear. Free-running, what left and what came
    count once; teacher-forced on the same pictures, both turns are judged against the true reference."""
    red, green, blue = ("red", 6, 6), ("green", 20, 10), ("blue", 12, 26)
    moved = ("red", 6, 26)
    dialog = dialogs[:1]
    drawn = [paint((red,), (moved, green), (moved, green, blue))]
    free = evaluate_pictures(dialog, drawn, detector, progress=False)["figures"][MODEL][DETECTOR]
    forced = evaluate_pictures(dialog, drawn, detector, teacher_forced=True, progress=False)
    forced = forced["figures"][MODEL][DETECTOR]
    assert free["preservation_by_turn"][0] == 0
    outside = SIDE * SIDE - 12 * 12  # the green square of 4x4 and a margin of 4 pixels
    change = 2 * 16 * (122 + 128 + 128) / 3  # two squares' worth of grey against red
    assert free["preservation_by_turn"][1] == pytest.approx(change / outside, abs=1e-3)
    assert free["preservation_by_turn"][2] == 0  # the fault of turn 2 is not counted again
    assert forced["preservation_by_turn"][2] > 0  # but the true reference has red in its place


def test_without_annotation_there_are_only_the_detectors_figures(dialogs, perfect, detector):
    bare = [replace(d, turns=tuple(replace(turn, objects=None) for turn in d.turns)) for d in dialogs[:1]]
    found = evaluate_pictures(bare + dialogs[1:], perfect, detector, progress=False)["figures"][MODEL]
    assert found[ANNOTATION] is None
    assert found[DETECTOR]["f1"]["value"] == 100


def test_figures_of_a_dialog_do_not_depend_on_its_company(dialogs, perfect, detector):
    both = evaluate_pictures(dialogs, perfect, detector, progress=False)["dialogs"][1]
    alone = evaluate_pictures(dialogs[1:], perfect[1:], detector, progress=False)["dialogs"][0]
    assert both == alone


def test_a_missing_picture_and_a_foreign_class_are_named(dialogs, perfect, detector):
    with pytest.raises(InputError, match="test_1: 1 generated pictures for 2 turns"):
        evaluate_pictures(dialogs, [perfect[0], perfect[1][:1]], detector, progress=False)
    turn = replace(dialogs[1].turns[0], objects=(SceneObject("sun", 0.5, 0.5),))
    foreign = replace(dialogs[1], turns=(turn, dialogs[1].turns[1]))
    with pytest.raises(InputError, match="test_1: objects: .* 'sun'"):
        evaluate_pictures([foreign], perfect[1:], detector, progress=False)


def test_depths_go_to_the_nearest_level():
    found = Detections(np.ones((1, 3), bool), np.array([[[0.1, 0.2, 0.2], [0.3, 0.4, 0.3], [0.5, 0.6, 0.8]]]))
    assert nearest_depth(found).coordinates[0, :, 2].tolist() == [0, 0.5, 1]
    assert np.array_equal(nearest_depth(found).coordinates[..., :2], found.coordinates[..., :2])


def test_pictures_that_change_though_nothing_is_asked_for(dialogs, detector):
    """The first dialog's picture brightens by 2 levels at the third phrase and turns grey at the last; the
    second dialog's stays."""
    no_op = no_op_dialogs(dialogs)
    last = dialogs[0].turns[-1].picture.decode()
    assert np.array_equal(no_op[0].canvas.decode(), last)
    assert [[turn.instruction for turn in dialog.turns] for dialog in no_op] == [[*NO_OP_PHRASES]] * 2
    count = len(NO_OP_PHRASES)
    brighter = last.clip(max=253) + 2
    grey = np.full_like(last, 130)
    changing = np.stack([last, last, *[brighter] * (count - 3), grey])
    staying = no_op[1].canvas.decode()[None].repeat(count, axis=0)
    found = evaluate_no_op(no_op, [changing, staying], detector)
    changed = {each["text"] for each in found["phrases"] if each["unchanged"] < 1}
    assert changed == {NO_OP_PHRASES[2], NO_OP_PHRASES[-1]}
    assert found["phrases"][2] == {"text": NO_OP_PHRASES[2], "change": 1.0, "unchanged": 0.5}
    assert found["unchanged"] == (2 * count - 2) / (2 * count)
    assert found["change"] == pytest.approx(np.mean([each["change"] for each in found["phrases"]]), abs=1e-3)
    assert found["f1"] == 50  # the first dialog's objects are gone, the second's are there


def test_one_pixel_is_a_change(dialogs, detector):
    no_op = no_op_dialogs(dialogs[:1])
    pictures = no_op[0].canvas.decode()[None].repeat(len(NO_OP_PHRASES), axis=0)
    pictures[-1, 0, 0, 0] += 1
    found = evaluate_no_op(no_op, [pictures], detector)
    assert [each["unchanged"] for each in found["phrases"]] == [1] * (len(NO_OP_PHRASES) - 1) + [0]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))


def test_no_phrase_has_a_word_of_those_that_training_asks_for_nothing_with():
    assert len(set(NO_OP_PHRASES)) == 10
    assert not words(" ".join(NO_OP_PHRASES)) & words(" ".join(NO_OP_TEXTS))


@pytest.mark.slow  # reads whole data sets
@pytest.mark.parametrize("name", ["iclevr", "codraw"])
def test_training_never_saw_the_phrases(name):
    if "CDD_ICM_DATA" not in os.environ:
        pytest.skip("the training sets are looked through: set CDD_ICM_DATA")
    dialogs = load_dialogs(Path(os.environ["CDD_ICM_DATA"]) / name, "train")
    texts = "\n".join(" ".join(turn.instruction.lower().split()) for d in dialogs for turn in d.turns)
    assert "the" in texts and not [phrase for phrase in NO_OP_PHRASES if phrase in texts]
