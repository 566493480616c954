"""The text that is encoded: the newest instruction, the history before it, and who speaks."""

from __future__ import annotations

from cdd_icm.config import SPEAKER

TURN_MARK = " <= "
"""Stands between an instruction and the one before it; what precedes the first one is what is asked now."""


def compose_text(
    instruction: str, history: list[str] | tuple[str, ...], turns: int, speaker: str = ""
) -> str:
    """The text that is encoded: the instruction, then the last `turns` earlier ones, newest first. What is
    asked now thus always stands in the same place, which a small tower trained from scratch learns to read
    many times sooner than a text that ends with it. Line breaks and runs of blanks count as one blank.

    `speaker`, such as "<teller>", is put before a text that begins with no mark of that kind, as the texts
    of CoDraw do: a model that knows nothing else misreads what comes without. The empty text stays empty.
    """
    read = [instruction, *reversed(history[max(0, len(history) - turns) :])]
    return TURN_MARK.join(_spoken(" ".join(text.split()), speaker) for text in read)


def _spoken(text: str, speaker: str) -> str:
    return f"{speaker} {text}" if speaker and text and not SPEAKER.match(text) else text
