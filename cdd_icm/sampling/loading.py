"""Loads a pipeline folder to a device in a suitable number format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusers.utils import logging
from torch import nn

from cdd_icm.device import find_device, find_dtype, layout
from cdd_icm.errors import InputError, first_line
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sources import local_path


def load_pipeline(path: str | Path, device: str = "auto", dtype: str = "auto") -> CDDICMPipeline:
    """The pipeline in the local folder `path`; nothing is downloaded.

    Args:
        device: one of `DEVICES`; "auto" is this process's accelerator if there is one, else the CPU.
        dtype: a key of `DTYPES`, or "auto": bf16 if the device supports it, else fp32.

    Raises:
        InputError: no such folder or device, or files that are missing, damaged or inconsistent.
    """
    torch_device, torch_dtype = find_device(device), find_dtype(dtype, device)
    if not local_path(path).is_dir():
        raise InputError(f"{path}: no such folder")
    try:
        with _without_bars():
            pipeline = CDDICMPipeline.from_pretrained(path)
    except InputError:
        raise
    except Exception as error:  # the loaders of schedulers have no common base error
        raise InputError(f"{path}: no pipeline can be loaded from here ({first_line(error)})") from error
    pipeline.to(torch_device)
    for module in pipeline.components.values():
        if isinstance(module, nn.Module):
            # diffusers' own `to` would warn about parts that must stay float32, of which there are none
            nn.Module.to(module, torch_dtype, memory_format=layout(torch_device))
    return pipeline


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keeps diffusers from drawing a bar of the few parts that it loads, in a terminal or a log."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
