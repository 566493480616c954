"""A pipeline folder on this machine's device, in the number format that suits it."""

from __future__ import annotations

import platform
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env
from torch import nn

from cdd_icm.errors import InputError
from cdd_icm.pipeline import CDDICMPipeline
from cdd_icm.pipeline_folder import check_folder

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def load_pipeline(path: str | Path, device: str = "auto", dtype: str = "auto") -> CDDICMPipeline:
    """The pipeline in the local folder `path`; nothing is downloaded.

    Args:
        device: one of `DEVICES`; "auto" is the accelerator of this process where there is one, else the CPU.
        dtype: a key of `DTYPES`, or "auto": bf16 where the device computes in it, else fp32.

    Raises:
        InputError: no such folder or device, or files that are missing, damaged or don't fit each other.
    """
    place, number = find_device(device), find_dtype(dtype, device)
    check_folder(Path(path))
    try:
        pipeline = CDDICMPipeline.from_pretrained(path)
    except InputError:
        raise
    except Exception as error:  # the loaders of tokenizers and schedulers have no common error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: no pipeline can be loaded from here ({reason})") from error
    pipeline.to(place)
    for module in pipeline.components.values():
        if isinstance(module, nn.Module):
            # diffusers' own `to` warns of float32 parts that there are none of
            nn.Module.to(module, number, memory_format=layout(place))
    return pipeline


def process_state() -> PartialState:
    """This process among those that `accelerate launch` or `torchrun` started; on machines without an
    accelerator too, where accelerate by itself would take every process for the only one."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available())


def find_device(name: str) -> torch.device:
    """Raises InputError where this machine has no such device."""
    if name not in DEVICES:
        raise InputError(f"device: {name!r}, expected one of {', '.join(DEVICES)}")
    if name == "cpu":
        return torch.device("cpu")
    found = process_state().device
    if name not in ("auto", found.type):
        raise InputError(f"device: {name!r} is not available here; found {found.type!r}")
    return found


def find_dtype(name: str, device: str) -> torch.dtype:
    """Raises InputError where `name` is neither "auto" nor a key of `DTYPES`."""
    if name != "auto":
        if name not in DTYPES:
            raise InputError(f"dtype: {name!r}, expected auto or one of {', '.join(DTYPES)}")
        return DTYPES[name]
    return torch.bfloat16 if computes_in_bf16(find_device(device)) else torch.float32


def layout(device: torch.device) -> torch.memory_format:
    """In what order of its dimensions a convolution's weights suit the device: GPUs are made for the channels
    last; on CPUs that gains nothing, and normalisation in bf16 is ten times slower by it."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def computes_in_bf16(device: torch.device) -> bool:
    """Whether `device` has units for bf16; where it is only emulated it is many times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    if platform.machine().lower() in ("x86_64", "amd64"):  # oneDNN also says yes where it only emulates bf16
        return torch.cpu._is_avx512_bf16_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
