"""Slips of the pen, and the ways in which people use capitals and punctuation."""

from __future__ import annotations

import re
from collections.abc import Collection

import numpy as np

from cdd_icm.plan.shared.speech.grammar import listed, pick

_NEIGHBOURS = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnm",
        listed(
            "wa, qes, wrd, etf, ryg, tuh, yij, uok, ipl, ol, qsz, awdx, sefc, "
            "drgv, fthb, gyjn, hukm, jil, kop, asx, zsdc, xdfv, cfgb, vghn, bhjm, njk"
        ),
        strict=True,
    )
)
"""The keys around each on a keyboard."""
_SPELLINGS = {
    "its": listed("it's, it s"),
    "it's": listed("its"),
    "right": listed("rigth, rihgt, rite, righ, rght"),
    "left": listed("letf, lefft, leff, lft"),
    "cylinder": listed(
        "cylindar, cilinder, cyllinder, cylnder, cylider, cilynder, cylender, clinder, cyilnder, cylindre"
    ),
    "sphere": listed("spere, shpere, sphear, spehre, sfere, sphre, shere, spher, phere"),
    "purple": listed("purpel, pruple, purlpe, puple, purpul, perple"),
    "yellow": listed("yelow, yello, yellwo, yeloww"),
    "behind": listed("behinde, behing, beind, bhind, behnd, behine"),
    "front": listed("fornt, frnt, fronnt, frount"),
    "please": listed("plz, pls, plese, pleas, plase, pleace, please,"),
    "you": listed("u, yuo"),
    "and": listed("&, nad, an, adn, n"),
    "between": listed("betwen, beetween, bewteen, inbetween"),
    "the": listed("teh, te, th, hte, da"),
    "center": listed("centre, senter, cener"),
    "centre": listed("center, centr"),
    "middle": listed("midle, middel, mddle"),
    "object": listed("objekt, obect, objct"),
    "square": listed("sqaure, squre"),
    "small": listed("smal, samll, smll"),
    "little": listed("litle, littel, lil"),
    "large": listed("lage, larg, lrage"),
    "bigger": listed("biger, bigr"),
    "smaller": listed("smaler, samller"),
    "brown": listed("bown, brwon, broen, bronw"),
    "green": listed("gren, grean, geen, greeen"),
    "blue": listed("bleu, bule, blu, bluue"),
    "red": listed("rde, redd, rad"),
    "gray": listed("gery, garay"),
    "grey": listed("gery, grrey"),
    "cyan": listed("cian, cyen, syan, cyann, cayan"),
    "turquoise": listed("turqoise, turquise, torquoise, turkoise"),
    "violet": listed("voilet, violett"),
    "cube": listed("cueb, qube, kube, cubee"),
    "remove": listed("remov, remvoe, romove, rmove"),
    "delete": listed("delet, delte, deleet"),
    "replace": listed("replase, relpace, replce"),
    "move": listed("mvoe, moove, mov"),
    "colour": listed("color, coulor, colur"),
    "color": listed("colour, coler, colr"),
    "there": listed("their, ther, thier"),
    "with": listed("whit, wiht, wth"),
    "beside": listed("besides, bside"),
    "next": listed("nex, nxt"),
    "to": listed("too, ot"),
    "ball": listed("bal, baall"),
    "should": listed("shoud, shuld, shold"),
    "would": listed("woud, wuld"),
    "could": listed("coud, culd"),
    "that": listed("taht, tht, dat"),
    "this": listed("tihs, dis"),
    "of": listed("off, fo"),
    "than": listed("then"),
    "then": listed("than"),
    "don't": listed("dont, don t"),
    "i'd": listed("id, i d"),
    "let's": listed("lets"),
    "there's": listed("theres"),
    "want": listed("wnat, wan"),
    "make": listed("mkae, mak"),
    "into": listed("in to, inot"),
    "add": listed("ad, addd, adda"),
    "put": listed("putt, pu"),
    "it": listed("ti, itt"),
    "one": listed("1, oen"),
    "two": listed("2, tow"),
    "three": listed("3, thre"),
    "for": listed("4, fro"),
    "are": listed("r"),
    "thanks": listed("thx, thanx, tanks"),
    "background": listed("backround, back ground"),
    "foreground": listed("forground, fore ground"),
    "leftmost": listed("left most, leftmos"),
    "rightmost": listed("right most, rigthmost"),
    "going": listed("goin"),
}
"""Wrong spellings that are often seen."""
_FILLERS = listed(
    "uh, um, er, erm, hmm, well, like, you know, i mean, kind of, basically, just, please, maybe, eh, so"
)
_ENDS = listed("!!!, !!, .., ..., ??, ?!, ;, :), :-), ;), 🙂, 👍, 🙏, 😊, 😀, -, !., ❤️, 🎨, xD, ^^")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
COMMON_WORDS = frozenset(
    listed(
        "left, right, front, back, behind, top, bottom, middle, before, after, near, next, far, between, "
        "not, no, add, put, move, turn, swap, make, take, keep, bring, send, drop, lose, "
        "remove, paint, here, there, this, that, these, those, them, then, than, both, all, but, "
        "last, first, other, it, in, on, at, of, off, to, up, down, out, away, "
        "and, or, the, is, are, was, i, you, we, he, hat, boat, boot, rod, "
        "bed, bid, rat, bell, bill, bowl, call, bull, bar, cart, car, van, pan, fan, "
        "ban, tan, ten, pen, den, bin, bun, big, bag, bug, beg, been, bean, grew, "
        "great, clean, clue, glue, blur, true, tree, crane, plane, tab, tub, cub, tuber"
    )
)
"""Words that no slip may make of another, beside those of a world."""


def slip(rng: np.random.Generator, word: str, known: Collection[str]) -> str:
    """The word with one typing error, or as it is if that would be one of the `known` words."""
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
    return word if new.lower() in COMMON_WORDS or new.lower() in known else new


def _spelling(rng: np.random.Generator, words: list[str]) -> None:
    """A wrong spelling that is often seen, in place of one word of those that have one."""
    places = [i for i, word in enumerate(words) if word.lower() in _SPELLINGS]
    if places:
        i = pick(rng, places)
        words[i] = pick(rng, _SPELLINGS[words[i].lower()])


def _typing(rng: np.random.Generator, words: list[str], known: Collection[str]) -> None:
    for _ in range(1 if rng.random() < 0.65 else 2 if rng.random() < 0.7 else 3):
        i = int(rng.random() * len(words))
        words[i] = _WORD.sub(lambda m: slip(rng, m[0], known), words[i], count=1)


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


def with_mistakes(rng: np.random.Generator, text: str, known: Collection[str]) -> str:
    """The text as a person may type it: two in three have capitals and marks at most, others have errors.

    Args:
        known: words that no typing error may make of another.
    """
    chance = rng.random()
    words = text.split(" ")
    if chance < 0.12:
        _typing(rng, words, known)
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
