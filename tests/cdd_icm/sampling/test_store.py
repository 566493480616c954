"""The store of drawn pictures: it goes on where it was stopped, and never mixes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdd_icm.data import load_dialogs
from cdd_icm.errors import InputError
from cdd_icm.evaluation.evaluate import generated_and_true
from cdd_icm.evaluation.protocol import true_pictures
from cdd_icm.sampling.store import GeneratedFolder, generate_missing

SIDE = 32
SAMPLE = Path(__file__).parents[3] / "data" / "iclevr_sample"


@pytest.fixture(scope="module")
def dialogs():
    return load_dialogs(SAMPLE)[:2]


@pytest.mark.parametrize("layout", [{}, {"layout": generated_and_true}], ids=["geneva", "two trees"])
def test_drawing_goes_on_where_it_was_stopped(tmp_path, dialogs, layout):
    asked = []

    def draw(part):
        asked.extend(dialog.id for dialog in part)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return [true_pictures(dialog, SIDE) for dialog in part]

    folder = GeneratedFolder(tmp_path, {"seed": 0}, **layout)
    with pytest.raises(KeyboardInterrupt):
        generate_missing(dialogs, folder, draw, batch_size=1, progress=False)
    assert folder.missing(dialogs) == dialogs[1:]
    generate_missing(
        dialogs, GeneratedFolder(tmp_path, {"seed": 0}, **layout), draw, batch_size=1, progress=False
    )
    first, second = (dialog.id for dialog in dialogs)
    assert asked == [first, second, second]
    for dialog in dialogs:
        assert np.array_equal(folder.load(dialog), true_pictures(dialog, SIDE))


def test_settings_are_not_mixed(tmp_path, dialogs):
    GeneratedFolder(tmp_path, {"seed": 2})  # with which nothing is drawn
    folder = GeneratedFolder(tmp_path, {"seed": 0, "interval": (0, 1)})
    folder.save(dialogs[0], true_pictures(dialogs[0], SIDE))
    GeneratedFolder(tmp_path, {"seed": 0, "interval": (0, 1)})
    with pytest.raises(InputError, match=r"settings\.json: seed: .* generated with 0, not 1"):
        GeneratedFolder(tmp_path, {"seed": 1, "interval": (0, 1)})
    with pytest.raises(InputError, match=r"settings\.json: interval: .* generated with \[0, 1\], not None"):
        GeneratedFolder(tmp_path, {"seed": 0})


def test_a_dialog_that_has_changed_is_not_taken_for_the_old_one(tmp_path, dialogs):
    first, other = dialogs[0], replace(dialogs[0], turns=dialogs[0].turns[:1])
    plain, trees = (
        GeneratedFolder(tmp_path / "a", {}),
        GeneratedFolder(tmp_path / "b", {}, generated_and_true),
    )
    for folder in (plain, trees):
        folder.save(first, true_pictures(first, SIDE))
        assert folder.missing([first]) == []
    with pytest.raises(InputError, match="another dialog of this id is there"):
        plain.missing([other])
    assert trees.missing([other]) == [other]


def test_dialogs_that_would_lie_in_one_folder(tmp_path, dialogs):
    owner = dialogs[0].id
    clash = [dialogs[0], replace(dialogs[1], id=f"{owner}_gt")]
    with pytest.raises(InputError, match=rf"{owner}_gt: dialogs '{owner}' and '{owner}_gt' both map to it"):
        generate_missing(clash, GeneratedFolder(tmp_path, {}), lambda part: [], batch_size=1, progress=False)
