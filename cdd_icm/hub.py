"""Loads tokenizers and options through other libraries, without ever running code from a model's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cdd_icm.errors import InputError, first_line
from cdd_icm.io import read_json
from cdd_icm.limits import check_files

RUNS_CODE = ("custom_pipeline", "custom_revision", "trust_remote_code")
"""Options of `DiffusionPipeline.from_pretrained` that load code from a folder or hub."""


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a local folder; nothing is downloaded.

    Raises:
        InputError: there is none, it is damaged, or it needs code of its own.
    """
    check_files(folder)
    read_json(folder / "tokenizer_config.json")
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # transformers' loaders have no common base error
        raise InputError(f"{folder}: no tokenizer can be loaded from here ({first_line(error)})") from error


def without_code(options: Mapping[str, Any]) -> dict[str, Any]:
    """The loader options without those of `RUNS_CODE`. Raises InputError if one of these is set."""
    for name in RUNS_CODE:
        if options.get(name):
            raise InputError(f"{name}: {options[name]!r}: code in a model's folder is never run")
    return {key: value for key, value in options.items() if key not in RUNS_CODE}
