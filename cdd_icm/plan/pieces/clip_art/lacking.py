"""Requests that a world of clip art can't meet: things that it lacks, and pieces that are not there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.mentions import Speaker
from cdd_icm.plan.pieces.clip_art.names import GENERAL, NAMES, PEOPLE, PHRASES, SIZES, with_article
from cdd_icm.plan.pieces.clip_art.places import in_picture
from cdd_icm.plan.shared.speech.additions import ADD_AT_DO, ADD_AT_SAY, ADD_DO, ADD_SAY
from cdd_icm.plan.shared.speech.alterations import (
    BECOME_DO,
    BIGGER_DO,
    BIGGER_SAY,
    RECOLOUR_DO,
    SMALLER_DO,
    SMALLER_SAY,
)
from cdd_icm.plan.shared.speech.grammar import Grammar, listed, pick
from cdd_icm.plan.shared.speech.movements import MOVE_DO, MOVE_SAY, REMOVE_DO, REMOVE_SAY
from cdd_icm.plan.shared.speech.requests import Clause, dressed, request
from cdd_icm.plan.shared.speech.things import MANY_THINGS, SCENERY, THINGS

_HEADS = {options.split()[-1] for names in NAMES.values() for options in names} | set(GENERAL)
LACKED = tuple(
    thing
    for thing in (
        *THINGS,
        *listed("""
        lion, tiger, elephant, zebra, giraffe, monkey, horse, cow, pig, sheep, chicken, fish, rabbit,
        bunny, fox, wolf, squirrel, dinosaur, dragon, unicorn, butterfly, ladybug, spider, frog, turtle,
        car, truck, bus, bike, bicycle, boat, ship, train, motorcycle, skateboard, house, castle,
        church, barn, fence, bridge, road, tower, windmill, flower, rose, bush, palm tree leaf, cactus,
        mushroom, mountain, hill, river, lake, pond, ocean, waterfall, moon, star, rainbow, snowman,
        snowflake, man, woman, baby, old lady, grandma, grandpa, teacher, clown, robot, alien, ghost,
        mermaid, princess, king, superhero, policeman, sofa, chair, bed, lamp, television, computer,
        phone, clock, mirror, door, window, book, pencil, backpack, umbrella, ladder, bottle of wine,
        beer, coffee, ice cream, cake, cookie, banana, orange, strawberry, watermelon, carrot, sandwich,
        french fries, popcorn, guitar, piano, drum, trampoline, seesaw, swimming pool, fountain, statue,
        flag, sign, mailbox, trash can, rock, puddle, nest, beehive, dog house, cage, sword, shield,
        treasure chest, necklace, shoes, boots, scarf, jacket
        """),
    )
    if thing.split()[-1] not in _HEADS
)
_COLOURS = listed(
    "red, blue, green, yellow, purple, pink, orange, black, white, brown, gray, grey, turquoise, golden, "
    "silver"
)
_MATERIALS = listed(
    "wooden, metal, glass, golden, plastic, furry, striped, dotted, transparent, glowing, broken"
)

_BESIDE = ("next to", "near", "to the left of", "to the right of", "behind", "on")


def _lacked(rng: np.random.Generator) -> str:
    size = f"{pick(rng, pick(rng, tuple(SIZES.values())))} " if rng.random() < 0.2 else ""
    if rng.random() < 0.08:
        return f"{pick(rng, ('some', 'two', 'three', 'many'))} {pick(rng, MANY_THINGS)}"
    colour = f"{pick(rng, _COLOURS)} " if rng.random() < 0.2 else ""
    return with_article(f"{size}{colour}{pick(rng, LACKED)}", "a")


def unknown_text(rng: np.random.Generator, scene: Sequence[SceneObject], speaker: Speaker) -> str:
    """A request for something that the world lacks."""
    chance = rng.random()
    if chance < 0.55 or not scene:
        slots = {"n": _lacked(rng)}
        if rng.random() < 0.5:
            text = in_picture("dog", rng).text
            if scene and rng.random() < 0.5:
                text = f"{pick(rng, _BESIDE)} {speaker.the(pick(rng, scene), 0.0)}"
            return dressed(rng, request(rng, [Clause(ADD_AT_DO, ADD_AT_SAY, slots | {"p": text})]))
        return dressed(rng, request(rng, [Clause(ADD_DO, ADD_SAY, slots)]))
    x = speaker.the(pick(rng, scene))
    if chance < 0.7:
        clause = Clause(RECOLOUR_DO, None, {"x": x, "c": pick(rng, _COLOURS), "o": pick(rng, _COLOURS)})
    elif chance < 0.8:
        clause = Clause(BECOME_DO, None, {"x": x, "t": _lacked(rng)})
    elif chance < 0.86:
        clause = Clause(REMOVE_DO, REMOVE_SAY, {"x": f"the {pick(rng, LACKED)}", "k": pick(rng, LACKED)})
    elif chance < 0.95:
        others = [obj for obj in scene if obj.name not in PEOPLE] or scene
        one, other = pick(rng, others), pick(rng, scene)
        slots = {"x": speaker.the(one, 0.0), "y": speaker.the(other, 0.0), "m": pick(rng, _MATERIALS)}
        clause = Clause(_STRANGE, None, slots)
    else:
        clause = Clause(SCENERY, None, {"x": x})
    return dressed(rng, request(rng, [clause]))


_STRANGE = Grammar("""
    <cut> {x} in half
    <break> {x} [in two|into pieces]*2
    <make> {x} (explode|melt|glow|sing|bounce|spin|burn)*3
    <make> {x} {m}*4
    <make> {x} out of (glass|wood|metal|gold|stone|ice|paper)*2
    <rotate> {x} [by] (90|45|180) degrees*2
    <turn> {x} upside down*2
    <stretch> {x}
    <write> (hello|my name|a word|something) on {x}*2
    <draw> (stripes|dots|a face) on {x}*2
    <paint> {x} with (stripes|dots)
    <give> {x} (wings|wheels|a name|legs|arms)*2
    <fill> {x} with water
    <animate> {x}
    <count> {x}
    <make> {x} and {y} (kiss|fight|hug|dance)*2
    """)


def absent_text(rng: np.random.Generator, scene: Sequence[SceneObject], touched: Sequence[str]) -> str | None:
    """A request about a piece that is not there; None if the drawn word could mean one that is."""
    here = {obj.name for obj in scene}
    absent = [name for name in CODRAW_CLASSES if name not in here]
    if rng.random() < 0.12 and not scene:
        x = pick(rng, ("it", "them", "him", "her", "the other one", "that"))
    elif rng.random() < 0.2:
        words = [word for word, members in GENERAL.items() if word not in PHRASES and not here & set(members)]
        if not words:
            return None
        x = f"the {pick(rng, words)}"
    else:
        x = f"the {pick(rng, NAMES[pick(rng, absent)])}"
        if any(x[4:].split()[-1] in " ".join(NAMES[name]).split() for name in here):
            return None
    chance = rng.random()
    if chance < 0.4:
        clause = Clause(
            REMOVE_DO, REMOVE_SAY if x.startswith("the") else None, {"x": x, "k": x.removeprefix("the ")}
        )
    elif chance < 0.7:
        place = pick(
            rng, ("to the left", "to the right", "up", "down", "a bit to the left", "to the other side")
        )
        clause = Clause(MOVE_DO, MOVE_SAY, {"x": x, "p": place, "i": "it"})
    elif chance < 0.85:
        do, say = pick(rng, ((SMALLER_DO, SMALLER_SAY), (BIGGER_DO, BIGGER_SAY)))
        clause = Clause(do, say, {"x": x})
    else:
        clause = Clause(
            BECOME_DO, None, {"x": x, "t": with_article(pick(rng, NAMES[pick(rng, CODRAW_CLASSES)]), "a")}
        )
    return dressed(rng, request(rng, [clause]))
