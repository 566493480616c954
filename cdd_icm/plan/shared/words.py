"""The plan's own vocabulary: byte pairs learnt from the texts that it is taught with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from tokenizers import Tokenizer
from torch import Tensor

from cdd_icm.model.tokenizer import learn_tokenizer

VOCABULARY = 3000
"""Number of tokens."""
LONGEST = 96
"""Tokens of a text that are read; further ones are left out."""


def learn_words(texts: Sequence[str]) -> str:
    """A tokenizer learnt from the texts, as JSON of the library `tokenizers`."""
    return learn_tokenizer(list(texts), VOCABULARY, LONGEST).backend_tokenizer.to_str()


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str]
) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]:
    """Token ids, padded to the longest of the texts, and their mask."""
    encoded = [encoding.ids[:LONGEST] for encoding in tokenizer.encode_batch(list(texts))]
    length = max((len(ids) for ids in encoded), default=0)
    ids = torch.zeros(len(encoded), length, dtype=torch.long)
    for row, tokens in zip(ids, encoded, strict=True):
        row[: len(tokens)] = torch.tensor(tokens, dtype=torch.long)
    lengths = torch.tensor([len(tokens) for tokens in encoded])
    return ids, torch.arange(length) < lengths[:, None]
