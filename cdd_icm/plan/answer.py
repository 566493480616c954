"""What a model answers to an instruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DOUBT = 0.5
"""Below this confidence an answer asks to look at the picture."""

Outcome = Literal["changed", "undo", "unchanged", "not understood"]


@dataclass(frozen=True)
class Answer:
    """What was understood of an instruction, and what was done."""

    outcome: Outcome
    """Whether the picture was changed, should go back to the one before ("undo"), or was left as it is:
    because that was asked for ("unchanged") or because it was not understood."""
    understood: str
    """What was understood, such as "adds a red sphere, left of the blue cube"; or why nothing was changed."""
    confidence: float
    """Probability, in [0, 1], that the plan gives to what was understood."""
    unknown_words: tuple[str, ...] = ()
    """Words that no training text has."""

    @property
    def is_understood(self) -> bool:
        """Whether the model is sure of what the instruction asks for, and its world has it."""
        return self.outcome != "not understood" and self.confidence >= DOUBT

    def __str__(self) -> str:
        """The answer in one sentence."""
        parts = [self.understood]
        if self.outcome in ("unchanged", "not understood"):
            parts.append("nothing was changed")
        elif self.confidence < DOUBT:
            parts.append(f"only {self.confidence:.0%} sure of it: look at the picture")
        if self.unknown_words:
            parts.append(f"unknown: {', '.join(self.unknown_words)}")
        return "; ".join(parts)
