"""What a training run leaves behind, and a run of two processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from cdd_icm.io import HOST, load_tensors
from cdd_icm.train.checkpoint import checkpoints

DEAD = 999_999_999
"""The number of a process that no machine has."""


def leftover(path, kind="unfinished", host=HOST):
    """What `path` is called that a dead process was writing."""
    return path.with_name(f".{kind}.{host:08x}-{DEAD}-0.{path.name}")


def newest(run):
    """All tensors of the last checkpoint of a run."""
    folder = checkpoints(Path(run) / "checkpoints")[-1]
    parts = {part: load_tensors(folder / f"{part}.safetensors") for part in ("model", "ema", "optimizer")}
    return {f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()}


def log_of(run):
    lines = [json.loads(line) for line in (Path(run) / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "images_per_second"} for line in lines]


def identical(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def distance(one, other, part):
    """The largest difference in a parameter. An attention's key bias has no gradient, since softmax
    doesn't see it, but for rounding, which Adam makes large: it is left out."""
    keys = [key for key in one if key.startswith(part)]
    assert keys and one.keys() == other.keys()
    difference = {key: (one[key] - other[key]).abs() for key in keys}
    for key in keys:
        if key.endswith("in_proj_bias"):  # queries, keys, values
            difference[key].chunk(3)[1].zero_()
        elif key.endswith(".kv.bias"):
            difference[key].chunk(2)[0].zero_()
    return max(each.max().item() for each in difference.values())


def run_two_processes(module, *arguments):
    """`python -m module` in two gloo processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", module, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done
