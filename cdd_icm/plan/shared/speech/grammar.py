"""A small language for choices of wording.

Each line of a grammar is one way to say a thing. `(a|b|c)` is one of several, `[a]` may be left out, `{x}` is
filled in from the slots, or from the rule of that name, and `<take>` is a verb in the form that the slot
"form" asks for: "base" (take), "ing" (taking) or "en" (taken). An alternative or a line that ends in `*3` is
chosen three times as often.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_TOKEN = re.compile(r"[()\[\]|]|\{\w+\}|<\w+>|\*\d+(?=\s*(?:[|)\]]|$))|[^()\[\]|{}<*]+|\*")
_BEFORE_MARK = re.compile(r"\s+([,.?!;:])")
_SHORT = re.compile(r"\s+'(?=(?:d|s|ll|ve|re)\b)")
_ANY_MARK = re.compile(r"[,.?!;:']")
_MARKS = re.compile(r"[,;:](?=\s*[,.?!;:])")

_IRREGULAR = """
    put putting put, set setting set, let letting let, take taking taken, give giving given,
    get getting got, drop dropping dropped, plop plopping plopped, pop popping popped,
    plonk plonking plonked, stick sticking stuck, stand standing stood, draw drawing drawn,
    bring bringing brought, throw throwing thrown, lay laying laid, build building built,
    show showing shown, make making made, have having had, slot slotting slotted,
    swap swapping swapped, shrink shrinking shrunk, grow growing grown,
    drag dragging dragged, send sending sent, slide sliding slid, dye dyeing dyed,
    lose losing lost, wipe wiping wiped, rid ridding rid, blow blowing blown,
    leave leaving left, undo undoing undone, go going gone, cut cutting cut, see seeing seen,
    transfer transferring transferred, substitute substituting substituted,
    keep keeping kept, ditch ditching ditched, nudge nudging nudged,
    scrap scrapping scrapped, zap zapping zapped, bin binning binned, find finding found,
    spin spinning spun, tip tipping tipped, flip flipping flipped, write writing written,
    hide hiding hidden, begin beginning begun
"""
_FORMS = {verb.split()[0]: tuple(verb.split()[1:]) for verb in _IRREGULAR.split(",")}


def inflect(verb: str) -> dict[str, str]:
    """A verb's forms by name: "base", "ing", "en"."""
    if verb in _FORMS:
        ing, participle = _FORMS[verb]
    elif verb.endswith("e"):
        ing, participle = f"{verb[:-1]}ing", f"{verb}d"
    elif verb.endswith("y") and verb[-2] not in "aeiou":
        ing, participle = f"{verb}ing", f"{verb[:-1]}ied"
    else:
        ing, participle = f"{verb}ing", f"{verb}ed"
    return {"base": verb, "ing": ing, "en": participle}


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of them, all equally likely."""
    return options[int(rng.random() * len(options))]


def weighted(text: str) -> tuple[str, ...]:
    """The items of a list such as "ball*3, orb", each as often as its weight says."""
    items = []
    for item in text.split(","):
        word, _, weight = item.strip().partition("*")
        items += [word] * int(weight or 1)
    return tuple(items)


def listed(text: str, mark: str = ",") -> tuple[str, ...]:
    """The items of a list that commas divide, or another mark."""
    return tuple(" ".join(item.split()) for item in text.strip().split(mark))


def tidy(text: str) -> str:
    """Single blanks, none before a punctuation mark, and one mark where two met."""
    text = " ".join(text.split())
    if not _ANY_MARK.search(text):
        return text
    text = _MARKS.sub("", _BEFORE_MARK.sub(r"\1", text))
    return _SHORT.sub("'", text) if "'" in text else text


class _Choice(tuple):
    """Alternatives."""


class _Slot(str):
    """What is filled in."""


class _Verb(dict):
    """A verb's forms."""


class Grammar:
    """Ways to say a thing; a call draws one.

    Attributes:
        words: the words that it can say of its own.
    """

    def __init__(self, text: str, **rules: Grammar):
        self._rules = rules
        self.words: set[str] = set()
        lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
        self._root = _Choice(node for line in lines for node in self._weighted(_TOKEN.findall(line)))
        for rule in rules.values():
            self.words |= rule.words

    def _weighted(self, tokens: list[str]) -> list:
        """The parsed alternative, as often as its weight says; reads up to the end of the alternative."""
        parts, weight = [], 1
        while tokens and tokens[0] not in ("|", ")", "]"):
            token = tokens.pop(0)
            if token == "(":
                parts.append(self._alternatives(tokens, ")"))
            elif token == "[":
                parts.append(_Choice((self._alternatives(tokens, "]"), "")))
            elif token[0] == "{":
                name = token[1:-1]
                parts.append(self._rules[name]._root if name in self._rules else _Slot(name))
            elif token[0] == "<":
                parts.append(_Verb(inflect(token[1:-1])))
                self.words.update(parts[-1].values())
            elif token[0] == "*" and len(token) > 1:
                weight = int(token[1:])
            else:
                parts.append(token)
                self.words.update(re.findall(r"[a-z']+", token.lower()))
        return [parts[0] if len(parts) == 1 else tuple(parts)] * weight

    def _alternatives(self, tokens: list[str], end: str) -> _Choice:
        options = self._weighted(tokens)
        while (token := tokens.pop(0)) != end:
            assert token == "|", f"a grammar has {token} where | or {end} should be"
            options += self._weighted(tokens)
        return _Choice(options)

    def __call__(self, rng: np.random.Generator, slots: Mapping[str, str] | None = None) -> str:
        out: list[str] = []
        _expand(self._root, rng, slots or {}, out)
        return tidy("".join(out))


def _expand(node, rng: np.random.Generator, slots: Mapping[str, str], out: list[str]) -> None:
    kind = type(node)
    if kind is str:
        out.append(node)
    elif kind is _Choice:
        _expand(node[int(rng.random() * len(node))], rng, slots, out)
    elif kind is tuple:
        for part in node:
            _expand(part, rng, slots, out)
    elif kind is _Slot:
        out.append(slots[node])
    else:
        out.append(node[slots.get("form", "base")])
