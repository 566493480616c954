"""The script that disturbs commands does so once, and finds what differs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MOUNTS = ["unshare", "--map-root-user", "--mount"]


def may_mount():
    try:
        return subprocess.run([*MOUNTS, "true"], capture_output=True).returncode == 0
    except OSError:  # not Linux
        return False


@pytest.mark.slow
@pytest.mark.parametrize("faults", [("KILL", "TERM"), ("FULL", "READONLY")], ids=" ".join)
def test_a_disturbed_conversion_ends_as_a_whole_one(tmp_path, faults):
    if "FULL" in faults and not may_mount():
        pytest.skip("a full disk needs the right to mount one")
    command = [*(MOUNTS if "FULL" in faults else ()), sys.executable, str(ROOT / "scripts" / "soak.py")]
    command += ["--kills", "1", "--commands", "convert", "--work", str(tmp_path / "work")]
    command += ["--report", str(tmp_path / "soak.json"), "--faults", *faults]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "soak.json").read_text())["figures"]
    assert figures.keys() == {f"convert {fault}" for fault in faults}
    assert all(each["equal"] == each["times"] == 1 and not each["wrong"] for each in figures.values())
