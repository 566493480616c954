"""Requests that the world of blocks cannot show: for what it lacks, or for blocks that are not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cdd_icm.plan.edits.blocks import additions, alterations, movements
from cdd_icm.plan.edits.blocks.grammar import Grammar, listed, pick
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
from cdd_icm.plan.edits.blocks.speech import Clause
from cdd_icm.plan.edits.blocks.wording import dressed, request
from cdd_icm.plan.edits.blocks.words import COLOUR_WORDS, SHAPE_WORDS, noun_phrase, with_article

THINGS = listed("""
    dog, cat, horse, cow, sheep, pig, bird, duck, fish, shark, whale, dolphin, elephant, lion, tiger, bear,
    rabbit, mouse,
    monkey, snake, frog, turtle, spider, bee, butterfly, dragon, unicorn, dinosaur, chicken, goose, owl,
    eagle, penguin, fox,
    wolf, deer, giraffe, zebra, camel, donkey, goat, hamster, kitten, puppy, squirrel, hedgehog, parrot,
    octopus, crab, snail,
    man, woman, boy, girl, child, baby, person, king, queen, princess, soldier, teacher, doctor, clown,
    robot, alien, ghost,
    monster, pirate, wizard, witch, knight, snowman, angel, farmer, policeman, astronaut, dancer, superhero,
    tree, flower, rose, bush, plant, leaf, mushroom, cactus, palm tree, grass, hedge, forest, garden,
    sunflower, tulip, oak,
    sun, moon, star, cloud, rainbow, mountain, hill, river, lake, sea, beach, island, volcano, waterfall,
    desert, sky, snowflake,
    planet, comet, lightning bolt, puddle, rock, stone, cave, road, path, bridge, field,
    house, castle, tower, church, school, shop, barn, tent, hut, skyscraper, windmill, lighthouse, fence,
    wall, door, window,
    roof, chimney, garage, temple, pyramid, igloo, stairs, ladder, swing, slide, sandbox, playground,
    car, truck, bus, train, bicycle, bike, motorbike, boat, ship, plane, airplane, helicopter, rocket,
    tractor, van, taxi, tank,
    submarine, balloon, kite, skateboard, scooter, wagon, spaceship, ambulance, fire engine, canoe,
    sailing boat,
    chair, table, sofa, bed, desk, lamp, shelf, mirror, clock, carpet, curtain, cupboard, stool, bench,
    wardrobe, pillow,
    blanket, candle, vase, picture frame, bathtub, sink, toilet, fridge, oven, stove, armchair,
    cup, mug, plate, bowl, spoon, fork, knife, bottle, glass, teapot, kettle, pan, pot, basket, bag,
    bucket, bucket of water,
    apple, banana, pear, strawberry, carrot, pizza, cake, sandwich, burger, hamburger, hot dog, ice cream,
    cookie, loaf of bread,
    egg, cheese, pie, muffin, donut, doughnut, candy, lollipop, watermelon, pineapple, grapes, salad, soup,
    sausage, pancake,
    hat, cap, crown, shoe, boot, shirt, dress, coat, scarf, glove, sock, tie, belt, glasses, umbrella,
    watch, necklace, backpack,
    wallet, jacket, helmet, sunglasses,
    phone, computer, laptop, keyboard, television, TV, camera, radio, printer, screen, tablet, battery,
    microphone, headphones,
    guitar, piano, violin, trumpet, flute, harp, banjo,
    book, pen, pencil, paper, newspaper, letter, envelope, map, flag, sign, scissors, ruler, notebook,
    poster, painting, stamp,
    hammer, saw, screwdriver, nail, axe, shovel, rake, broom, key, lock, rope, chain, net, anchor, wheel,
    gear, spring,
    sword, shield, bow, arrow, gun, cannon, bomb, spear, treasure chest, coin, diamond, ring, gift,
    present, teddy bear, doll,
    puppet, kite, balloon, trophy, medal, bell, whistle, campfire, fire, smoke, shadow, hole, word, number,
    line, dot, cross,
    heart, smiley, face, hand, foot, eye, nose, mouth, ear, tail, wing, feather, bone, skull, tooth, brain,
    skeleton, tyre
""")  # fmt: skip
"""Nouns for what the world does not have."""
MANY_THINGS = listed("""
    dogs, cats, trees, flowers, birds, people, clouds, stars, cars, houses, apples, fish, children,
    butterflies, mountains, books, balloons, snowflakes, water, snow, rain, sunshine, music, text, fog,
    light, sand, stars and stripes
""")
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

ACTS = Grammar("""
    (<rotate>|<spin>|<turn>) {x} [by] [(45|90|30|180) degrees|around|upside down]*4
    <rotate> {x} (a bit|clockwise|slightly|by ninety degrees)*2
    <flip> {x} [over]*2
    <tilt> {x} [a bit]
    <tip> {x} over*2
    <stack> {x} on (top of |){y}*4
    <put> {x} on top of {y}*6
    <put> {x} (inside|into|in|under|underneath|above|over|on) {y}*5
    <place> {x} (on top of|above|inside|underneath) {y}*3
    <hang> {x} from the ceiling
    <balance> {x} on {y}
    <lift> {x} [up] [in the air]*2
    <make> {x} (float|fly|jump|bounce|dance|glow|sing|explode|blink|roll|spin|fall over|talk|smile|laugh|\
        swim)*4
    <make> {x} {m}*6
    <make> {x} (out of|of|from) (glass|wood|metal|gold|stone|ice|paper|plastic|steel|rubber duck)*3
    <break> {x} [in two|into pieces|in half]*2
    <cut> {x} in half*2
    <split> {x} (in two|in half)
    <open> {x}*2
    <close> {x}
    <fill> {x} with (water|sand|sweets|air)
    <attach> {x} to {y}
    <glue> {x} (and|to) {y} [together]
    <connect> {x} (to|with|and) {y} [with a line]
    <melt> {x}
    <burn> {x}
    <eat> {x}
    <kick> {x}
    <throw> {x} at {y}
    <roll> {x} (down the hill|around)
    <squeeze> {x}
    <stretch> {x}*2
    <bend> {x}
    <flatten> {x}*2
    <blur> {x}
    <make> {x} (taller|wider|thinner|longer|shorter|flatter|thicker|heavier|lighter|softer|darker|\
        brighter|see-through)*5
    <draw> a (face|smile|line|circle|flag|pattern) on {x}*3
    <write> (hello|my name|a word|something|a number) on {x}*3
    <put> a (hat|lid|sticker|ribbon|bow|flower|face|roof) on {x}*3
    <wrap> {x} (up|in paper)
    <count> {x}
    <name> {x} (Bob|Peter|Susan)
    <hide> {y} (inside|under) {x}
    <wash> {x}
    <polish> {x}
    <animate> {x}*2
    <paint> (stripes|dots|flowers|a face) on {x}*2
    <give> {x} (a face|legs|arms|eyes|stripes|dots|a hat|wings|wheels|a shadow|a name|a smile|texture)*4
    <dress> {x} up
    <shoot> {x}
    <make> {x} and {y} (kiss|fight|hug|dance|collide|touch)
    """)
SCENERY = Grammar("""
    <change> the background [(colour|color)] to (white|blue|black|green|a beach|a forest|the sky|pink|\
        something else)*4
    <make> the (background|floor|ground|sky|picture|wall|scene) (blue|green|darker|brighter|white|black|\
        red|bigger|night|prettier|blurry|3D|shinier)*4
    <turn> (on|off) the light[s]*2
    <make> it (night|dark|rain|snow|sunny|winter|summer|a sunny day|foggy|brighter|darker)*3
    <zoom> (in|out)*3
    <zoom> (in|out) on {x}*2
    <rotate> the (camera|picture|scene|image|view)*2
    <move> the camera (closer|to the left|up|back|down)*3
    <change> the (view|lighting|perspective|angle|camera|style|floor|texture|light)*2
    <show> (it|me|us|the scene) from (above|behind|the side|another angle|the back)*2
    <add> (a shadow|shadows|some light|a floor|a frame|a border|a title|text|a caption|sound|music|\
        a filter|fog|a background|grass|a horizon)*4
    <write> (hello|my name|some text|happy birthday|a title) (above|below|in the corner|in the sky|)*2
    <save> (the picture|it|this|the image) [as a (png|file|pdf)]*2
    <print> (the picture|it|this)
    <make> (it|the picture|the image) black and white*2
    <crop> the (picture|image)
    <play> (a song|some music|a video)
    <tell> me (a joke|a story|the time|about yourself|what you see)*3
    <blur> the background
    <remove> the (background|floor|shadow|shadows|light|sky|wall|camera)*3
    <turn> the (picture|image) (upside down|around|into a painting|into a photo)*2
    <send> (it|the picture) to (me|my mother|my friend)
    <describe> the (picture|scene)
    <make> a (video|movie|photo|song) [of it]
    <count> the (cubes|balls|objects|cylinders)
    """)
LACK_SAY = Grammar("""
    {x} should be {m}*4
    I want {x} [to be] {m}*2
    can {x} be {m}?
    {x} (on top of|inside|under|above) {y}*2
    {x} should (stand|be|sit) (on top of|inside|above|under) {y}*3
    {x} (looks|is) (better|nicer) {m}
    """)  # fmt: skip


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
