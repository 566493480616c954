"""The words that a model knows, and those of a text that it does not."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Sequence

FREQUENT = 12
"""A word is known if so many of the texts from which the vocabulary is learnt have it: fewer may be typing
errors."""
ALIKE = 0.75
"""A word is taken for a typing error of a known one if it is as similar to it (`difflib`)."""
SHORT = 3
"""Words of so many letters are too short for that: each is like some known one."""
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def known_words(texts: Sequence[str]) -> list[str]:
    """The words that are frequent in the texts."""
    counts = Counter(word for text in texts for word in set(WORD.findall(text.lower())))
    return sorted(word for word, count in counts.items() if count >= FREQUENT)


def unknown_words(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The words of the text that are not known, without those that a known one is only misspelt for."""
    found = dict.fromkeys(WORD.findall(text.lower()))
    return tuple(
        word
        for word in found
        if word not in known
        and (len(word) <= SHORT or not difflib.get_close_matches(word, known, n=1, cutoff=ALIKE))
    )
