"""The text that is encoded: the newest instruction, the history before it, and who speaks."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from cdd_icm.config import SPEAKER

TURN_SEPARATOR = " <= "
"""Between an instruction and the one before it."""


def compose_text(instruction: str, history: Sequence[str], turns: int, speaker: str = "") -> str:
    """The instruction, then the last `turns` earlier ones, newest first, `TURN_SEPARATOR` between them.

    The current instruction comes first, because a small tower trained from scratch learns to find it there
    many times sooner than at the end. Line breaks and runs of spaces become one space. A "<=" inside an
    instruction becomes "< =", so that nothing in it can be read as history.

    Args:
        history: the dialog's earlier instructions, oldest first.
        turns: how many of them are encoded at most.
        speaker: a tag such as "<teller>", put before each text that begins with no tag of that kind (CoDraw's
            texts do; a model trained on them misreads texts without one). The empty text stays empty.
    """
    texts = [instruction, *reversed(history[max(0, len(history) - turns) :])]
    return TURN_SEPARATOR.join(_with_speaker(_normalised(text), speaker) for text in texts)


def _normalised(text: str) -> str:
    text = " ".join(text.split())
    # a learnt tokenizer reads compatibility forms, such as full-width signs, as the plain ones
    compatible = unicodedata.normalize("NFKC", text)
    return compatible.replace("<=", "< =") if "<=" in compatible else text


def _with_speaker(text: str, speaker: str) -> str:
    return f"{speaker} {text}" if speaker and text and not SPEAKER.match(text) else text
