"""Checkpoints appear whole or not at all, and what is damaged is named."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from cdd_icm import io as disk
from cdd_icm.errors import InputError
from cdd_icm.io import HOST, load_tensors, read_json, remove_leftovers, replacing
from cdd_icm.train import checkpoint
from cdd_icm.train.checkpoint import checkpoints, new_checkpoint, to_scalars, write_whole
from tests.runs import DEAD, leftover

TENSORS = {
    "model": {"a": torch.arange(6.0).reshape(2, 3).T},
    "ema": {"a": torch.ones(2, dtype=torch.bfloat16)},
}


def write(root, samples, keep=2):
    with new_checkpoint(root, samples, {"samples": samples}, keep) as folder:
        for name, values in TENSORS.items():
            write_whole(folder, name, values)
    return root / f"{samples:012d}"


def test_what_is_written_is_read(tmp_path):
    folder = write(tmp_path, 32)
    assert checkpoints(tmp_path) == [folder]
    for name, values in TENSORS.items():
        read = load_tensors(folder / f"{name}.safetensors")
        assert read.keys() == values.keys() and torch.equal(read["a"], values["a"])
        assert read["a"].dtype == values["a"].dtype
    assert read_json(folder / "state.json") == {"samples": 32}


def test_a_kill_while_an_old_one_is_removed_leaves_no_half_of_it(tmp_path, monkeypatch):
    first, second = write(tmp_path, 8), write(tmp_path, 16)

    def killed(folder, *args, **kwargs):
        (Path(folder) / "state.json").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, 24)
    monkeypatch.undo()
    assert not first.exists() and checkpoints(tmp_path) == [second, tmp_path / f"{24:012d}"]
    (left,) = tmp_path.glob(".unfinished.*")
    left.rename(left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{DEAD}-")))
    remove_leftovers(tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_vectors_of_one_number_become_scalars_where_they_lie(tmp_path):
    tensors = {"a": torch.arange(6.0), "b": torch.tensor([0.25]), "c": torch.tensor([7.0])}
    write_whole(tmp_path, "x", tensors)
    to_scalars(tmp_path / "x.safetensors", {"b"})
    read = load_tensors(tmp_path / "x.safetensors")
    assert torch.equal(read["b"], torch.tensor(0.25)) and read["b"].shape == ()
    assert torch.equal(read["a"], tensors["a"]) and torch.equal(read["c"], tensors["c"])


def test_the_newest_are_kept(tmp_path):
    folders = [write(tmp_path, samples) for samples in (8, 16, 100_000)]
    assert checkpoints(tmp_path) == folders[1:] and not folders[0].exists()
    assert checkpoints(tmp_path / "nowhere") == []


@pytest.mark.parametrize("failing", [(checkpoint, "save_file"), (disk, "_fsync")])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")]
)
def test_a_full_disk_costs_no_earlier_checkpoint(tmp_path, monkeypatch, failing, error):
    kept = write(tmp_path, 8, keep=1)

    def full(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*failing, full)
        with pytest.raises(InputError, match=r"000000000016: can't be written .No space left on device."):
            write(tmp_path, 16, keep=1)
    assert checkpoints(tmp_path) == [kept] == list(tmp_path.iterdir())
    assert torch.equal(load_tensors(kept / "model.safetensors")["a"], TENSORS["model"]["a"])
    assert write(tmp_path, 16, keep=1).exists()


def test_one_that_was_killed_while_it_was_written_counts_for_nothing(tmp_path, monkeypatch):
    kept = write(tmp_path, 8)

    def killed(*_):
        raise SystemExit  # nothing is cleaned up, as after kill -9

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(disk, "_fsync", killed)
        patch.setattr(disk, "_remove", lambda path: None)
        write(tmp_path, 16)
    (left,) = tmp_path.glob(".unfinished.*.000000000016")
    assert checkpoints(tmp_path) == [kept]
    of_the_dead(left)
    disk._tidied.clear()  # as in another process
    assert [kept, write(tmp_path, 16)] == checkpoints(tmp_path) == sorted(tmp_path.iterdir())


def of_the_dead(left):
    """Gives a leftover of this process to a dead one."""
    left.rename(left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{DEAD}-")))


def test_a_folder_that_is_replaced_is_there_throughout(tmp_path, monkeypatch):
    """A kill between the two renames leaves the old one under another name, which the next use gives back."""

    def killed(*_):
        raise SystemExit

    folder = tmp_path / "pipeline"
    for number in range(2):
        with monkeypatch.context() as patch, suppress(SystemExit), replacing(folder) as unfinished:
            unfinished.mkdir()
            (unfinished / str(number)).touch()
            if number:
                patch.setattr(disk.Path, "replace", killed)
                patch.setattr(disk, "_remove", lambda path: None)
    left = list(tmp_path.iterdir())
    assert sorted(file.name.split(".")[1] for file in left) == ["old", "unfinished"]
    remove_leftovers(tmp_path)
    assert sorted(left) == sorted(tmp_path.iterdir())  # the process that wrote them lives
    for file in left:
        of_the_dead(file)
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [folder] and [file.name for file in folder.iterdir()] == ["0"]


def test_leftovers_are_removed_only_of_the_dead(tmp_path):
    kept, other_host = tmp_path / ".unfinished.txt", leftover(tmp_path / "a.png", host=HOST ^ 1)
    for file in (kept, other_host, leftover(tmp_path / "a.png"), leftover(tmp_path / "a.png", "old")):
        file.write_text("half")
    (tmp_path / "a.png").write_text("whole")
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {kept, other_host, tmp_path / "a.png"}
    remove_leftovers(tmp_path, of_all_hosts=True)
    assert set(tmp_path.iterdir()) == {kept, tmp_path / "a.png"}
    assert (tmp_path / "a.png").read_text() == "whole"


def damaged(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    return file


def pickled(folder):
    torch.save(TENSORS["model"], folder / "model.safetensors")
    return folder / "model.safetensors"


def missing(folder):
    (folder / "model.safetensors").unlink()
    return folder / "model.safetensors"


@pytest.mark.parametrize("spoil", [damaged, pickled, missing])
def test_what_is_no_safetensors_file_is_named(tmp_path, spoil):
    file = spoil(write(tmp_path, 8))
    with pytest.raises(InputError) as error:
        load_tensors(file)
    assert str(error.value).startswith(f"{file}: not a complete safetensors file") and "\n" not in str(
        error.value
    )
