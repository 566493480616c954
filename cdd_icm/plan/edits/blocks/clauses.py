"""What a person who wants certain changes to a scene of blocks has to say, before its form is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cdd_icm.plan.edits.blocks.mentions import (
    all_except,
    point_at_many,
    refers_to,
)
from cdd_icm.plan.edits.blocks.places import Landmark, tell, tell_move, tell_moves, way_of
from cdd_icm.plan.edits.blocks.scene import Block, Change
from cdd_icm.plan.edits.blocks.speech import Speech
from cdd_icm.plan.edits.blocks.words import COLOUR_WORDS, SHAPE_ADJECTIVES, noun_phrase, plural, with_article
from cdd_icm.plan.shared.speech import additions, alterations, movements
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.requests import Clause


def new_noun(rng: np.random.Generator, block: Block, article: str = "a") -> str:
    """Words for a block that is to come; small is always said."""
    size = block.size if block.size == "small" or rng.random() < 0.1 else None
    chance = rng.random()
    colour = None if chance < 0.025 else block.colour
    shape = None if 0.02 <= chance < 0.045 else block.shape
    return noun_phrase(rng, article, colour, shape, size)


def _like_another(speech: Speech, block: Block) -> str | None:
    """ "Another one like the cube, but blue"; None if nothing of the scene is that alike."""
    rng, scene = speech.rng, speech.scene
    alike = [i for i, b in enumerate(scene) if (b.shape, b.size) == (block.shape, block.size)]
    if not alike:
        return None
    x = speech.point(pick(rng, alike), 0.8)
    return additions.LIKE_ANOTHER(rng, {"x": x, "c": pick(rng, COLOUR_WORDS[block.colour])})


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


def _by_new(speech: Speech) -> list[Landmark]:
    """The block that the text added last, as a landmark; none if it added none."""
    if not speech.added:
        return []
    block, others = speech.added[-1], (*speech.scene, *speech.added[:-1])

    def say() -> str:
        chance = speech.rng.random()
        if chance < 0.6 and not speech.named:
            return (
                "it"
                if chance < 0.45
                else pick(speech.rng, ("that one", "that", "this", "the new one", "this one"))
            )
        shape = block.shape if chance > 0.75 or any(b.colour == block.colour for b in others) else None
        colour = None if chance > 0.9 and all(b.shape != block.shape for b in others) else block.colour
        return noun_phrase(speech.rng, "the", colour, shape, None, plain=True)

    return [Landmark(block, say)]


def _adding(speech: Speech, change: Change) -> Clause:
    rng, block = speech.rng, change.after
    article = pick(rng, _ARTICLES)
    noun = new_noun(rng, block, article)
    if rng.random() < 0.02:
        noun = _like_another(speech, block) or noun
    after = rng.random() < 0.04
    if after:  # what it is like comes after its place
        noun = noun_phrase(rng, "a", None, block.shape, None)
    marks = _by_new(speech) if speech.added and rng.random() < 0.4 else speech.landmarks()
    place = speech.tell(tell(rng, block, marks), block)
    if after:
        slots = {"n": noun, "p": place, "c": pick(rng, COLOUR_WORDS[block.colour])}
        return Clause(
            additions.ADD_THEN_COLOUR if block.size == "large" else additions.ADD_THEN_SMALL, None, slots
        )
    if not place:
        return Clause(additions.ADD_DO, additions.ADD_SAY, {"n": noun})
    return Clause(additions.ADD_AT_DO, additions.ADD_AT_SAY, {"n": noun, "p": place})


def _adding_several(speech: Speech, changes: Sequence[Change]) -> Clause:
    """Several added ones in one list: "a red ball and a cube behind it"."""
    rng = speech.rng
    blocks = [change.after for change in changes]
    nouns = [new_noun(rng, block, pick(rng, ("a",) * 9 + ("one", "another"))) for block in blocks]
    places = []
    for k, block in enumerate(blocks):
        if k and rng.random() < 0.45:
            spot = tell(rng, block, _by_new(speech), 0.0)
        else:
            marks = speech.landmarks() if rng.random() < (0.8 if k else 0.7) else []
            spot = tell(rng, block, marks, 0.25)
        places.append(speech.tell(spot, block))
        speech.added.append(block)
    text = _of_one_shape(rng, blocks, places) if rng.random() < 0.6 else None
    if text is None and len(blocks) == 2:
        text = additions.AND_ANOTHER(rng, {"n": nouns[0], "m": nouns[1], "p": places[0], "q": places[1]})
    elif text is None:
        parts = [f"{noun} {place}".strip() for noun, place in zip(nouns, places, strict=True)]
        text = f"{', '.join(parts[:-1])}{pick(rng, (' and ', ', and ', ', '))}{parts[-1]}"
    return Clause(additions.ADD_DO, additions.ADD_LIST, {"n": text})


def _of_one_shape(rng: np.random.Generator, blocks: Sequence[Block], places: Sequence[str]) -> str | None:
    """ "Two cubes, one red on the left and one blue behind it"; None if they differ in shape or size."""
    if len({(b.shape, b.size) for b in blocks}) > 1 or len({b.colour for b in blocks}) < len(blocks):
        return None
    size = blocks[0].size if blocks[0].size == "small" or rng.random() < 0.1 else None
    noun = noun_phrase(rng, "", None, blocks[0].shape, size, 1, plain=True)
    colours = [pick(rng, COLOUR_WORDS[b.colour]) for b in blocks]
    slots = {"k": plural_phrase(noun), "o": noun, "b": colours[0], "c": colours[1]}
    if len(blocks) == 3:
        if any(places):
            return None
        slots |= {"d": pick(rng, ("three", "three", "3")), "e": colours[2]}
        return additions.THREE_OF_A_KIND(rng, slots)
    slots |= {"ab": with_article(colours[0]), "ac": with_article(colours[1]), "p": places[0], "q": places[1]}
    slots["d"] = pick(rng, ("two", "two", "2", "a couple of", "a pair of"))
    slots["ob"] = (
        with_article(f"{pick(rng, ('small ', 'tiny '))}{colours[0]}") if size == "small" else slots["ab"]
    )
    grammar = additions.TWO_OF_A_KIND_AT if any(places) else additions.TWO_OF_A_KIND
    return grammar(rng, slots)


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
            return [Clause(alterations.RESHAPE_DO, None, {"x": x, "t": noun, **shapes})]
        colour = None if same and rng.random() < 0.6 else new.colour
        noun = noun_phrase(rng, pick(rng, ("a", "a", "a", "a", "a", "one", "a new")), colour, new.shape, size)
        say = alterations.BECOME_IT if x == "it" and rng.random() < 0.15 else alterations.BECOME_SAY
        return [Clause(alterations.BECOME_DO, say, {"x": x, "t": noun})]
    clauses = []
    if old.colour != new.colour:
        say = alterations.RECOLOUR_IT if x == "it" and rng.random() < 0.2 else alterations.RECOLOUR_SAY
        clauses.append(Clause(alterations.RECOLOUR_DO, say, slots))
    if old.size != new.size:
        smaller = new.size == "small"
        clauses.append(
            Clause(alterations.SMALLER_DO, alterations.SMALLER_SAY, slots)
            if smaller
            else Clause(alterations.BIGGER_DO, alterations.BIGGER_SAY, slots)
        )
    if len(clauses) == 2 and rng.random() < 0.5:
        slots["z"] = pick(
            rng, ("small", "tiny", "little", "smaller") if new.size == "small" else ("big", "large", "bigger")
        )
        return [Clause(alterations.MAKE_BOTH_DO, alterations.MAKE_BOTH_SAY, slots)]
    if len(clauses) == 2 and rng.random() < 0.5:
        clauses.reverse()
    return clauses


def _changing(speech: Speech, change: Change) -> list[Clause]:
    """The clauses that change one block, or move it; only the first names it."""
    rng, i = speech.rng, change.before
    old, new = speech.scene[i], change.after
    x = speech.point(i)
    twin = _same_colour(speech, old, new, i) if old.colour != new.colour and rng.random() < 0.2 else None
    if twin is not None:
        slots = {"x": x, "y": speech.point(twin, 0.0), "c": pick(rng, COLOUR_WORDS[new.colour])}
        clauses = [Clause(alterations.MATCH_DO, alterations.MATCH_SAY, slots)]
    else:
        clauses = _attribute_clauses(speech, old, new, x)
    if (old.right, old.away) != (new.right, new.away):
        if clauses:
            speech.pronoun = 0.0
        place = speech.tell(tell_move(rng, old, new, speech.landmarks(but=(i,))), new)
        move = Clause(movements.MOVE_DO, movements.MOVE_SAY, {"x": x, "p": place, "i": "it"})
        clauses.insert(0 if rng.random() < 0.4 else len(clauses), move)
    return [clauses[0], *(replace(c, slots={**c.slots, "x": "it"}) for c in clauses[1:])] if clauses else []


def _same_colour(speech: Speech, old: Block, new: Block, i: int) -> int | None:
    """A block of the colour that block i gets, if nothing else of it changes."""
    if replace(old, colour=new.colour) != new:
        return None
    return next(
        (j for j, b in enumerate(speech.scene) if b.colour == new.colour and j not in speech.gone), None
    )


def _removing(speech: Speech, i: int) -> Clause:
    x = speech.point(i)
    block = speech.scene[i]
    kind = noun_phrase(speech.rng, "", block.colour, block.shape, None, plain=True)
    return Clause(movements.REMOVE_DO, movements.REMOVE_SAY, {"x": x, "k": kind})


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
        if old.shape != new.shape:
            return False
        way = None
        if (old.right, old.away) != (new.right, new.away):
            way = way_of(old, new)
            if way is None or (old.colour, old.size) != (new.colour, new.size):
                return False
        told.add(
            (
                new.colour if old.colour != new.colour else None,
                new.size if old.size != new.size else None,
                way,
            )
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
        x = _by_colours(rng, [scene[i] for i in numbers])
    if x is None:
        parts = [speech.point(i) for i in numbers]
        x = f"{', '.join(parts[:-1])} and {parts[-1]}"
    if changes[0].after is None:
        return [Clause(movements.REMOVE_DO, movements.REMOVE_MANY_SAY, {"x": x})]
    old, new = scene[numbers[0]], changes[0].after
    if (old.right, old.away) != (new.right, new.away):
        ways = [(scene[change.before], change.after) for change in changes]
        place = tell_moves(rng, ways)
        for (_, block), facts in zip(ways, place.facts, strict=True):
            speech.facts.append((facts, block))
        return [Clause(movements.MOVE_DO, movements.MOVE_MANY_SAY, {"x": x, "p": place.text, "i": "them"})]
    clauses = _attribute_clauses(speech, old, new, x, len(numbers))
    if len({scene[i].colour for i in numbers}) > 1:  # "from red to blue" would not be true of all
        was = pick(rng, ("what they are now", "the old colours", "the colors they have", "what they are"))
        clauses = [replace(clause, slots={**clause.slots, "o": was}) for clause in clauses]
    return (
        [clauses[0], *(replace(c, slots={**c.slots, "x": "them"}) for c in clauses[1:])] if clauses else None
    )


def _by_colours(rng: np.random.Generator, blocks: Sequence[Block]) -> str | None:
    """ "The red and the blue cube", for two of one shape."""
    if len(blocks) != 2 or blocks[0].shape != blocks[1].shape or rng.random() < 0.4:
        return None
    noun = noun_phrase(rng, "", None, blocks[0].shape, None, plain=True)
    a, b = (pick(rng, COLOUR_WORDS[block.colour]) for block in blocks)
    return movements.BY_COLOURS(rng, {"a": a, "b": b, "k": noun, "ks": plural_phrase(noun)})


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
    return Clause(movements.SWAP_DO, movements.SWAP_SAY, {"x": x, "y": y})


def _two_alike(speech: Speech, changes: Sequence[Change]) -> Clause | None:
    """Two recolourings, or two moves, in one clause: "make the cube red and the ball blue"."""
    if any(c.before is None or c.after is None for c in changes):
        return None
    rng, (i, j) = speech.rng, (c.before for c in changes)
    (a, b), (old_a, old_b) = (c.after for c in changes), (speech.scene[i], speech.scene[j])
    if replace(old_a, colour=a.colour) == a and replace(old_b, colour=b.colour) == b:
        slots = {"x": speech.point(i), "y": speech.point(j)}
        slots |= {"c": pick(rng, COLOUR_WORDS[a.colour]), "d": pick(rng, COLOUR_WORDS[b.colour])}
        return Clause(alterations.TWO_COLOURS_DO, alterations.TWO_COLOURS_SAY, slots)
    if all(replace(old, right=new.right, away=new.away) == new for old, new in ((old_a, a), (old_b, b))):
        slots = {}
        for x, p, old, new, number in (("x", "p", old_a, a, i), ("y", "q", old_b, b, j)):
            slots[x] = speech.point(number)
            speech.pronoun = 0.0
            slots[p] = speech.tell(tell_move(rng, old, new, speech.landmarks(but=(i, j))), new)
        return Clause(movements.TWO_MOVES_DO, movements.TWO_MOVES_SAY, slots)
    return None


def clauses_for(speech: Speech, changes: Sequence[Change]) -> list[Clause] | None:
    """What to say for the changes, in their order; None for what has no words."""
    if _is_swap(speech.scene, changes):
        return [_swapping(speech, changes)]
    if len(changes) > 1 and _same_for_all(speech.scene, changes) and speech.rng.random() < 0.97:
        return _several(speech, changes)
    clauses: list[Clause] = []
    pair = _two_alike(speech, changes) if len(changes) == 2 and speech.rng.random() < 0.5 else None
    if pair:
        return [pair]
    added = [change for change in changes if change.before is None]
    # the scene is known as it was before the turn: of what the text changes it tells no places by that
    speech.gone = {change.before for change in changes if change.before is not None}
    at = [k for k, change in enumerate(changes) if change.before is None]
    in_a_row = len(at) > 1 and at[-1] - at[0] == len(at) - 1
    together = in_a_row and speech.rng.random() < 0.75
    for change in changes:
        if change.before is None:
            if together and change is added[0]:
                clauses.append(_adding_several(speech, added))
            elif not together:
                clauses.append(_adding(speech, change))
                speech.added.append(change.after)
                speech.named = speech.named and speech.rng.random() < 0.5
        elif change.after is None:
            clauses.append(_removing(speech, change.before))
        else:
            clauses += _changing(speech, change)
        speech.pronoun = 0.0
    return clauses or None
