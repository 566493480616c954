"""What people call the pieces of CoDraw's clip art, and how they say what they look like."""

from cdd_icm.data.codraw_painter import ANIMALS, CLOTHES, FOOD, SKY
from cdd_icm.plan.shared.speech.grammar import listed, weighted

NAMES = {
    name: weighted(words)
    for name, words in {
        "helicopter": "helicopter*5, chopper, copter, heli",
        "hot air balloon": "hot air balloon*6, hot-air balloon, air balloon, big balloon with a basket",
        "cloud": "cloud*8, white cloud, grey cloud, fluffy cloud",
        "sun": "sun*9, sunshine, bright sun",
        "lightning cloud": "lightning cloud*4, thundercloud, thunder cloud, storm cloud, stormy cloud, "
        "cloud with lightning, lightning, lightning bolt, thunderbolt, thunderstorm",
        "rain cloud": "rain cloud*5, raincloud, rainy cloud, cloud with rain, raining cloud, rain",
        "rocket": "rocket*5, rocket ship, spaceship, space ship, missile, space rocket",
        "airplane": "airplane*4, plane*3, aeroplane, aircraft, jet, airliner",
        "spring bee": "spring bee, bee*3, bumblebee, bumble bee, bee on a spring, bouncy bee, bee ride, "
        "spring rider, rocking bee, yellow bee",
        "slide": "slide*5, playground slide, metal slide",
        "sandbox": "sandbox*5, sandpit, sand box, box of sand, sand pit",
        "grill": "grill*4, barbecue*2, bbq, barbecue grill, barbeque",
        "swing set": "swing set*3, swings*2, swing*2, swingset, set of swings, pair of swings",
        "tent": "tent*6, camping tent",
        "table": "table*4, picnic table*2, bench, yellow table, wooden table",
        "pine tree": "pine tree*4, pine, fir tree, fir, christmas tree, evergreen, conifer, spruce",
        "oak tree": "oak tree*4, oak, leafy tree, green tree, bushy tree, plain tree",
        "apple tree": "apple tree*5, tree with apples, fruit tree, tree with red apples",
        "boy": "boy*9, little boy, young boy, lad, guy, Mike, kid in blue",
        "girl": "girl*9, little girl, young girl, lass, Jenny, kid in pink",
        "bear": "bear*6, brown bear, grizzly, grizzly bear",
        "cat": "cat*5, kitty, kitten, orange cat, ginger cat",
        "dog": "dog*5, puppy, doggy, brown dog, hound, pup, doggie",
        "duck": "duck*5, duckling, blue duck, ducky, drake",
        "owl": "owl*5, brown owl, barn owl",
        "snake": "snake*5, green snake, serpent",
        "baseball cap": "baseball cap*3, cap*2, blue cap, ball cap, blue hat with a star, star hat, "
        "baseball hat",
        "crown": "crown*6, golden crown, king's crown, tiara, gold crown",
        "chef hat": "chef hat*3, chef's hat*2, cook's hat, white hat, chefs hat, cook hat, baker's hat",
        "pirate hat": "pirate hat*4, pirate's hat, black hat, skull hat, hat with a skull, pirates hat",
        "winter hat": "winter hat*2, beanie*2, woolly hat, bobble hat, wool hat, winter cap, knit cap, "
        "warm hat, snow hat, red hat, grey and red hat",
        "propeller hat": "propeller hat*3, beanie with a propeller, rainbow hat, propeller beanie, "
        "rainbow cap, colorful hat, spinner hat, colourful cap, propeller cap",
        "wizard hat": "wizard hat*3, wizard's hat*2, witch hat, magician's hat, blue pointy hat, "
        "pointed hat, magic hat, witch's hat",
        "viking hat": "viking hat*3, viking helmet*3, viking's helmet, helmet with horns, horned helmet, "
        "hat with horns, horned hat",
        "glasses": "glasses*5, purple glasses, spectacles, eyeglasses, reading glasses, specs",
        "sunglasses": "sunglasses*5, shades, dark glasses, sun glasses, black glasses",
        "pie": "pie*6, cherry pie, fruit pie, apple pie",
        "pizza": "pizza*6, pizza pie, whole pizza",
        "hot dog": "hot dog*4, hotdog*2, sausage in a bun, frankfurter",
        "ketchup": "ketchup*3, ketchup bottle*2, bottle of ketchup*2, red bottle, catsup, tomato sauce, "
        "red sauce",
        "mustard": "mustard*3, mustard bottle*2, bottle of mustard*2, yellow bottle, yellow sauce",
        "burger": "burger*3, hamburger*3, cheeseburger",
        "soda": "soda*3, drink*2, cup of soda, soft drink, coke, cola, cup, paper cup, beverage, pop, "
        "soda cup, red cup, cup with a straw, lemonade",
        "baseball": "baseball*5, base ball, small white ball",
        "bucket": "bucket*4, pail*2, pink bucket, bucket of sand, sand bucket, red bucket, pink pail",
        "beach ball": "beach ball*5, beachball, colorful ball, colourful ball, rainbow ball, striped ball, "
        "multicolored ball",
        "basketball": "basketball*5, basket ball, orange ball",
        "soccer ball": "soccer ball*4, soccerball, black and white ball, football with black spots",
        "tennis ball": "tennis ball*5, green ball, little green ball, yellow ball",
        "football": "football*4, american football, brown football, rugby ball, foot ball",
        "frisbee": "frisbee*4, flying disc, orange frisbee, disc, frisby",
        "baseball bat": "baseball bat*3, bat*3, wooden bat, ball bat",
        "balloons": "balloons*5, bunch of balloons, three balloons, party balloons, colorful balloons, "
        "some balloons",
        "baseball glove": "baseball glove*3, glove*2, baseball mitt, mitt, catcher's mitt, catchers mitt, "
        "leather glove, brown glove",
        "shovel": "shovel*4, spade, toy shovel, pink shovel, red shovel, sand shovel, little spade",
        "tennis racket": "tennis racket*3, racket*2, racquet, tennis racquet, tennis raquet",
        "kite": "kite*6, colorful kite, flying kite",
        "campfire": "campfire*3, fire*2, camp fire, bonfire, fire pit, flames, burning logs, log fire",
    }.items()
}
PLURAL = frozenset(("glasses", "sunglasses", "balloons"))
MASS = frozenset(("ketchup", "mustard", "soda", "pizza", "lemonade", "lightning", "sunshine", "rain", "fire"))

HATS = tuple(name for name in CLOTHES if name not in ("glasses", "sunglasses"))
BALLS = ("beach ball", "basketball", "soccer ball", "tennis ball", "football", "baseball")
TREES = ("pine tree", "oak tree", "apple tree")
PEOPLE = ("boy", "girl")
GENERAL = {
    "hat": HATS,
    "tree": TREES,
    "ball": BALLS,
    "animal": ANIMALS,
    "pet": ("dog", "cat"),
    "bird": ("duck", "owl"),
    "person": PEOPLE,
    "kid": PEOPLE,
    "child": PEOPLE,
    "cloud": ("cloud", "rain cloud", "lightning cloud"),
    "something to eat": tuple(name for name in FOOD if name not in ("ketchup", "mustard", "soda")),
    "some food": tuple(name for name in FOOD if name not in ("ketchup", "mustard", "soda")),
    "snack": ("pie", "pizza", "hot dog", "burger"),
    "something to drink": ("soda",),
    "sauce": ("ketchup", "mustard"),
    "toy": ("bucket", "beach ball", "frisbee", "shovel", "kite", "spring bee", "balloons", "soccer ball"),
    "something to play with": ("beach ball", "frisbee", "kite", "soccer ball", "bucket", "basketball"),
    "something to play on": ("slide", "swing set", "spring bee", "sandbox"),
    "playground equipment": ("slide", "swing set", "spring bee", "sandbox"),
    "something that flies": ("helicopter", "airplane", "rocket", "hot air balloon", "kite"),
    "flying machine": ("helicopter", "airplane", "rocket", "hot air balloon"),
    "vehicle": ("helicopter", "airplane", "rocket", "hot air balloon"),
    "piece of furniture": ("table",),
    "something for the head": HATS,
    "eyewear": ("glasses", "sunglasses"),
    "sports thing": ("baseball bat", "tennis racket", "baseball glove", "soccer ball", "frisbee"),
    "weather": ("sun", "cloud", "rain cloud", "lightning cloud"),
}
"""General words, and the classes that fit."""
PHRASES = frozenset(name for name in GENERAL if name.split()[0] in ("something", "some"))
"""Those that take no article."""
MANY = {
    "hats": HATS,
    "trees": TREES,
    "balls": BALLS,
    "animals": ANIMALS,
    "people": PEOPLE,
    "kids": PEOPLE,
    "children": PEOPLE,
    "clouds": GENERAL["cloud"],
    "food": FOOD,
    "toys": GENERAL["toy"],
    "things in the sky": SKY,
}

SIZES = {
    "0": weighted("big*4, large*4, huge, giant, close, large sized, very big, largest"),
    "1": weighted("medium*4, medium sized*2, medium-sized, normal, mid-sized, average"),
    "2": weighted("small*5, little*3, tiny*2, small sized, very small, mini, smallest, far away"),
}
FACES = {
    "0": weighted("angry*5, mad*3, cross, furious, grumpy, upset, annoyed"),
    "1": weighted(
        "laughing*4, very happy*2, grinning, excited, overjoyed, smiling with teeth, cheerful, joyful"
    ),
    "2": weighted("happy*5, smiling*4, glad, pleased, content"),
    "3": weighted("sad*5, unhappy*2, frowning*2, gloomy, miserable, disappointed"),
    "4": weighted("surprised*5, shocked*2, scared*3, afraid, frightened, amazed, worried, astonished"),
}
POSES = {
    "0": weighted("standing with arms out*2, reaching out*2, standing with both arms forward, "
                  "holding the arms out, standing*2, with arms in front"),
    "1": weighted("with arms up*3, with hands in the air*2, with both arms raised, with hands up*2, "
                  "cheering, arms up*2, jumping for joy"),
    "2": weighted("kicking*5, with one leg up*2, with a leg out, with one leg kicked out, kicking a ball"),
    "3": weighted("running*6, jogging, in running position"),
    "4": weighted("sitting cross legged*2, sitting with legs crossed*2, sitting cross-legged, sitting*2, "
                  "sitting indian style"),
    "5": weighted("sitting with legs out*2, sitting*2, sitting with knees up, sitting on the ground, "
                  "sitting down, seated"),
    "6": weighted("waving*5, with one arm up*2, with one hand up, with an arm raised, greeting"),
}  # fmt: skip
DRAWN_LEFT = frozenset(("kite", "oak tree", "rocket"))
"""Pieces whose unflipped drawing faces left instead of right."""
FACING = (*PEOPLE, *ANIMALS, "airplane", "helicopter", "spring bee", "rocket", "slide")
"""Pieces that face a side."""

VOCABULARY = frozenset(
    word.lower()
    for options in (*NAMES.values(), *SIZES.values(), *FACES.values(), *POSES.values(), tuple(GENERAL))
    for option in options
    for word in option.replace("-", " ").split()
) | frozenset(
    listed("sky, ground, grass, head, hand, feet, foot, tip, ton, toad, bare, beer, pear, pin, cot")
)
"""Words that no typing error may make of another."""


def with_article(words: str, article: str) -> str:
    """The noun phrase with "a", "the" or "" before it, as it takes."""
    last = words.split()[-1]
    if article == "the":
        return words if words in PHRASES else f"the {words}"
    if article == "" or words in PHRASES or words.split()[0] in ("some", "three"):
        return words
    if last in PLURAL or last in ("swings", "shades", "specs", "spectacles", "eyeglasses", "flames", "logs"):
        return f"some {words}" if len(words) % 2 else words
    if (
        words in MASS
        or last in ("weather", "equipment", "eyewear", "furniture")
        and words != "piece of furniture"
    ):
        return words if len(words) % 2 else f"some {words}"
    return f"an {words}" if words[0].lower() in "aeiou" else f"a {words}"
