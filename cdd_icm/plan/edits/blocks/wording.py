"""Writes what a person may say who wants certain changes to a scene of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cdd_icm.plan.edits.blocks import requests as ask
from cdd_icm.plan.edits.blocks.benchmark import in_benchmark_style
from cdd_icm.plan.edits.blocks.grammar import Grammar, pick
from cdd_icm.plan.edits.blocks.mentions import (
    Mention,
    all_except,
    plain_mention,
    point_at,
    point_at_many,
    refers_to,
    say_plain,
)
from cdd_icm.plan.edits.blocks.mistakes import with_mistakes
from cdd_icm.plan.edits.blocks.phrases import ASK, CLOSE, JOIN, OPEN
from cdd_icm.plan.edits.blocks.places import Fact, Landmark, Spot, tell, tell_move
from cdd_icm.plan.edits.blocks.scene import Block, Change
from cdd_icm.plan.edits.blocks.words import COLOUR_WORDS, SHAPE_ADJECTIVES, noun_phrase, plural


@dataclass(frozen=True)
class Clause:
    """One request, before its form is chosen: a verb phrase, or a statement that stands alone."""

    do: Grammar
    say: Grammar | None
    slots: dict[str, str]

    def verb_phrase(self, rng: np.random.Generator, form: str = "base") -> str:
        """Its verb phrase, the verb in that form."""
        return self.do(rng, {**self.slots, "form": form})


@dataclass
class Speech:
    """What a text tells while it is being written.

    Attributes:
        facts: what it has told of the places of blocks, each with the block.
        mentions: how it has pointed at blocks of the scene, each with the numbers of those that are meant.
    """

    rng: np.random.Generator
    scene: tuple[Block, ...]
    touched: tuple[int, ...]
    facts: list[tuple[Fact, Block]] = field(default_factory=list)
    mentions: list[tuple[Mention, tuple[int, ...]]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    """Those of the scene that the text has changed already, which later words had better not speak of."""
    added: list[Block] = field(default_factory=list)
    """Those that it has added already, which later words had better not mean."""
    pronoun: float = 0.5
    """How likely "it" is said where it can be."""

    def point(self, i: int, pronoun: float | None = None) -> str:
        """Words for block i of the scene."""
        chance = self.pronoun if pronoun is None else pronoun
        scene = (*self.scene, *self.added)
        mention, words = point_at(self.rng, scene, self.touched, i, chance, self.gone)
        if self.added and refers_to(mention, self.scene, self.touched) != (i,):
            mention = plain_mention(self.rng, self.scene[i], full=True)
            words = say_plain(self.rng, mention, "the")
        self.mentions.append((mention, (i,)))
        if mention.how == "it":
            self.pronoun = max(self.pronoun, 0.5)
        else:
            self.pronoun = 0.0  # after another was named, "it" could be that one
        return words

    def landmarks(self, but: Sequence[int] = ()) -> list[Landmark]:
        """The blocks of the scene that a place can be told by."""
        return [
            Landmark(block, lambda i=i: self.point(i))
            for i, block in enumerate(self.scene)
            if i not in self.gone and i not in but
        ]

    def tell(self, spot: Spot, block: Block) -> str:
        """The words of the spot; notes what it says of the block."""
        self.facts += [(fact, block) for fact in spot.facts]
        return spot.text


def new_noun(rng: np.random.Generator, block: Block, article: str = "a") -> str:
    """Words for a block that is to come; small is always said."""
    size = block.size if block.size == "small" or rng.random() < 0.1 else None
    chance = rng.random()
    colour = None if chance < 0.02 else block.colour
    shape = None if 0.02 <= chance < 0.04 else block.shape
    return noun_phrase(rng, article, colour, shape, size)


_ARTICLES = ("a",) * 24 + (
    "one",
    "another",
    "one more",
    "a new",
    "one",
    "another",
    "",
    "a",
    "the",
    "some kind of",
)


def _adding(speech: Speech, change: Change) -> Clause:
    rng, block = speech.rng, change.after
    article = pick(rng, _ARTICLES)
    if rng.random() < 0.04:  # what it is like comes after
        noun = noun_phrase(rng, "a", None, block.shape, None)
        place = speech.tell(tell(rng, block, speech.landmarks()), block)
        slots = {"n": noun, "p": place, "c": pick(rng, COLOUR_WORDS[block.colour])}
        return Clause(ADD_THEN_COLOUR if block.size == "large" else ADD_THEN_SMALL, None, slots)
    noun = new_noun(rng, block, article)
    place = speech.tell(tell(rng, block, speech.landmarks()), block)
    if not place:
        return Clause(ask.ADD_DO, ask.ADD_SAY, {"n": noun})
    return Clause(ask.ADD_AT_DO, ask.ADD_AT_SAY, {"n": noun, "p": place})


ADD_THEN_COLOUR = Grammar("""
    (<add>|<put>|<place>|<draw>) {n} {p} and <make> it {c}*4
    (<add>|<put>|<place>|<draw>) {n} {p} and <paint> it {c}*2
    (<add>|<put>|<place>|<draw>) {n} {p} (, it should be {c}|. It should be {c}|. Make it {c}|. It is {c}|, {c} please)*3
    (<add>|<put>|<place>|<draw>) {n} {p}, (coloured|colored|in|color:|colour:) {c}
    """)
ADD_THEN_SMALL = Grammar("""
    (<add>|<put>|<place>|<draw>) {n} {p} and <make> it (small and {c}|{c} and small|{c} and tiny)*3
    (<add>|<put>|<place>|<draw>) {n} {p}. It should be (small and {c}|{c} and small)*2
    (<add>|<put>|<place>|<draw>) {n} {p}, (small and {c}|{c} and small|{c}, small)
    """)

_AND_IT = Grammar("""
    {n} {p} and {m} {q}*5
    {n} {p} and, {q}, {m}
    {n} {p}, and {m} {q}*2
    {n} {p} with {m} {q}*2
    {n} {p}, {m} {q}
    {n} {p} plus {m} {q}
    {n} {p} and then {m} {q}
    {n} {p} as well as {m} {q}
    {n} {p} and {q} {m}
    """)
_OF_ONE_SHAPE = Grammar("""
    {d} {k}, {b} and {c}*3
    {d} {k}, one {b} and one {c}*4
    {d} {k}, one [is] {b} {p}, (the other|one|and one) {c} {q}*3
    {d} {k}: {b} and {c}*2
    {d} {k}: a {b} one {p} and a {c} one {q}*3
    {d} {k}, a {b} one {p} and a {c} one {q}*3
    {d} {k} in {b} and {c}*2
    a {b} and a {c} {o}*3
    a {b} {o} {p} and a {c} one {q}*4
    """)


def _adding_several(speech: Speech, changes: Sequence[Change]) -> Clause:
    """Several added ones in one list: "a red ball and a cube behind it"."""
    rng = speech.rng
    blocks = [change.after for change in changes]
    places = []
    nouns = [new_noun(rng, block, pick(rng, ("a",) * 9 + ("one", "another"))) for block in blocks]
    for k, block in enumerate(blocks):
        by_first = k > 0 and not speech.mentions and rng.random() < 0.45
        if by_first:  # "it" is the one that was just named, if no other was
            spot = tell(rng, block, [Landmark(blocks[k - 1], lambda: "it")], 0.0)
            if any(fact.blocks for fact in spot.facts) and k > 1:
                by_first = False
        if not by_first:
            if k:
                speech.pronoun = 0.0
            marks = speech.landmarks() if k == 0 or rng.random() < 0.8 else []
            spot = tell(rng, block, [] if k == 0 and rng.random() < 0.3 else marks, 0.25)
        places.append(speech.tell(spot, block))
        speech.added.append(block)
    if len(blocks) == 2:
        a, b = blocks
        if a.shape == b.shape and a.colour != b.colour and a.size == b.size == "large" and rng.random() < 0.6:
            noun = noun_phrase(rng, "", None, a.shape, None, 1, plain=True)
            slots = {
                "d": pick(rng, ("two", "two", "2", "a couple of", "a pair of")), "k": plural_phrase(noun), "o": noun,
                "b": pick(rng, COLOUR_WORDS[a.colour]), "c": pick(rng, COLOUR_WORDS[b.colour]),
                "p": places[0], "q": places[1],
            }  # fmt: skip
            text = _OF_ONE_SHAPE(rng, slots)
        else:
            text = _AND_IT(rng, {"n": nouns[0], "m": nouns[1], "p": places[0], "q": places[1]})
    else:
        parts = [f"{noun} {place}".strip() for noun, place in zip(nouns, places, strict=True)]
        text = f"{', '.join(parts[:-1])}{pick(rng, (' and ', ', and ', ', '))}{parts[-1]}"
    return Clause(ask.ADD_DO, ask.ADD_LIST, {"n": text})


def plural_phrase(phrase: str) -> str:
    """The plural of a noun phrase that ends in its noun."""
    before, _, last = phrase.rpartition(" ")
    return f"{before} {plural(last)}".strip()


def _attribute_clauses(speech: Speech, old: Block, new: Block, x: str, number: int = 1) -> list[Clause]:
    """What makes the old block(s), for which `x` are the words, the new, but for the place."""
    rng = speech.rng
    slots = {"x": x, "o": pick(rng, COLOUR_WORDS[old.colour]), "c": pick(rng, COLOUR_WORDS[new.colour])}
    if old.shape != new.shape:
        size = new.size if old.size != new.size or rng.random() < 0.06 else None
        same = old.colour == new.colour and number == 1 and size is None
        if same and rng.random() < 0.25:
            shapes = {
                "a": pick(rng, SHAPE_ADJECTIVES[new.shape]),
                "b": pick(rng, SHAPE_ADJECTIVES[old.shape]),
            }
            noun = noun_phrase(rng, "a", None, new.shape, None)
            return [Clause(ask.RESHAPE_DO, None, {"x": x, "t": noun, **shapes})]
        colour = None if same and rng.random() < 0.6 else new.colour
        noun = noun_phrase(rng, pick(rng, ("a", "a", "a", "a", "a", "one", "a new")), colour, new.shape, size)
        say = ask.BECOME_IT if x == "it" and rng.random() < 0.15 else ask.BECOME_SAY
        return [Clause(ask.BECOME_DO, say, {"x": x, "t": noun})]
    clauses = []
    if old.colour != new.colour:
        say = ask.RECOLOUR_IT if x == "it" and rng.random() < 0.2 else ask.RECOLOUR_SAY
        clauses.append(Clause(ask.RECOLOUR_DO, say, slots))
    if old.size != new.size:
        smaller = new.size == "small"
        clauses.append(
            Clause(ask.SMALLER_DO, ask.SMALLER_SAY, slots)
            if smaller
            else Clause(ask.BIGGER_DO, ask.BIGGER_SAY, slots)
        )
    if len(clauses) == 2 and rng.random() < 0.5:
        slots["z"] = pick(
            rng, ("small", "tiny", "little", "smaller") if new.size == "small" else ("big", "large", "bigger")
        )
        return [Clause(MAKE_BOTH, MAKE_BOTH_SAY, slots)]
    if len(clauses) == 2 and rng.random() < 0.5:
        clauses.reverse()
    return clauses


MAKE_BOTH = Grammar("""
    <make> {x} {z} and {c}*4
    <make> {x} {c} and {z}*4
    <turn> {x} {c} and {z}
    <change> {x} to {z} and {c}
    """)
MAKE_BOTH_SAY = Grammar("""
    {x} should be {z} and {c}*2
    {x} should be {c} and {z}*2
    I (want|'d like) {x} {z} and {c}
    {x} must be {c} and {z}
    """)


def _changing(speech: Speech, change: Change) -> list[Clause]:
    """The clauses that change one block, or move it; only the first names it."""
    rng, i = speech.rng, change.before
    old, new = speech.scene[i], change.after
    x = speech.point(i)
    moved = (old.right, old.away) != (new.right, new.away)
    clauses = _attribute_clauses(speech, old, new, x)
    if moved:
        if clauses:
            speech.pronoun = 0.0
        marks = speech.landmarks(but=(i,))
        place = speech.tell(tell_move(rng, old, new, marks), new)
        clauses.insert(
            0 if rng.random() < 0.4 else len(clauses), Clause(ask.MOVE_DO, ask.MOVE_SAY, {"x": x, "p": place})
        )
    return [clauses[0], *(replace(c, slots={**c.slots, "x": "it"}) for c in clauses[1:])] if clauses else []


def _removing(speech: Speech, i: int) -> Clause:
    x = speech.point(i)
    block = speech.scene[i]
    kind = noun_phrase(speech.rng, "", block.colour, block.shape, None, plain=True)
    return Clause(ask.REMOVE_DO, ask.REMOVE_SAY, {"x": x, "k": kind})


def _same_for_all(scene: Sequence[Block], changes: Sequence[Change]) -> bool:
    """Whether several changes can be told in one clause."""
    if any(change.before is None for change in changes):
        return False
    if all(change.after is None for change in changes):
        return True
    if any(change.after is None for change in changes):
        return False
    told = set()
    for change in changes:
        old, new = scene[change.before], change.after
        if old.shape != new.shape or (old.right, old.away) != (new.right, new.away):
            return False
        told.add(
            (new.colour if old.colour != new.colour else None, new.size if old.size != new.size else None)
        )
    return len(told) == 1


def _several(speech: Speech, changes: Sequence[Change]) -> list[Clause] | None:
    """The clauses that do the same with several blocks."""
    rng, scene = speech.rng, speech.scene
    numbers = tuple(change.before for change in changes)
    wanted = set(numbers)
    x = None
    for _ in range(8):
        found = point_at_many(rng, scene, speech.touched)
        if found and set(refers_to(found[0], scene, speech.touched)) == wanted:
            x = found[1]
            speech.mentions.append((found[0], numbers))
            break
    rest = [i for i in range(len(scene)) if i not in wanted]
    if len(rest) == 1 and (x is None or rng.random() < 0.7) and len(scene) > 2:
        x = all_except(rng, scene, speech.touched, rest[0])
    if x is None:
        if len(numbers) > 3:
            return None
        parts = [speech.point(i) for i in numbers]
        x = f"{', '.join(parts[:-1])} and {parts[-1]}"
    if changes[0].after is None:
        return [Clause(ask.REMOVE_DO, ask.REMOVE_MANY_SAY, {"x": x})]
    old, new = scene[numbers[0]], changes[0].after
    clauses = _attribute_clauses(speech, old, new, x, len(numbers))
    return (
        [clauses[0], *(replace(c, slots={**c.slots, "x": "them"}) for c in clauses[1:])] if clauses else None
    )


def _is_swap(scene: Sequence[Block], changes: Sequence[Change]) -> bool:
    """Whether two blocks change places."""
    if len(changes) != 2 or any(c.before is None or c.after is None for c in changes):
        return False
    (a, b), (old_a, old_b) = [c.after for c in changes], [scene[c.before] for c in changes]
    return a == replace(old_a, right=old_b.right, away=old_b.away) and b == replace(
        old_b, right=old_a.right, away=old_a.away
    )


def _swapping(speech: Speech, changes: Sequence[Change]) -> Clause:
    x, y = (speech.point(change.before) for change in changes)
    return Clause(ask.SWAP_DO, ask.SWAP_SAY, {"x": x, "y": y})


def clauses_for(speech: Speech, changes: Sequence[Change]) -> list[Clause] | None:
    """What to say for the changes, in their order; None for what has no words."""
    if _is_swap(speech.scene, changes):
        return [_swapping(speech, changes)]
    if len(changes) > 1 and _same_for_all(speech.scene, changes) and speech.rng.random() < 0.97:
        return _several(speech, changes)
    clauses: list[Clause] = []
    added = [change for change in changes if change.before is None]
    # the scene is known as it was before the turn: of what the text changes it tells no places by that
    speech.gone = {change.before for change in changes if change.before is not None}
    together = len(added) > 1 and speech.rng.random() < 0.75
    for change in changes:
        if change.before is None:
            if together and change is added[0]:
                clauses.append(_adding_several(speech, added))
            elif not together:
                clauses.append(_adding(speech, change))
                speech.added.append(change.after)
        elif change.after is None:
            clauses.append(_removing(speech, change.before))
        else:
            clauses += _changing(speech, change)
        speech.pronoun = 0.0
    return clauses or None


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


def _asked(rng: np.random.Generator, base: str, ing) -> str:
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


@dataclass(frozen=True)
class Written:
    """A text, and what it tells; see `Speech`."""

    text: str
    facts: tuple[tuple[Fact, Block], ...] = ()
    mentions: tuple[tuple[Mention, tuple[int, ...]], ...] = ()


def write(
    scene: tuple[Block, ...], touched: tuple[int, ...], changes: Sequence[Change], rng: np.random.Generator
) -> Written | None:
    """A text that asks for the changes, and what it tells; None if there is no short way to ask for them."""
    if rng.random() < 0.25:
        written = in_benchmark_style(scene, touched, changes, rng)
        if written is not None:
            return Written(*written)
    speech = Speech(rng, scene, touched)
    clauses = clauses_for(speech, changes)
    if clauses is None:
        return None
    text = with_mistakes(rng, dressed(rng, request(rng, clauses)))
    return Written(text, tuple(speech.facts), tuple(speech.mentions))


def write_changes(
    scene: tuple[Block, ...], touched: tuple[int, ...], changes: Sequence[Change], rng: np.random.Generator
) -> str | None:
    """A text that asks for the changes to the scene, after a turn that touched those blocks; None if there is no
    short way to ask for them."""
    written = write(scene, touched, changes, rng)
    return written and written.text
