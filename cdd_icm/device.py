"""The device of this process, its number format and its memory layout."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from cdd_icm.errors import InputError
from cdd_icm.text import read_lines

DEVICES = ("auto", "cpu", "cuda", "mps")

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def process_state() -> PartialState:
    """This process among those that `accelerate launch` or `torchrun` started. Also right on machines without
    an accelerator, where accelerate alone would treat each process as the only one."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available())


def find_device(name: str) -> torch.device:
    """The device called `name`, one of `DEVICES`. Raises InputError if this machine does not have it."""
    if name not in DEVICES:
        raise InputError(f"device: {name!r}, expected one of {', '.join(DEVICES)}")
    if name == "cpu":
        return torch.device("cpu")
    available = process_state().device
    if name not in ("auto", available.type):
        raise InputError(f"device: {name!r} is not available here; found {available.type!r}")
    return available


def find_dtype(name: str, device: str) -> torch.dtype:
    """The number format called `name`. Raises InputError if it is neither "auto" nor a key of `DTYPES`."""
    if name != "auto":
        if name not in DTYPES:
            raise InputError(f"dtype: {name!r}, expected auto or one of {', '.join(DTYPES)}")
        return DTYPES[name]
    return torch.bfloat16 if computes_in_bf16(find_device(device)) else torch.float32


def full_precision(device: torch.device) -> AbstractContextManager:
    """Within the block nothing is computed in half precision, also under autocast."""
    # the meta device, on which a step's memory is worked out, has no autocast
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def layout(device: torch.device) -> torch.memory_format:
    """The fastest memory format for convolution weights. GPUs are fastest with channels last; CPUs gain
    nothing from it, and their bf16 normalisation is ten times slower."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def computes_in_bf16(device: torch.device) -> bool:
    """Whether `device` supports bf16 in hardware; emulated, it is many times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    if platform.machine().lower() in ("x86_64", "amd64"):  # oneDNN also answers yes if it only emulates bf16
        return torch.cpu._is_avx512_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def mixed_precision(name: str, device: torch.device) -> str:
    """accelerate's name for `training.mixed_precision`; auto is bf16 if the device supports it in hardware.

    Raises:
        InputError: fp16 on a CPU.
    """
    if name == "fp16" and device.type == "cpu":
        raise InputError("training.mixed_precision is 'fp16', which needs a GPU; auto works everywhere")
    return name if name != "auto" else "bf16" if computes_in_bf16(device) else "no"


def reuse_freed_memory() -> None:
    """Makes glibc reuse the memory of freed tensors. By default it returns the memory of large tensors to the
    kernel, and mapping it again in every step can take as long as the arithmetic."""
    if sys.platform == "linux":
        try:
            libc = ctypes.CDLL("libc.so.6")
        except OSError:  # a Linux without glibc
            return
        m_trim_threshold, m_mmap_max = -1, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def device_name(device: torch.device) -> str:
    """The device's name for reports: the GPU's model, such as "NVIDIA H200", or the CPU's number of cores and
    model, such as "2 cores of AMD EPYC"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"{os.cpu_count()} core{'s' * (os.cpu_count() != 1)} of {processor_name()}"
    return f"{device.type} of {processor_name()}"


def processor_name() -> str:
    """The CPU's model, such as "AMD EPYC", or its architecture if the model is unknown."""
    with suppress(InputError):  # the only place where Linux has it
        for line in read_lines(Path("/proc/cpuinfo")):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
