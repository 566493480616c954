"""Composes the encoder's text from the instruction, the history and the speaker."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from cdd_icm.config import SPEAKER

TURN_SEPARATOR = " <= "
"""Between an instruction and the one before it."""


def compose_text(instruction: str, history: Sequence[str], turns: int, speaker: str = "") -> str:
    """The instruction, then the last `turns` earlier ones, newest first, `TURN_SEPARATOR` between them.

    The current instruction comes first: a small tower trained from scratch learns to find it there much
    sooner than at the end. Runs of white space become one space. "<=" in an instruction becomes "< =", so
    that it can't be taken for `TURN_SEPARATOR`.

    Args:
        history: the dialog's earlier instructions, oldest first.
        turns: how many of them to include at most.
        speaker: a tag such as "<teller>" that is put before each text without one, unless it is empty.
            CoDraw's texts have such tags, and models trained on them misread texts without.
    """
    texts = [instruction, *reversed(history[max(0, len(history) - turns) :])]
    return TURN_SEPARATOR.join(_with_speaker(_normalised(text), speaker) for text in texts)


def _normalised(text: str) -> str:
    text = " ".join(text.split())
    # a learnt tokenizer normalises compatibility forms, such as full-width signs, to plain ones
    compatible = unicodedata.normalize("NFKC", text)
    return compatible.replace("<=", "< =") if "<=" in compatible else text


def _with_speaker(text: str, speaker: str) -> str:
    return f"{speaker} {text}" if speaker and text and not SPEAKER.match(text) else text
