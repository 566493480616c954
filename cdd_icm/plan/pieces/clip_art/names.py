"""What people call the pieces of CoDraw's clip art, and how they say what they look like."""

from __future__ import annotations

import numpy as np

from cdd_icm.data.codraw_painter import ANIMALS, FOOD, SKY
from cdd_icm.plan.pieces.clip_art.shapes import EYES, HATS, PEOPLE, TREES
from cdd_icm.plan.shared.speech.grammar import listed, pick, weighted

NAMES = {
    name: weighted(words)
    for name, words in {
        "helicopter": "helicopter*6, chopper*2, copter, heli, whirlybird",
        "hot air balloon": "hot air balloon*7, hot-air balloon, air balloon, hot air baloon, "
        "big balloon with a basket, red and yellow balloon, balloon with a basket, giant balloon, "
        "striped balloon",
        "cloud": "cloud*9, white cloud, grey cloud, fluffy cloud, gray cloud, plain cloud, normal cloud, "
        "regular cloud",
        "sun": "sun*12, sunshine, bright sun, yellow sun, shining sun",
        "lightning cloud": "lightning cloud*4, thundercloud*2, thunder cloud*2, storm cloud*2, stormy cloud, "
        "cloud with lightning, lightning*2, lightning bolt*2, thunderbolt, thunderstorm, bolt of lightning, "
        "thunder, storm, cloud with a lightning bolt, bolt, lightening cloud, flash of lightning",
        "rain cloud": "rain cloud*5, raincloud*2, rainy cloud, cloud with rain, raining cloud, rain*2, "
        "cloud that rains, cloud with raindrops, rain shower",
        "rocket": "rocket*6, rocket ship*2, spaceship, space ship, missile, space rocket, spacecraft, "
        "rocketship, shuttle",
        "airplane": "airplane*5, plane*4, aeroplane*2, aircraft, jet, airliner, air plane, jumbo jet",
        "spring bee": "spring bee, bee*4, bumblebee, bumble bee, bee on a spring, bouncy bee, bee ride, "
        "spring rider, rocking bee, yellow bee, bee on spring, honey bee, bee toy, bee rider, bee spring "
        "toy, "
        "bouncy bee toy, playground bee",
        "slide": "slide*8, playground slide, metal slide, pink slide, kids' slide, children's slide",
        "sandbox": "sandbox*5, sandpit*2, sand box, box of sand, sand pit, sand",
        "grill": "grill*5, barbecue*2, bbq*2, barbecue grill, barbeque, charcoal grill, barbie, bbq grill, "
        "barbecue pit, red grill",
        "swing set": "swing set*3, swings*3, swing*3, swingset, set of swings, pair of swings, swing-set, "
        "playground swings",
        "tent": "tent*8, camping tent, orange tent, camp tent, teepee",
        "table": "table*5, picnic table*3, bench, yellow table, wooden table, picnic bench, desk, "
        "garden table",
        "pine tree": "pine tree*5, pine*2, fir tree*2, fir, christmas tree*2, evergreen, conifer, spruce, "
        "evergreen tree, pinetree, pointy tree, xmas tree, tall dark tree, conifer tree",
        "oak tree": "oak tree*5, oak*2, leafy tree*2, green tree, bushy tree, plain tree, regular tree, "
        "normal tree, maple tree, round tree, tree with a hole, tree with brown trunk",
        "apple tree": "apple tree*7, tree with apples*2, fruit tree, tree with red apples, cherry tree, "
        "tree with fruit",
        "boy": "boy*14, little boy, young boy, lad, guy, Mike*2, kid in blue, boy child, dude, son, fella, "
        "brother, boy in the blue shirt, male child",
        "girl": "girl*14, little girl, young girl, lass, Jenny*2, kid in pink, lady, gal, daughter, sister, "
        "blonde girl, girl in the pink dress, female child, lassie",
        "bear": "bear*8, brown bear, grizzly, grizzly bear, angry bear, scary bear",
        "cat": "cat*7, kitty*2, kitten, orange cat, ginger cat, kitty cat, pussy cat, tabby, ginger kitten",
        "dog": "dog*7, puppy*2, doggy, brown dog, hound, pup, doggie, pooch, mutt, doggo, puppy dog",
        "duck": "duck*7, duckling, blue duck, ducky, drake, duckie, goose, grey duck",
        "owl": "owl*7, brown owl, barn owl, night owl, hoot owl",
        "snake": "snake*7, green snake, serpent, slithering snake, adder, viper, green serpent",
        "baseball cap": "baseball cap*4, cap*4, blue cap, ball cap, blue hat with a star, star hat, "
        "baseball hat*2, blue baseball cap, cap with a star, star cap, sports cap",
        "crown": "crown*8, golden crown, king's crown, tiara, gold crown, queen's crown, princess crown",
        "chef hat": "chef hat*3, chef's hat*3, cook's hat, white hat, chefs hat, cook hat, baker's hat, "
        "chef cap, toque, chef's cap, white chef hat",
        "pirate hat": "pirate hat*4, pirate's hat*2, black hat, skull hat, hat with a skull, pirates hat, "
        "pirate cap, black pirate hat, captain's hat, hat with skull and crossbones",
        "winter hat": "winter hat*3, beanie*3, woolly hat, bobble hat, wool hat, winter cap, knit cap, "
        "warm hat, snow hat, red hat, grey and red hat, knitted hat, stocking cap, toboggan hat, ski hat, "
        "pom pom hat, woolen hat, tuque",
        "propeller hat": "propeller hat*4, beanie with a propeller, rainbow hat*2, propeller beanie*2, "
        "rainbow cap, colorful hat, spinner hat, colourful cap, propeller cap, hat with a propeller, "
        "multicolored hat, helicopter hat, colourful hat, beanie hat with propeller",
        "wizard hat": "wizard hat*3, wizard's hat*2, witch hat*2, magician's hat, blue pointy hat, "
        "pointed hat, magic hat, witch's hat, wizards hat, pointy hat, purple hat, magician hat, "
        "sorcerer's hat, witches hat",
        "viking hat": "viking hat*3, viking helmet*4, viking's helmet, helmet with horns, horned helmet*2, "
        "hat with horns, horned hat, helmet, horns hat, vikings hat, horn hat",
        "g"
        "lasses": "glasses*8, purple glasses, spectacles*2, eyeglasses, reading glasses, specs, eye glasses, "
        "pair of glasses, round glasses",
        "sunglasses": "sunglasses*7, shades*2, dark glasses, sun glasses, black glasses, sunnies, "
        "pair of sunglasses, pair of shades, black sunglasses",
        "pie": "pie*8, cherry pie, fruit pie, apple pie, berry pie, pastry, tart, baked pie",
        "pizza": "pizza*8, pizza pie, whole pizza, cheese pizza, pepperoni pizza",
        "hot dog": "hot dog*5, hotdog*4, sausage in a bun, frankfurter, sausage, hot-dog, wiener, "
        "hot dog with mustard",
        "ketchup": "ketchup*4, ketchup bottle*2, bottle of ketchup*2, red bottle, catsup, tomato sauce, "
        "red sauce, tomato ketchup, red ketchup bottle",
        "mustard": "mustard*4, mustard bottle*2, bottle of mustard*2, yellow bottle, yellow sauce, "
        "yellow mustard, yellow mustard bottle",
        "burger": "burger*4, hamburger*4, cheeseburger*2, beef burger, ham burger, cheese burger",
        "soda": "soda*4, drink*2, cup of soda, soft drink, coke, cola, cup, paper cup, beverage, pop, "
        "soda cup, red cup, cup with a straw, lemonade, fizzy drink, coca cola, pepsi, juice, soda pop, "
        "drink with a straw, milkshake, cold drink",
        "baseball": "baseball*7, base ball, small white ball, white ball with red stitches, white baseball",
        "bucket": "bucket*5, pail*3, pink bucket, bucket of sand, sand bucket, red bucket, pink pail, "
        "pail of sand, sand pail, beach bucket",
        "beach ball": "beach ball*7, beachball*2, colorful ball, colourful ball, rainbow ball, striped ball, "
        "multicolored ball, inflatable ball, big colorful ball, multi-coloured ball, beach-ball",
        "basketball": "basketball*7, basket ball*2, orange ball, basket-ball",
        "soccer ball": "soccer ball*6, soccerball, black and white ball, football with black spots, "
        "soccer, white and black ball, footie ball",
        "tennis ball": "tennis ball*6, green ball, little green ball, yellow ball, tennisball, "
        "small yellow ball",
        "football": "football*6, american football, brown football, rugby ball*2, foot ball, rugby football, "
        "brown ball, pigskin",
        "frisbee": "frisbee*6, flying disc, orange frisbee, disc, frisby, flying disk, disk",
        "baseball bat": "baseball bat*4, bat*4, wooden bat, ball bat, base ball bat, cricket bat",
        "balloons": "balloons*6, bunch of balloons*2, three balloons, party balloons, colorful balloons, "
        "some balloons, bundle of balloons, colourful balloons, birthday balloons, coloured balloons, "
        "balloons on strings",
        "baseball "
        "glove": "baseball glove*3, glove*3, baseball mitt*2, mitt*2, catcher's mitt, catchers mitt, "
        "leather glove, brown glove, catcher's glove, base ball glove",
        "shovel": "shovel*5, spade*2, toy shovel, pink shovel, red shovel, sand shovel, little spade, "
        "toy spade, plastic shovel, beach shovel, scoop",
        "tennis racket": "tennis racket*4, racket*3, racquet, tennis racquet*2, tennis raquet, tennis bat",
        "kite": "kite*9, colorful kite, flying kite, colourful kite, kite with a tail, toy kite",
        "campfire": "campfire*4, fire*4, camp fire*2, bonfire*2, fire pit, flames, burning logs, log fire, "
        "camping fire, firewood, blaze, fireplace",
    }.items()
}
BARE = frozenset(("Mike", "Jenny"))
"""Names that take no article."""
_PLURAL = frozenset(
    listed("glasses, sunglasses, balloons, swings, shades, specs, spectacles, eyeglasses, flames, logs, "
           "sunnies, wheels")
)  # fmt: skip
_MASS = frozenset(
    listed("ketchup, mustard, soda, pizza, lemonade, lightning, sunshine, rain, fire, thunder, juice, pepsi, "
           "cola, coke, catsup, sauce, sand, firewood, soccer, pop, pie, food, weather, equipment, eyewear, "
           "furniture, stuff, mustard, gear, headwear, headgear, wildlife, fruit, playground equipment")
)  # fmt: skip
_ONLY_MASS = _MASS - frozenset(
    listed("soda, pizza, lemonade, pop, pie, fire, juice, pepsi, cola, coke, sauce")
)

BALLS = ("beach ball", "basketball", "soccer ball", "tennis ball", "football", "baseball")
MEALS = ("pie", "pizza", "hot dog", "burger")
CLOUDS = ("cloud", "rain cloud", "lightning cloud")
PLAYGROUND = ("slide", "swing set", "spring bee", "sandbox")
FLYING = ("helicopter", "airplane", "rocket", "hot air balloon")
TOYS = ("bucket", "beach ball", "frisbee", "shovel", "kite", "balloons", "soccer ball", "spring bee")
SPORTS = (
    "baseball bat", "tennis racket", "baseball glove", "soccer ball", "basketball", "football", "baseball",
    "tennis ball", "frisbee",
)  # fmt: skip


def _general(*groups: tuple[tuple[str, ...], str]) -> dict[str, tuple[str, ...]]:
    return {word: members for members, words in groups for word in listed(words)}


GENERAL = _general(
    (HATS, "hat, hat, something for the head, headgear, something to wear on the head, head covering"),
    (TREES, "tree, kind of tree"),
    (BALLS, "ball, kind of ball"),
    (ANIMALS, "animal, critter, creature, beast, kind of animal"),
    (("dog", "cat"), "pet, furry friend, house pet"),
    (("duck", "owl"), "bird, feathered friend"),
    (PEOPLE, "person, kid, child, human, someone, somebody, youngster, kiddo, human being, little person"),
    (CLOUDS, "kind of cloud"),
    (MEALS, "something to eat, some food, snack, meal, something tasty, some lunch, something yummy, food, "
            "bite to eat, something edible, some dinner, junk food, fast food"),
    (("soda",), "something to drink, refreshment"),
    (("ketchup", "mustard"), "sauce, condiment, bottle of sauce, something for the hot dog"),
    (TOYS, "toy, something to play with, plaything, kids' toy"),
    (PLAYGROUND, "something to play on, playground equipment, piece of playground equipment, "
                 "something for the playground, playground thing, thing to play on"),
    (FLYING, "something that flies, flying machine, vehicle, thing that flies, something flying, "
             "flying vehicle, something to fly in"),
    (("table",), "piece of furniture, some furniture"),
    (EYES, "eyewear, something for the eyes"),
    (SPORTS, "sports thing, something sporty, piece of sports equipment, sports equipment"),
    (("sun", *CLOUDS), "weather, some weather"),
)  # fmt: skip
"""General words, and the classes that fit."""
PHRASES = frozenset(
    word for word in GENERAL if word.split()[0] in ("something", "some", "someone", "somebody")
)
"""Those that take no article."""
VAGUE = PHRASES | frozenset(listed(
    "headgear, food, weather, eyewear, playground equipment, sports equipment, junk food, fast food, "
    "refreshment, bite to eat, kind of tree, kind of ball, kind of animal, kind of cloud, meal, "
    "feathered friend, furry friend, piece of furniture, human being, little person, head covering"
))  # fmt: skip
"""Those that point at no piece that is there."""
MANY = _general(
    (HATS, "hats, hats"),
    (TREES, "trees"),
    (BALLS, "balls, balls"),
    (ANIMALS, "animals, animals, creatures"),
    (PEOPLE, "people, kids, children, children, boy and girl, two kids"),
    (CLOUDS, "clouds"),
    (FOOD, "food"),
    (MEALS, "snacks"),
    (TOYS, "toys"),
    (PLAYGROUND, "playground things"),
    (FLYING, "flying machines, aircraft, vehicles"),
    (SKY, "things in the sky, things in the air"),
    (EYES, "glasses and sunglasses"),
)
"""Words for several, and the classes that fit."""
NUMBERS = {
    2: weighted("two*6, 2*2, a couple of*2, a pair of, some*2"),
    3: weighted("three*5, 3*2, a few*2, several"),
    4: weighted("four, 4"),
}

SIZES = {
    "0": weighted(
        "big*6, large*5, huge*2, giant, close, large sized, very big, largest, biggest, really big, "
        "enormous, gigantic, big sized, close up, massive, extra large, very large, full size"
    ),
    "1": weighted(
        "medium*5, medium sized*3, medium-sized*2, mid-sized, average, average sized, mid size, medium size, "
        "normal sized, middle sized, regular sized"
    ),
    "2": weighted(
        "small*7, little*3, tiny*3, small sized, very small, mini, smallest, really small, far away, teeny, "
        "wee, teensy, distant, tiny little, miniature, smallish, very tiny"
    ),
}
FACES = {
    "0": weighted(
        "angry*6, mad*4, cross, furious, grumpy, annoyed, very angry, angry looking, scowling, mean looking, "
        "irritated, pissed off"
    ),
    "1": weighted(
        "laughing*5, very happy*3, grinning*3, excited*2, overjoyed, cheerful, joyful, really happy, "
        "super happy, thrilled, ecstatic, delighted, big smiling"
    ),
    "2": weighted("happy*6, smiling*6, glad, pleased, content, smiley, friendly, slightly smiling"),
    "3": weighted(
        "sad*7, unhappy*3, frowning*3, gloomy, miserable, disappointed, upset, sad looking, crying, tearful"
    ),
    "4": weighted(
        "surprised*6, shocked*3, scared*4, afraid, frightened, amazed, worried, astonished, startled, "
        "terrified, fearful, stunned, surprised looking"
    ),
}
POSES = {
    "0": weighted(
        "standing with arms out*2, reaching out*2, standing with both arms forward, holding the arms out, "
        "with arms in front, with arms stretched out, with both arms out in front, reaching forward, "
        "with hands out, pointing forward, holding out both hands, with arms out*2, standing"
    ),
    "1": weighted(
        "with arms up*3, with hands in the air*2, with both arms raised, with hands up*3, cheering, "
        "arms up*3, jumping for joy, hands up, with both hands up, raising both arms, with arms in the "
        "air*2, "
        "with both arms up, celebrating, hands in air"
    ),
    "2": weighted(
        "kicking*6, with one leg up*2, with a leg out, with one leg kicked out, kicking a ball, leg out, "
        "kicking something, with one leg in the air, doing a kick, with a leg raised"
    ),
    "3": weighted("running*8, jogging, in running position, running pose, on the run, skipping, "
                  "who is running"),
    "4": weighted(
        "sitting cross legged*3, sitting with legs crossed*2, sitting cross-legged*2, sitting indian "
        "style*2, "
        "with legs crossed, cross legged, sitting criss cross, meditating, kneeling, on the knees"
    ),
    "5": weighted(
        "sitting with legs out*3, sitting with knees up, sitting on the ground, sitting with feet out, "
        "sitting with legs stretched out*2, lounging, leaning back, sitting with legs straight out, "
        "sitting*2, "
        "sitting down, seated"
    ),
    "6": weighted(
        "waving*7, with one arm up*3, with one hand up*2, with an arm raised, greeting, waving hello, "
        "with one arm raised, with one hand in the air, waving a hand, raising one hand, one arm up"
    ),
}  # fmt: skip

VOCABULARY = frozenset(
    word.lower()
    for options in (
        *NAMES.values(),
        *SIZES.values(),
        *FACES.values(),
        *POSES.values(),
        tuple(GENERAL),
        tuple(MANY),
    )
    for option in options
    for word in option.replace("-", " ").replace("'s", "").split()
) | frozenset(
    listed("sky, ground, grass, head, hand, feet, foot, tip, ton, toad, bare, beer, pear, pin, cot, hit, "
           "bow, hut, hot, had, has, his, her, him, she, bay, toy, joy, bot, but, buy, bog, dig, doe, fog, "
           "cut, coat, cart, mat, rat, bat, fat, eat, sat, fan, run, gun, fun, pan, son, sin, sub, tail, "
           "face, fare, fir, fur, far, lake, like, kit, bike, bite, slid, side, tide, wide, glide, ball, "
           "bell, bull, bill, gill, girls, drill, boys, cow, crow, crowd, cloud, loud, clown, brown, owl, "
           "howl, bowl, soil, snack, snare, duck, dock, deck, luck, pail, mail, nail, pale, pie, lie, die, "
           "tie, pig, cape, cup, cab, can, lap, tap, nap, map, tens, text, test, rent, bent, went, sent, "
           "cable, tablet, fable, bees, beet, beef, bears, pears, rail, train, grain, pain, rains, raid, "
           "plan, plant, place, planet, plain, lane, plate, mile, smile, bag, big, cry, dry, fry, angry")
)  # fmt: skip
"""Words that no typing error may make of another."""


def is_plural(words: str) -> bool:
    """Whether the noun phrase is in the plural: "some glasses are"."""
    head = words.split(" with ")[0].split(" of ")[0].split(" on ")[0]
    return head.split()[-1] in _PLURAL


def with_article(words: str, article: str, rng: np.random.Generator) -> str:
    """The noun phrase with the article "a", "the" or "" before it, or another that it takes instead."""
    first = words.split()[0]
    if words in BARE or words in PHRASES or first in ("some", "three"):
        return words.removeprefix("some ") if article == "the" and words not in PHRASES else words
    if article != "a":
        return f"{article} {words}".strip()
    if first in ("biggest", "largest", "smallest"):
        return f"the {words}"
    last = words.split(" with ")[0].split(" in ")[0].split()[-1]
    if is_plural(words):
        return pick(rng, ("some {}", "{}", "a pair of {}") if last in _EYEWEAR else ("some {}", "{}")).format(
            words
        )
    if last in _ONLY_MASS and " of " not in words:
        return pick(rng, ("some {}", "{}", "some {}")).format(words)
    if last in _MASS and " of " not in words and rng.random() < 0.3:
        return f"some {words}"
    return f"an {words}" if words[0].lower() in "aeiou" else f"a {words}"


_EYEWEAR = frozenset(listed("glasses, sunglasses, shades, specs, spectacles, eyeglasses, sunnies"))
