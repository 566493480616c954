"""The log of a run: what its lines say, and a disk that takes none."""

import json
from types import SimpleNamespace

import pytest
import torch

from cdd_icm.errors import InputError
from cdd_icm.train.log import Log

ALONE = SimpleNamespace(is_main_process=True, gather=lambda values: values, log=lambda *_, **__: None)


def test_a_line_is_the_mean_since_the_last_and_what_came_after_a_checkpoint_goes(tmp_path):
    log = Log(tmp_path / "log.jsonl", 0, ALONE)
    for samples, values in ((4, [1.0, 3.0]), (8, [5.0, 7.0])):
        log.add({"loss": torch.tensor(values)})
        log.write(samples)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('12\n{"loss": 1.0}\n{"samples": "x"}\n{"samples": 1')
    Log(tmp_path / "log.jsonl", 4, ALONE)
    (line,) = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert (line["samples"], line["loss"]) == (4, 2.0)


def test_a_full_disk_is_one_line(tmp_path):
    log = Log(tmp_path / "log.jsonl", 0, ALONE)
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    log.add({"loss": torch.tensor(1.0)})
    with pytest.raises(InputError) as error:
        log.write(4)
    assert str(error.value) == f"{tmp_path / 'log.jsonl'}: can't be written (No space left on device)"
