"""`python -m tests.sharded MODULE ...` is `python -m MODULE ...` under FSDP on CPUs: accelerate, which has
it for accelerators only, is told that they are some."""

import os
import runpy
import sys

from accelerate.utils import DistributedType

from cdd_icm.device import process_state

if __name__ == "__main__":
    os.environ |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
    process_state().distributed_type = DistributedType.MULTI_XPU
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
