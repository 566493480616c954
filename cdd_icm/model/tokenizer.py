"""Tokenizers: CLIP's own byte-pair vocabulary, or one learnt from the training texts."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import open_clip
from jaxtyping import Bool, Int
from tokenizers import (
    Encoding,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor
from transformers import CLIPTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from cdd_icm.config import END_ID
from cdd_icm.errors import InputError, InputWarning
from cdd_icm.hashing import fingerprint
from cdd_icm.io import parse_json
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.prompt import TURN_SEPARATOR

MOST_WARNINGS = 10
"""Of texts that are too long, in one process."""

_warned: set[tuple[str, int]] = set()


def clip_tokenizer(context_length: int = 77) -> PreTrainedTokenizerBase:
    """CLIP's own byte-pair vocabulary, from the open_clip package, so that no download is needed."""
    source = open_clip.SimpleTokenizer()
    return CLIPTokenizer(
        vocab=dict(source.encoder),
        merges=sorted(source.bpe_ranks, key=source.bpe_ranks.get),
        bos_token="<start_of_text>",  # as in open_clip; other names would get ids beyond the embedding
        eos_token="<end_of_text>",
        unk_token="<end_of_text>",
        pad_token="<end_of_text>",
        model_max_length=context_length,
        truncation_side="right",
    )


def learn_tokenizer(texts: list[str], vocab_size: int, context_length: int) -> PreTrainedTokenizerBase:
    """A byte-level byte-pair vocabulary learnt from `texts` (Sennrich et al. 2016, arXiv 1508.07909): ids
    0, 1, 2 are padding, start and end. Unknown words are split into bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<start>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, TURN_SEPARATOR], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", END_ID)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=context_length,
        truncation_side="right",
    )


_TOKENIZING = threading.Lock()
"""A tokenizer notes padding and truncation of a call in itself, which fails where another thread uses it."""


def as_built(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer, without the padding and truncation of its last call, which would be saved with it."""
    with _TOKENIZING:
        tokenizer.backend_tokenizer.no_padding()
        tokenizer.backend_tokenizer.no_truncation()
    return tokenizer


def vocabulary_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Identifies how a tokenizer maps texts to ids. It is saved with the weights, which are trained on it."""
    with _TOKENIZING:
        encoded = tokenizer.backend_tokenizer.to_str()
    backend = parse_json(encoded, "tokenizer", foreign=True)
    # without padding and truncation, which depend on the last call
    return fingerprint([backend["model"], backend["normalizer"], tokenizer.model_max_length])


def check_tokenizer(
    tokenizer: PreTrainedTokenizerBase, towers: CLIPTowers, folder: Path, saved: str | None = None
) -> None:
    """Raises InputError if the tokenizer, loaded from `folder`, does not fit the text tower, or is not that
    whose digest was `saved`; older models have none."""
    if len(tokenizer) > towers.vocab_size or tokenizer.model_max_length != towers.context_length:
        raise InputError(
            f"{folder}: {len(tokenizer)} tokens and texts of {tokenizer.model_max_length}, but the text "
            f"tower of encoder.model has {towers.vocab_size} tokens and texts of {towers.context_length}"
        )
    if saved and (found := vocabulary_digest(tokenizer)) != saved:
        raise InputError(f"{folder}: the tokenizer of another model: its vocabulary is {found}, not {saved}")


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: list[str]
) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]:
    """Token ids, padded to the tokenizer's context length, and their mask. Long texts are cut at the end,
    which is the oldest history, with an `InputWarning` for each text. The empty text means "no
    instruction"."""
    # split_special_tokens: "<end>" in a user's text is plain text
    with _TOKENIZING:
        out = tokenizer(
            texts, padding="max_length", truncation=True, split_special_tokens=True, return_tensors="pt"
        )
    for text, encoding in zip(texts, out.encodings, strict=True):
        if encoding.overflowing:
            _warn_of_cut(text, encoding.overflowing[0], tokenizer.model_max_length)
    return out["input_ids"], out["attention_mask"].bool()


def cut_line(tokenizer: PreTrainedTokenizerBase, text: str) -> str | None:
    """What `tokenize` warns of if it cuts the text, in one line; None if it reads all of it."""
    with _TOKENIZING:
        (encoding,) = tokenizer([text], truncation=True, split_special_tokens=True).encodings
    if not encoding.overflowing:
        return None
    return _cut_line(text, encoding.overflowing[0], tokenizer.model_max_length)


def _warn_of_cut(text: str, rest: Encoding, length: int) -> None:
    """Warns once of a text whose end, `rest`, was dropped; after `MOST_WARNINGS` texts, no more."""
    if (text, length) in _warned or len(_warned) > MOST_WARNINGS:
        return
    _warned.add((text, length))
    if len(_warned) > MOST_WARNINGS:
        warnings.warn("more texts are too long; they are no longer named", InputWarning, stacklevel=3)
        return
    warnings.warn(_cut_line(text, rest, length), InputWarning, stacklevel=3)


def _cut_line(text: str, rest: Encoding, length: int) -> str:
    """Names the first word of `rest`, the end of a text that was dropped."""
    # the start and end tokens have empty spans
    start = next((low for low, high in rest.offsets if high > low), len(text) - 1)
    start = text.rfind(" ", 0, start + 1) + 1  # the word may have been cut in its middle
    word = text[start:].split(maxsplit=1)[0]
    before = text[: start + len(TURN_SEPARATOR)]
    part = "earlier instructions" if TURN_SEPARATOR in before else "text"
    return f"{part} cut before {word!r:.40}: more than the model's {length} tokens: {text[:60]!r}..."
