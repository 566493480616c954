"""What the processes of a run agree on, and how long they wait for one of them."""

import pytest
from accelerate import Accelerator

from cdd_icm.train.processes import Coordinator
from tests.runs import run_two_processes


def test_one_process_agrees_with_itself_and_waits_for_nobody():
    coordinator = Coordinator(Accelerator(cpu=True))
    assert coordinator.any(True) and not coordinator.any(False)
    coordinator.wait()
    assert coordinator.spread(lambda items: [2 * item for item in items], [1, 2, 3]) == [2, 4, 6]


@pytest.mark.slow
def test_a_long_validation_times_nothing_out(tmp_path):
    """A group whose collectives may take three seconds survives it, all see the flag of one process, and each
    does its share of what is spread."""
    run_two_processes("tests.patience", tmp_path)
    found = [True, False, [(0, 0), (1, 1), (2, 1)], [(0, 1)], []]
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in range(2)] == [str(found)] * 2
