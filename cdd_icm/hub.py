"""What other libraries load from a model's folder: nothing in it may run, and nobody is asked to allow it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cdd_icm.errors import InputError
from cdd_icm.io import read_json

RUNS_CODE = ("custom_pipeline", "custom_revision", "trust_remote_code")
"""Options of `DiffusionPipeline.from_pretrained` that bring code along."""


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a local folder; nothing is downloaded.

    Raises:
        InputError: there is none, it is damaged, or it needs code of its own.
    """
    read_json(folder / "tokenizer_config.json")
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # its loaders have no common error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{folder}: no tokenizer can be loaded from here ({reason})") from error


def without_code(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a loader. Raises InputError where they ask for a folder's own code."""
    for name in RUNS_CODE:
        if options.get(name):
            raise InputError(f"{name}: {options[name]!r}: the code of a model's folder is never run")
    return {key: value for key, value in options.items() if key not in RUNS_CODE}
