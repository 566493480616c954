"""The commands choose how torch's threads wait by how busy the machine is; the user's own choice wins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdd_icm.cli import ASLEEP

pytestmark = pytest.mark.slow  # each starts a process

ROOT = Path(__file__).parents[1]

SHOW = """
import os, sys
import psutil

psutil.cpu_percent = lambda interval: float(os.environ["OTHERS"])

class Torch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(*(os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")))
            sys.stdout.flush()
            os._exit(0)

sys.meta_path.insert(0, Torch())
"""

PROGRAMS = {
    "cdd-icm": "from cdd_icm.cli import main; main(['data', 'info', 'data/iclevr_sample'])",
    "cdd-retrieval": "import retrieval.cli",
    "python -m cdd_icm": "sys.argv[1:] = ['data', 'info', 'data/iclevr_sample']; import cdd_icm.__main__",
}
GIVEN = {
    "a quiet machine": ({"OTHERS": "20"}, "PASSIVE 10000 1"),
    "a busy machine": ({"OTHERS": "30"}, "PASSIVE 0 0"),
    "the user's policy": ({"OTHERS": "30", "OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None None"),
    "the user's spins": ({"OTHERS": "30", "GOMP_SPINCOUNT": "7"}, "None 7 None"),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
@pytest.mark.parametrize(("given", "seen"), GIVEN.values(), ids=GIVEN.keys())
def test_it_is_set_before_torch_is_imported(program, given, seen):
    environment = {name: value for name, value in os.environ.items() if name not in ASLEEP}
    command = [sys.executable, "-c", SHOW + program]
    out = subprocess.run(command, cwd=ROOT, env=environment | given, capture_output=True, text=True)
    assert out.stdout == f"{seen}\n"


def test_the_library_alone_sets_nothing():
    environment = {name: value for name, value in os.environ.items() if name not in ASLEEP}
    command = [sys.executable, "-c", f"{SHOW}from cdd_icm import CDDICMPipeline"]
    out = subprocess.run(
        command, cwd=ROOT, env=environment | {"OTHERS": "30"}, capture_output=True, text=True
    )
    assert out.stdout == "None None None\n"
