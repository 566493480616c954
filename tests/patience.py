"""`python -m tests.patience FOLDER` in two processes: the main one takes longer than a collective may."""

import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState

from cdd_icm.train.processes import Coordinator

LIMIT = timedelta(seconds=3)

if __name__ == "__main__":
    rank = PartialState(cpu=True, timeout=LIMIT).process_index
    coordinator = Coordinator(Accelerator(cpu=True))
    found = [coordinator.any(rank == 1), coordinator.any(False)]
    torch.distributed.barrier()
    if rank == 0:
        time.sleep(2 * LIMIT.total_seconds())
    coordinator.wait()
    found += [coordinator.spread(lambda share: [(item, rank) for item in share], range(n)) for n in (3, 1, 0)]
    (Path(sys.argv[1]) / f"{rank}.txt").write_text(str(found))
    torch.distributed.destroy_process_group()
