"""The tokenizer of a run, which is stored in the run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from accelerate import Accelerator
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import EncoderConfig
from cdd_icm.hub import load_tokenizer
from cdd_icm.io import replacing
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import as_built, check_tokenizer, clip_tokenizer, learn_tokenizer


def run_tokenizer(
    root: Path, encoder: EncoderConfig, towers: CLIPTowers, texts: Sequence[str], accelerator: Accelerator
) -> PreTrainedTokenizerBase:
    """The tokenizer in the run's folder. If there is none yet, it is created: CLIP's, or one learnt from the
    training `texts`. All processes must call it.

    Raises:
        InputError: the tokenizer in the folder, such as that of an `init`, does not fit the towers.
    """
    folder = root / "tokenizer"
    if accelerator.is_main_process and not folder.is_dir():
        if encoder.learnt_vocabulary is None:
            tokenizer = clip_tokenizer(towers.context_length)
        else:
            prompts = [compose_text(text, (), 0, encoder.speaker) for text in texts]
            tokenizer = learn_tokenizer(prompts, encoder.learnt_vocabulary, towers.context_length)
        with replacing(folder) as unfinished:
            as_built(tokenizer).save_pretrained(unfinished)
    accelerator.wait_for_everyone()
    tokenizer = load_tokenizer(folder)
    check_tokenizer(tokenizer, towers, folder)
    return tokenizer


def copy_tokenizer(pipeline: Path, root: Path) -> None:
    """Copies the tokenizer of a pipeline folder, which its text tower needs, to the run's folder unless that
    has one."""
    if (pipeline / "tokenizer").is_dir() and not (root / "tokenizer").is_dir():
        with replacing(root / "tokenizer") as unfinished:
            shutil.copytree(pipeline / "tokenizer", unfinished)
