"""Puts clauses together to what a person asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.phrases import ASK, CLOSE, JOIN, OPEN


@dataclass(frozen=True)
class Clause:
    """One request, before its form is chosen: a verb phrase, or a statement that stands alone."""

    do: Grammar
    say: Grammar | None
    slots: dict[str, str]

    def verb_phrase(self, rng: np.random.Generator, form: str = "base") -> str:
        """Its verb phrase, the verb in that form."""
        return self.do(rng, {**self.slots, "form": form})


def request(rng: np.random.Generator, clauses: Sequence[Clause]) -> str:
    """The clauses as a request."""
    first = clauses[0]
    if len(clauses) == 1:
        if first.say is not None and rng.random() < 0.42:
            return first.say(rng, first.slots)
        return _asked(rng, first.verb_phrase(rng), lambda: first.verb_phrase(rng, "ing"))
    text = clauses[-1].verb_phrase(rng)
    for clause in clauses[-2:0:-1]:
        text = JOIN(rng, {"a": clause.verb_phrase(rng), "b": text})
    if first.say is not None and rng.random() < 0.15:
        return f"{first.say(rng, first.slots)}{pick(rng, ('.', ',', ' and', '. Then', '. Also'))} {text}"
    return _asked(rng, JOIN(rng, {"a": first.verb_phrase(rng), "b": text}), None)


def _asked(rng: np.random.Generator, base: str, ing: Callable[[], str] | None) -> str:
    text = ASK(rng, {"base": base, "ing": "\0"})
    if "\0" in text:
        text = text.replace("\0", ing()) if ing else f"please {base}"
    return text


def dressed(rng: np.random.Generator, text: str) -> str:
    """A request with what people say before and after it."""
    if rng.random() < 0.2:
        text = f"{OPEN(rng)} {text}"
    if rng.random() < 0.1:
        text = f"{text.rstrip('.!?')} {CLOSE(rng)}"
    return " ".join(text.replace(" ,", ",").replace(" .", ".").split())
