"""Data sets become one folder."""

import join_datasets
import numpy as np
import pytest

from cdd_icm.data import load_dialogs
from cdd_icm.errors import InputError
from tests.cdd_icm.conftest import SAMPLE


def test_dialogs_are_the_same_in_the_joined_folder(tmp_path):
    one = load_dialogs(SAMPLE)
    assert join_datasets.join(tmp_path / "both", [SAMPLE, SAMPLE]) == 2 * len(one)
    joined = load_dialogs(tmp_path / "both")
    assert {dialog.id for dialog in joined} == {f"{n}_{dialog.id}" for n in (0, 1) for dialog in one}
    by_id = {dialog.id: dialog for dialog in joined}
    for dialog in one:
        copy = by_id[f"1_{dialog.id}"]
        assert copy.split == dialog.split
        assert [turn.instruction for turn in copy.turns] == [turn.instruction for turn in dialog.turns]
        assert [turn.objects for turn in copy.turns] == [turn.objects for turn in dialog.turns]
        assert np.array_equal(copy.canvas.decode(), dialog.canvas.decode())
        assert all(a.picture.key == b.picture.key for a, b in zip(copy.turns, dialog.turns, strict=True))


def test_a_folder_that_exists_is_refused(tmp_path):
    with pytest.raises(InputError) as error:
        join_datasets.join(tmp_path, [SAMPLE])
    assert str(error.value) == f"{tmp_path}: exists already"
