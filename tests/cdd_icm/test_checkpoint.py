"""Checkpoints appear whole or not at all, and what is damaged is named."""

import pytest
import torch

from cdd_icm import checkpoint
from cdd_icm.checkpoint import checkpoints, load_state, load_tensors, save_checkpoint
from cdd_icm.errors import InputError

TENSORS = {
    "model": {"a": torch.arange(6.0).reshape(2, 3).T},
    "ema": {"a": torch.ones(2, dtype=torch.bfloat16)},
}


def write(root, samples, keep=2):
    return save_checkpoint(root, samples, TENSORS, {"samples": samples}, keep)


def test_what_is_written_is_read(tmp_path):
    folder = write(tmp_path, 32)
    assert checkpoints(tmp_path) == [folder]
    for name, values in TENSORS.items():
        read = load_tensors(folder / f"{name}.safetensors")
        assert read.keys() == values.keys() and torch.equal(read["a"], values["a"])
        assert read["a"].dtype == values["a"].dtype
    assert load_state(folder) == {"samples": 32}


def test_the_newest_are_kept(tmp_path):
    folders = [write(tmp_path, samples) for samples in (8, 16, 100_000)]
    assert checkpoints(tmp_path) == folders[1:] and not folders[0].exists()
    assert checkpoints(tmp_path / "nowhere") == []


@pytest.mark.parametrize("failing", ["save_file", "_to_disk"])
def test_a_full_disk_costs_no_earlier_checkpoint(tmp_path, monkeypatch, failing):
    kept = write(tmp_path, 8, keep=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, failing, full)
        with pytest.raises(
            InputError, match=r"000000000016: .*No space left on device.*; earlier ones are kept"
        ):
            write(tmp_path, 16, keep=1)
    assert checkpoints(tmp_path) == [kept] == list(tmp_path.iterdir())
    assert torch.equal(load_tensors(kept / "model.safetensors")["a"], TENSORS["model"]["a"])
    assert write(tmp_path, 16, keep=1).exists()


def test_one_that_was_killed_while_it_was_written_counts_for_nothing(tmp_path, monkeypatch):
    kept = write(tmp_path, 8)

    def killed(*_):
        raise SystemExit  # nothing is cleaned up, as after kill -9

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(checkpoint, "_to_disk", killed)
        write(tmp_path, 16)
    assert (tmp_path / ".000000000016.unfinished").exists() and checkpoints(tmp_path) == [kept]
    assert checkpoints(tmp_path) + [write(tmp_path, 16)] == checkpoints(tmp_path)


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
    assert str(error.value).startswith(f"{file}: not a whole safetensors file") and "\n" not in str(
        error.value
    )


def test_a_state_that_does_not_parse_is_named(tmp_path):
    folder = write(tmp_path, 8)
    (folder / "state.json").write_text("{")
    with pytest.raises(InputError, match=r"state\.json: cannot be read"):
        load_state(folder)
