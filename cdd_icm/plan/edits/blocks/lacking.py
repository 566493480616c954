"""Requests that the world of blocks cannot show: for what it lacks, or for blocks that are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cdd_icm.plan.edits.blocks.mentions import (
    BESIDES,
    OTHER,
    Mention,
    plain_mention,
    point_at,
    refers_to,
    say_plain,
)
from cdd_icm.plan.edits.blocks.places import Landmark, nowhere, say_side, tell
from cdd_icm.plan.edits.blocks.sampling import anywhere
from cdd_icm.plan.edits.blocks.scene import COLOURS, SHAPES, Block
from cdd_icm.plan.edits.blocks.words import COLOUR_WORDS, SHAPE_WORDS, noun_phrase, with_article
from cdd_icm.plan.shared.speech import additions, alterations, movements
from cdd_icm.plan.shared.speech.grammar import listed, pick
from cdd_icm.plan.shared.speech.requests import Clause, dressed, request
from cdd_icm.plan.shared.speech.things import ACTS, LACK_SAY, MANY_THINGS, SCENERY, THINGS

LACKED_SHAPES = listed("""
    pyramid, cone, triangle, prism, torus, ring, donut shape, star, heart, hexagon, octagon, pentagon,
    oval, ellipse, egg shape, diamond, crescent, hemisphere, half sphere, wedge, tetrahedron,
    octahedron, dodecahedron, icosahedron, arrow, cross, spiral, rectangle, trapezoid, parallelogram,
    rhombus, polygon, dome, arch, tree shape, monkey head, teapot, spring, helix, cone shape, triangular
    block, letter A, pin, plus sign
""")
LACKED_COLOURS = listed("""
    orange, pink, black, white, beige, ivory, salmon, peach, apricot, rainbow, multicolored,
    multicoloured, bronze, copper, hot pink, jet black, snow white, transparent, colourless, invisible,
    striped, checkered, dotted, spotted, see-through, coral, fuchsia, khaki, cream, rose,
    rainbow-coloured, neon orange, off-white, pitch black, pinkish, orange-ish, whitish, polka-dotted,
    black and white, half red half blue, patterned, tartan, skin-coloured
""")
MATERIALS = listed("""
    shiny, metal, metallic, glass, wooden, golden metal, chrome, mirrored, transparent, plastic, furry,
    fluffy, glowing, rusty, stone, marble-patterned, paper, steel, iron, wet, hot, burning, frozen, icy,
    glossy, polished, reflective, hollow, broken, cracked, soft, hairy, knitted, leather, translucent,
    sparkling, glittery, luminous, liquid, melted, edible, magnetic, electric, living, smiling, angry,
    happy, singing, flying, dancing, floating, upside down, dirty, old
""")


def _point(
    rng: np.random.Generator, scene: tuple[Block, ...], touched: tuple[int, ...], but: int = -1
) -> tuple[int, str]:
    """Words for some block of the scene, or for what may not be there where it is empty."""
    numbers = [i for i in range(len(scene)) if i != but]
    if not numbers:
        return -1, noun_phrase(rng, "the", pick(rng, COLOURS), pick(rng, SHAPES), None)
    i = pick(rng, numbers)
    return i, point_at(rng, scene, touched, i, 0.5 if but < 0 else 0.0)[1]


def _any_place(rng: np.random.Generator, scene: tuple[Block, ...], touched: tuple[int, ...]) -> str:
    """Words for some place."""
    if rng.random() < 0.3:
        return nowhere(rng, 0.4).text
    block = Block("red", "cube", "large", *anywhere(rng))
    marks = [Landmark(b, lambda i=i: point_at(rng, scene, touched, i)[1]) for i, b in enumerate(scene)]
    return tell(rng, block, marks, 0.0).text


def _lacked_noun(rng: np.random.Generator) -> str:
    """An article and a noun phrase that names nothing of this world."""
    chance = rng.random()
    shape, colour = pick(rng, SHAPES), pick(rng, COLOURS)
    size = pick(rng, ("small ", "big ", "little ", "large ", "tiny ")) if rng.random() < 0.25 else ""
    if chance < 0.42:
        tint = f"{pick(rng, COLOUR_WORDS[colour])} " if rng.random() < 0.3 else ""
        words = f"{size}{tint}{pick(rng, THINGS)}"
    elif chance < 0.47:
        number = pick(rng, ("some", "two", "three", "a few", "many", "lots of", ""))
        return f"{number} {pick(rng, MANY_THINGS)}".strip()
    elif chance < 0.62:
        tint = f"{pick(rng, COLOUR_WORDS[colour])} " if rng.random() < 0.7 else ""
        words = f"{size}{tint}{pick(rng, LACKED_SHAPES)}"
    elif chance < 0.86:
        words = f"{size}{pick(rng, LACKED_COLOURS)} {pick(rng, SHAPE_WORDS[shape])}"
    else:
        tint = f"{pick(rng, COLOUR_WORDS[colour])} " if rng.random() < 0.6 else ""
        words = f"{size}{pick(rng, MATERIALS)} {tint}{pick(rng, SHAPE_WORDS[shape])}"
    return pick(
        rng,
        (
            with_article(words),
            with_article(words),
            with_article(words),
            f"one {words}",
            f"another {words}",
            f"the {words}",
        ),
    )


def unknown_text(rng: np.random.Generator, scene: tuple[Block, ...], touched: tuple[int, ...]) -> str:
    """A request for something that the world lacks."""
    chance = rng.random()
    if chance < 0.5:
        noun, place = _lacked_noun(rng), _any_place(rng, scene, touched)
        if place:
            clause = Clause(additions.ADD_AT_DO, additions.ADD_AT_SAY, {"n": noun, "p": place})
        else:
            clause = Clause(additions.ADD_DO, additions.ADD_SAY, {"n": noun})
        return dressed(rng, request(rng, [clause]))
    i, x = _point(rng, scene, touched)
    colour = scene[i].colour if i >= 0 else pick(rng, COLOURS)
    if chance < 0.6:
        slots = {"x": x, "o": pick(rng, COLOUR_WORDS[colour]), "c": pick(rng, LACKED_COLOURS)}
        clause = Clause(alterations.RECOLOUR_DO, alterations.RECOLOUR_SAY, slots)
    elif chance < 0.7:
        clause = Clause(alterations.BECOME_DO, alterations.BECOME_SAY, {"x": x, "t": _lacked_noun(rng)})
    elif chance < 0.76:
        thing = f"the {pick(rng, THINGS)}"
        clause = pick(rng, _ON_LACKED)(thing, pick(rng, COLOURS))
    elif chance < 0.9:
        y = _point(rng, scene, touched, i)[1]
        clause = Clause(ACTS, LACK_SAY, {"x": x, "y": y, "m": pick(rng, MATERIALS)})
    else:
        clause = Clause(SCENERY, None, {"x": x})
    return dressed(rng, request(rng, [clause]))


_ON_LACKED: tuple[Callable[[str, str], Clause], ...] = (
    lambda x, c: Clause(movements.REMOVE_DO, movements.REMOVE_MANY_SAY, {"x": x}),
    lambda x, c: Clause(movements.MOVE_DO, movements.MOVE_SAY, {"x": x, "p": "to the left", "i": "it"}),
    lambda x, c: Clause(alterations.SMALLER_DO, alterations.SMALLER_SAY, {"x": x}),
    lambda x, c: Clause(alterations.BIGGER_DO, alterations.BIGGER_SAY, {"x": x}),
    lambda x, c: Clause(alterations.RECOLOUR_DO, alterations.RECOLOUR_SAY, {"x": x, "c": c, "o": "brown"}),
)


def _lost(
    rng: np.random.Generator, scene: tuple[Block, ...], touched: tuple[int, ...]
) -> tuple[Mention, str] | None:
    """A mention that singles out no block of the scene; None if the one that was drawn does."""
    chance = rng.random()
    if chance < 0.12:
        mention, words = Mention(how="it"), "it"
    elif chance < 0.2:
        mention, words = Mention(how="other"), OTHER(rng, {"k": "one"})
    elif chance < 0.3 and len(scene) > 1:
        other = plain_mention(rng, pick(rng, scene), full=True)
        how = pick(rng, tuple(BESIDES))
        if how in ("nearest to", "near"):
            return None
        kind = Mention(shape=pick(rng, SHAPES))
        mention = Mention(shape=kind.shape, how=how, other=other)
        noun = noun_phrase(rng, "", None, kind.shape, None, plain=True)
        words = BESIDES[how](rng, {"k": noun, "o": say_plain(rng, other, "the", plain=True)})
        # only what is clearly not there: no block of the kind at all
        if any(b.shape == kind.shape for b in scene):
            return None
        return mention, words
    else:
        mention = plain_mention(
            rng, Block(pick(rng, COLOURS), pick(rng, SHAPES), pick(rng, ("large", "small")), 0, 0)
        )
        if mention == Mention(size=mention.size) and not scene:
            return None
        words = say_plain(rng, mention, "the")
        if mention.size and len(refers_to(replace(mention, size=None), scene, touched)) == 1:
            return None  # one may be taken for small that is not
    return None if len(refers_to(mention, scene, touched)) == 1 else (mention, words)


def absent_text(
    rng: np.random.Generator, scene: tuple[Block, ...], touched: tuple[int, ...]
) -> tuple[str, Mention] | None:
    """A request about a block that is not there, or that it does not single out, and its mention of it; None
    if the drawn one is there."""
    lost = _lost(rng, scene, touched)
    if lost is None:
        return None
    mention, x = lost
    chance = rng.random()
    colour, shape = pick(rng, COLOURS), pick(rng, SHAPES)
    if chance < 0.28:
        kind = noun_phrase(rng, "", mention.colour or colour, mention.shape or shape, None, plain=True)
        say = movements.REMOVE_SAY if mention.colour and mention.shape else movements.REMOVE_MANY_SAY
        clause = Clause(movements.REMOVE_DO, say, {"x": x, "k": kind})
    elif chance < 0.48:
        slots = {
            "x": x,
            "c": pick(rng, COLOUR_WORDS[colour]),
            "o": pick(rng, COLOUR_WORDS[mention.colour or pick(rng, COLOURS)]),
        }
        clause = Clause(alterations.RECOLOUR_DO, alterations.RECOLOUR_SAY, slots)
    elif chance < 0.6:
        do, say = pick(
            rng,
            (
                (alterations.SMALLER_DO, alterations.SMALLER_SAY),
                (alterations.BIGGER_DO, alterations.BIGGER_SAY),
            ),
        )
        clause = Clause(do, say, {"x": x})
    elif chance < 0.72:
        noun = noun_phrase(rng, "a", colour, shape, None)
        clause = Clause(alterations.BECOME_DO, alterations.BECOME_SAY, {"x": x, "t": noun})
    elif chance < 0.86 or not scene and mention.how == "it":
        place = pick(
            rng,
            ("to the left", "to the right", "to the back", "to the front", "in the middle", "on the left"),
        )
        clause = Clause(movements.MOVE_DO, movements.MOVE_SAY, {"x": x, "p": place, "i": "it"})
    else:
        noun = noun_phrase(rng, "a", colour, shape, None)
        place = say_side(rng, pick(rng, ("left", "right", "front", "behind")), x)
        clause = Clause(additions.ADD_AT_DO, additions.ADD_AT_SAY, {"n": noun, "p": place})
    return dressed(rng, request(rng, [clause])), mention
