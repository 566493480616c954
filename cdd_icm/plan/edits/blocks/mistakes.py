"""Slips of the pen, and the ways in which people use capitals and punctuation."""

from __future__ import annotations

import re

import numpy as np

from cdd_icm.plan.edits.blocks.grammar import listed, pick
from cdd_icm.plan.edits.blocks.words import VOCABULARY

_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl", "p": "ol",
    "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jil", "l": "kop",
    "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
_SPELLINGS = {
    "its": ("it's", "it s"), "it's": ("its",), "right": ("rigth", "rihgt", "rite", "righ", "rght"),
    "left": ("letf", "lefft", "leff", "lft"), "cylinder": ("cylindar", "cilinder", "cyllinder", "cylnder", "cylider",
    "cilynder", "cylender", "clinder", "cyilnder", "cylindre", "sylinder"),
    "sphere": ("spere", "shpere", "sphear", "spehre", "sfere", "sphre", "shere", "spher", "phere"),
    "purple": ("purpel", "pruple", "purlpe", "puple", "purpul", "perple"), "yellow": ("yelow", "yello", "yellwo", "yeloww"),
    "behind": ("behinde", "behing", "beind", "bhind", "behnd", "behine"), "front": ("fornt", "frnt", "fronnt", "frount"),
    "please": ("plz", "pls", "plese", "pleas", "plase", "pleace", "please,"), "you": ("u", "yuo"), "and": ("&", "nad", "an", "adn", "n"),
    "between": ("betwen", "beetween", "bewteen", "inbetween"), "the": ("teh", "te", "th", "hte", "da"),
    "center": ("centre", "senter", "cener"), "centre": ("center", "centr"), "middle": ("midle", "middel", "mddle"),
    "object": ("objekt", "obect", "objct"), "square": ("sqaure", "squre"), "small": ("smal", "samll", "smll"),
    "little": ("litle", "littel", "lil"), "large": ("lage", "larg", "lrage"), "bigger": ("biger", "bigr"),
    "smaller": ("smaler", "samller"), "brown": ("bown", "brwon", "broen", "bronw"), "green": ("gren", "grean", "geen", "greeen"),
    "blue": ("bleu", "bule", "blu", "bluue"), "red": ("rde", "redd", "rad"), "gray": ("gery", "garay"), "grey": ("gery", "grrey"),
    "cyan": ("cian", "cyen", "syan", "cyann", "cayan"), "turquoise": ("turqoise", "turquise", "torquoise", "turkoise"),
    "violet": ("voilet", "violett"), "cube": ("cueb", "qube", "kube", "cubee"), "remove": ("remov", "remvoe", "romove", "rmove"),
    "delete": ("delet", "delte", "deleet"), "replace": ("replase", "relpace", "replce"), "move": ("mvoe", "moove", "mov"),
    "colour": ("color", "coulor", "colur"), "color": ("colour", "coler", "colr"), "there": ("their", "ther", "thier"),
    "with": ("whit", "wiht", "wth"), "beside": ("besides", "bside"), "next": ("nex", "nxt"), "to": ("too", "ot"),
    "ball": ("bal", "baall"), "should": ("shoud", "shuld", "shold"), "would": ("woud", "wuld"), "could": ("coud", "culd"),
    "that": ("taht", "tht", "dat"), "this": ("tihs", "dis"), "of": ("off", "fo"), "than": ("then",), "then": ("than",),
    "don't": ("dont", "don t"), "i'd": ("id", "i d"), "let's": ("lets",), "there's": ("theres",), "want": ("wnat", "wan"),
    "make": ("mkae", "mak"), "into": ("in to", "inot"), "add": ("ad", "addd", "adda"), "put": ("putt", "pu"), "it": ("ti", "itt"),
    "one": ("1", "oen"), "two": ("2", "tow"), "three": ("3", "thre"), "for": ("4", "fro"), "are": ("r",),
    "thanks": ("thx", "thanx", "tanks"), "background": ("backround", "back ground"), "foreground": ("forground", "fore ground"),
    "leftmost": ("left most", "leftmos"), "rightmost": ("right most", "rigthmost"), "in front": ("infront",), "going": ("goin",),
}  # fmt: skip
_FILLERS = listed(
    "uh, um, er, erm, hmm, well, like, you know, i mean, kind of, basically, just, please, maybe, eh, kinda, ehm, so"
)
_ENDS = listed("!!!, !!, .., ..., ??, ?!, ;, :), :-), ;), 🙂, 👍, 🙏, 😊, 😀, -, !., ❤️, 🎨, xD, ^^")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
KNOWN = VOCABULARY | frozenset(
    [
        "left",
        "right",
        "front",
        "back",
        "behind",
        "top",
        "bottom",
        "middle",
        "before",
        "after",
        "near",
        "next",
        "far",
        "between",
        "not",
        "no",
        "add",
        "put",
        "move",
        "turn",
        "swap",
        "make",
        "take",
        "keep",
        "bring",
        "send",
        "drop",
        "lose",
        "remove",
        "paint",
        "here",
        "there",
        "this",
        "that",
        "these",
        "those",
        "them",
        "then",
        "than",
        "both",
        "all",
        "but",
        "last",
        "first",
        "other",
        "it",
        "in",
        "on",
        "at",
        "of",
        "off",
        "to",
        "up",
        "down",
        "out",
        "away",
        "and",
        "or",
        "the",
        "is",
        "are",
        "was",
        "i",
        "you",
        "we",
        "he",
        "hat",
        "boat",
        "boot",
        "rod",
        "bed",
        "bid",
        "rat",
        "bell",
        "bill",
        "bowl",
        "call",
        "bull",
        "bar",
        "cart",
        "car",
        "van",
        "pan",
        "fan",
        "ban",
        "tan",
        "ten",
        "pen",
        "den",
        "bin",
        "bun",
        "big",
        "bag",
        "bug",
        "beg",
        "been",
        "bean",
        "grew",
        "great",
        "clean",
        "clue",
        "glue",
        "blur",
        "true",
        "tree",
        "crane",
        "plane",
        "tab",
        "tub",
        "cub",
        "tuber",
    ]
)
"""Words that no slip may make of another."""


def slip(rng: np.random.Generator, word: str) -> str:
    """The word with one typing error, or as it is if that would be another word."""
    if len(word) < 3 or not word.isalpha():
        return word
    i, kind = int(rng.random() * len(word)), rng.random()
    if kind < 0.28 and i + 1 < len(word):
        new = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    elif kind < 0.55:
        if len(word) < 4:
            return word
        new = word[:i] + word[i + 1 :]
    elif kind < 0.75:
        new = word[: i + 1] + word[i:]
    elif kind < 0.93:
        low = word[i].lower()
        new = word[:i] + pick(rng, _NEIGHBOURS.get(low, low)) + word[i + 1 :] if len(word) > 3 else word
    else:
        new = word[:i] + pick(rng, _LETTERS) + word[i:]
    return word if new.lower() in KNOWN else new


def _spelling(rng: np.random.Generator, words: list[str]) -> None:
    """A wrong spelling that is often seen, in place of one word of those that have one."""
    places = [i for i, word in enumerate(words) if word.lower() in _SPELLINGS]
    if places:
        i = pick(rng, places)
        words[i] = pick(rng, _SPELLINGS[words[i].lower()])


def _typing(rng: np.random.Generator, words: list[str]) -> None:
    for _ in range(1 if rng.random() < 0.65 else 2 if rng.random() < 0.7 else 3):
        i = int(rng.random() * len(words))
        words[i] = _WORD.sub(lambda m: slip(rng, m[0]), words[i], count=1)


def _capitals(rng: np.random.Generator, text: str) -> str:
    chance = rng.random()
    if chance < 0.5:
        return text[:1].upper() + text[1:]
    if chance < 0.9:
        return text.lower() if chance < 0.75 else text
    if chance < 0.94:
        return text.upper()
    if chance < 0.97:
        return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))
    return "".join(c.upper() if rng.random() < 0.15 else c for c in text)


def _end(rng: np.random.Generator, text: str) -> str:
    chance = rng.random()
    if text[-1:] in ".!?":
        return text if chance < 0.7 else text[:-1] if chance < 0.95 else text + pick(rng, ("!", "?", ".."))
    if chance < 0.3:
        return f"{text}."
    if chance < 0.35:
        return f"{text}!"
    if chance < 0.38:
        return f"{text}{pick(rng, (' ', ''))}{pick(rng, _ENDS)}"
    return text


_ARTICLES = frozenset(("a", "an", "the"))
_DROPPED = frozenset(("a", "an", "the", "is", "be", "should", "please", "to", "of"))


def with_mistakes(rng: np.random.Generator, text: str) -> str:
    """The text as a person may type it: two in three have capitals and marks at most, others have errors."""
    chance = rng.random()
    words = text.split(" ")
    if chance < 0.12:
        _typing(rng, words)
    elif chance < 0.2:
        _spelling(rng, words)
    elif chance < 0.235:  # as in a telegram
        short = (
            [w for w in words if w.lower() not in _ARTICLES]
            if rng.random() < 0.6
            else _without_one(rng, words)
        )
        words = short if len(short) > 1 else words
    elif chance < 0.255:
        words.insert(int(rng.random() * (len(words) + 1)), pick(rng, _FILLERS))
    elif chance < 0.27:
        words.insert(0, f"{pick(rng, _FILLERS)}{pick(rng, (',', '...', ''))}")
    elif chance < 0.285 and len(words) > 2:  # a missing blank
        i = int(rng.random() * (len(words) - 1))
        if len(words[i]) > 2 or len(words[i + 1]) > 2:
            words[i : i + 2] = ["".join(words[i : i + 2])]
    elif chance < 0.29:
        i = int(rng.random() * len(words))
        words.insert(i, words[i])  # a word twice
    elif chance < 0.3 and len(words) > 3:
        i = 1 + int(rng.random() * (len(words) - 1))
        words[i] = pick(rng, (" ", ", ", "  ", "... ", "- ")) + words[i]
    text = " ".join(words)
    if rng.random() < 0.3:
        text = text.replace(",", "", 1 if rng.random() < 0.3 else -1)
    return _end(rng, _capitals(rng, text.strip()))


def _without_one(rng: np.random.Generator, words: list[str]) -> list[str]:
    places = [i for i, word in enumerate(words) if word.lower() in _DROPPED]
    if not places:
        return words
    i = pick(rng, places)
    return words[:i] + words[i + 1 :]
