"""What people call colours, shapes and sizes, and the noun phrases made of them."""

from __future__ import annotations

import numpy as np

from cdd_icm.plan.shared.speech.grammar import Grammar, pick, weighted

COLOUR_WORDS = {
    "blue": weighted(
        "blue*16, navy, navy blue, azure, cobalt, cobalt blue, sapphire, royal blue, dark blue, deep "
        "blue, ultramarine, ocean blue, bluish, midnight blue, pure blue, "
        "bright blue, medium blue, vivid blue, strong blue"
    ),
    "brown": weighted(
        "brown*16, chocolate, chestnut, coffee-coloured, mahogany, chocolate brown, dark brown, light "
        "brown, brownish, coffee brown, wood-brown, chocolate-colored, hazel, earthy brown, "
        "deep brown, medium brown, brown-ish"
    ),
    "cyan": weighted(
        "cyan*12, turquoise*5, teal*4, aqua*3, light blue*3, sky blue*2, aquamarine, baby blue, pale "
        "blue, sky-blue, light-blue, greenish blue, blue-green, cyan blue, lightblue, ice blue, "
        "cyan-coloured, "
        "bright cyan, dark turquoise, light turquoise, bright turquoise, dark teal, cyan-ish, light cyan"
    ),
    "gray": weighted(
        "gray*9, grey*9, silver*2, ash gray, slate, silvery, dark gray, light grey, steel gray, stone "
        "grey, greyish, grayish, dark grey, light gray, slate grey, ash-grey, mouse grey, concrete "
        "gray, charcoal, "
        "medium grey, plain gray"
    ),
    "green": weighted(
        "green*16, lime, emerald, lime green, forest green, dark green, olive, jade, grass green, "
        "light green, greenish, emerald green, leaf green, olive green, mint green, moss green, "
        "bright green, deep green, vivid green, green-ish"
    ),
    "purple": weighted(
        "purple*11, violet*4, lilac*2, mauve, plum, lavender, magenta*2, amethyst, dark purple, "
        "purplish, light purple, bright purple, plum-coloured, aubergine, grape-coloured, "
        "violet-coloured, "
        "deep purple, vivid purple, purple-ish, dark violet"
    ),
    "red": weighted(
        "red*16, crimson, scarlet, ruby, cherry red, dark red, blood red, bright red, vermilion, "
        "tomato red, reddish, deep red, ruby red, fire-engine red, cherry, blood-red, "
        "vivid red, strong red, red-ish"
    ),
    "yellow": weighted(
        "yellow*16, golden, gold, lemon, lemon yellow, mustard, canary yellow, bright yellow, "
        "yellowish, golden yellow, light yellow, sun-yellow, mustard yellow, pale yellow, "
        "lemon-coloured, "
        "deep yellow, vivid yellow, yellow-ish"
    ),
}
SHAPE_WORDS = {
    "cube": weighted(
        "cube*12, block*5, box*6, brick*2, dice, die, square, square block, crate, cuboid, square "
        "box, building block, toy block, square brick, hexahedron, cubic block, cube "
        "shape, cubic box, "
        "cubic thing, square thing, box shape, block shape"
    ),
    "sphere": weighted(
        "sphere*11, ball*11, orb*3, globe*2, marble*2, bead, circle, round ball, spherical ball, "
        "pearl, sphere shape, round shape, toy ball, ball shape, round sphere, "
        "bowling ball, round thing, ball thing"
    ),
    "cylinder": weighted(
        "cylinder*13, tube*4, can*3, drum*2, barrel*2, column, pillar, pipe, tin, canister, disc, "
        "disk, tin can, keg, cylinder shape, round column, round tin, soda can, round pillar, roll, "
        "pole, roller, cylindrical thing, tube thing, jar"
    ),
}
SHAPE_ADJECTIVES = {
    "cube": weighted("cubic*2, square*3, boxy, cube-shaped*2, cubical, box-shaped, block-like, box-like"),
    "sphere": weighted(
        "round*4, spherical*2, ball-shaped*2, sphere-shaped, ball-like, globe-shaped, globular"
    ),
    "cylinder": weighted(
        "cylindrical*3, tubular, tube-shaped*2, cylinder-shaped*2, can-shaped, barrel-shaped"
    ),
}
SIZE_WORDS = {
    "small": weighted(
        "small*14, little*5, tiny*5, mini*2, miniature, very small, wee, teeny, small-sized, "
        "smallish, really small, teeny tiny, tiny little, minute, half-size, undersized, smaller*2, "
        "compact"
    ),
    "large": weighted(
        "large*9, big*12, huge*2, giant, full-size, large-sized, great big, very big, massive, "
        "enormous, bigger, larger, really big, good-sized, sizeable, full-sized, big old"
    ),
}
GENERIC = weighted(
    "thing*4, object*4, item*2, piece, shape*2, solid, element, figure, body, geometric object"
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")

_ODD_PLURALS = {"dice": "dice", "die": "dice", "body": "bodies"}

_FLOURISH = weighted(
    "nice, plain, simple, single, solid, pretty, lovely, normal, regular, matte, new, beautiful, cute"
)

AFTER = Grammar("""
    in {c}*3
    that is {c}*2
    that's {c}*2
    which is {c}*2
    of {c} (colour|color)
    of the (colour|color) {c}
    , {c} [please]
    coloured {c}
    colored {c}
    painted {c}
    (with|of) a {c} (colour|color)
    """)
"""A colour said after the noun."""


def plural(noun: str) -> str:
    """The plural of one of this world's nouns."""
    return _ODD_PLURALS.get(noun, f"{noun}es" if noun.endswith("box") else f"{noun}s")


def with_article(words: str) -> str:
    """`words` after "a" or "an"."""
    vowel = words[:1] in "aeio" or words.startswith(("ultram", "under"))
    return f"an {words}" if vowel and not words.startswith("one") else f"a {words}"


def noun(rng: np.random.Generator, shape: str | None, number: int = 1, one: float = 0.0) -> tuple[str, str]:
    """A noun for a shape, or for any, and the adjective that says the shape where the noun does not; `one` is
    how likely "one" is the noun that says no shape."""
    adjective = ""
    if shape and rng.random() < 0.93:
        word = pick(rng, SHAPE_WORDS[shape])
    else:
        if shape:
            adjective = pick(rng, SHAPE_ADJECTIVES[shape])
        word = "one" if rng.random() < one else pick(rng, GENERIC)
    return (word if number == 1 else plural(word)), adjective


def noun_phrase(
    rng: np.random.Generator,
    article: str,
    colour: str | None,
    shape: str | None,
    size: str | None,
    number: int = 1,
    plain: bool = False,
) -> str:
    """Words for `number` objects of which the attributes that are not None are said; the article "a" is
    fitted to the word that follows. A `plain` phrase ends in its noun."""
    definite = article not in ("a", "another", "one more")
    head, adjective = noun(rng, shape, number, 0.75 if definite and (colour or size) else 0.15)
    before = []
    said = pick(rng, COLOUR_WORDS[colour]) if colour else ""
    if size and article == "the" and rng.random() < 0.12:
        before.append("smallest" if size == "small" else pick(rng, ("biggest", "largest")))
    elif size:
        before.append(pick(rng, SIZE_WORDS[size]))
    elif not definite and rng.random() < 0.04:
        before.append(pick(rng, _FLOURISH))
    if adjective:
        before.append(adjective)
    after = ""
    if said and not plain and rng.random() < 0.1 and (shape or not definite):
        after = AFTER(rng, {"c": said})
    elif said:
        if rng.random() < 0.02 and "colo" not in said:
            said += pick(rng, ("-coloured", "-colored", " coloured", " colored"))
        before.insert(len(before) if rng.random() < 0.95 else 0, said)
        if len(before) > 1 and rng.random() < 0.06:
            before[0] += ","
    if not shape and not definite and number == 1 and before and rng.random() < 0.3:
        return f"something {' '.join(before)} {after}".strip()
    phrase = " ".join((*before, head, after)).strip()
    if article == "a":
        return with_article(phrase)
    return f"{article} {phrase}".strip()


VOCABULARY = frozenset(
    word
    for table in (COLOUR_WORDS, SHAPE_WORDS, SHAPE_ADJECTIVES, SIZE_WORDS)
    for words in table.values()
    for text in words
    for word in (text, f"{text}s")
) | {*GENERIC, *NUMBERS}
"""Words that say what an object is; no slip of the pen may make one of them of another."""
