"""What scenes of clip art lack, and what can't be done to their pieces."""

from cdd_icm.plan.pieces.clip_art.names import GENERAL, NAMES
from cdd_icm.plan.shared.speech.grammar import Grammar, listed
from cdd_icm.plan.shared.speech.things import THINGS

_HEADS = {options.split()[-1] for names in NAMES.values() for options in names} | set(GENERAL)
_MORE = listed("""
    bunny, lamb, calf, bull, pony, kangaroo, koala, panda, hippo, rhino, crocodile, alligator, lizard, ant,
    caterpillar, worm, dragonfly, ladybug, beetle, mosquito, fly, seagull, pigeon, rooster, turkey, swan,
    peacock,
    flamingo, ostrich, crow, raccoon, skunk, beaver, otter, seal, walrus, gorilla, chimpanzee, cheetah,
    leopard,
    moose, reindeer, buffalo, llama, t-rex, dinosaur egg, jellyfish, starfish, lobster, goldfish, toad,
    grandma, grandpa, mother, father, mom, dad, family, old man, policewoman, firefighter, nurse, chef,
    cowboy,
    indian, prince, fairy, mermaid, elf, santa claus, santa, vampire, zombie, mummy, ninja, bride, couple,
    crowd,
    pond, ocean, swamp, canyon, cliff, iceberg, palm, stump, vine, daisy, daffodil, pumpkin patch,
    haystack, nest,
    beehive, spider web, dog house, doghouse, cage, aquarium, pool, swimming pool, fountain, statue, mailbox,
    trash can, garbage can, street, street light, traffic light, stop sign, sidewalk, parking lot, railway,
    tunnel,
    airport, hospital, hotel, farm, factory, mansion, cottage, cabin, tree house, treehouse, shed, gate, well,
    seesaw, trampoline, carousel, ferris wheel, roller coaster, monkey bars, climbing frame, bouncy castle,
    hammock, motorcycle, tricycle, jeep, limousine, race car, fire truck, police car, school bus, caravan,
    camper,
    yacht, sailboat, ferry, raft, ufo, flying saucer, parachute, glider, drone, blimp, satellite, snowmobile,
    sled, sleigh, rollerblades, roller skates, skis, surfboard, hockey stick, golf club, bowling pin,
    jump rope,
    hula hoop, volleyball, dartboard, dice, chess board, playing cards, jigsaw, teddy, lego, yo-yo, rattle,
    rocking horse, doll house, slingshot, water gun, bubbles, taco, burrito, spaghetti, pasta, sushi,
    steak, bacon,
    rice, noodles, toast, waffle, butter, milk, wine, beer, tea, coffee, water bottle, cupcake, chocolate,
    cherries,
    peach, mango, corn, tomato, potato, lettuce, onion, cucumber, pepper, pumpkin, french fries, popcorn,
    chips,
    pretzel, peanut, honey, jam, salt, picnic basket, lunch bag, napkin, straws, bouquet, sneakers, sandals,
    slippers, trousers, jeans, shorts, skirt, sweater, hoodie, t-shirt, swimsuit, bikini, mittens, earrings,
    bracelet, beard, mustache, moustache, wig, mask, cape, apron, purse, handbag, suitcase, sleeping bag,
    lantern,
    flashlight, torch, matches, barrel, crate, cardboard, trash, garbage, ladder, wheelbarrow, lawn mower,
    hose,
    watering can, paint brush, easel, blackboard, drum, saxophone, tuba, speaker, record player,
    video game, tablet,
    smartphone, robot dog, telescope, microscope, magnet, globe, calendar, money, dollar, treasure, wand,
    cauldron, broomstick, magic lamp, crystal, angel wings, halo, rainbow flag, fireworks, confetti, tornado,
    hurricane, snow, fog, hail, wind, sunset, night sky, stars, northern lights, meteor, black cat food
""")  # fmt: skip
_ALIKE = listed("""
    cowboy hat, top hat, straw hat, santa hat, party hat, sun hat, bowler hat, hard hat, bicycle helmet,
    sombrero,
    golf ball, bowling ball, volley ball, snow ball, cannon ball, ping pong ball, palm tree, willow tree,
    banana tree, lemon tree, orange tree, polar bear, panda bear, teddy bear, koala bear, sea lion,
    guinea pig,
    ice cream cone, apple, golf bat, vampire bat, water slide, hammock swing, kitchen table, coffee table,
    pool table, computer desk, boxing glove, oven glove, magnifying glass, hockey stick, badminton racket,
    snow cloud,
    christmas lights, fire engine, hot tub, hot chocolate, air conditioner, police helicopter pilot,
    bird house
""")  # fmt: skip
"""Things that are like some piece in name only."""
LACKED = (
    *dict.fromkeys(
        thing
        for thing in (*THINGS, *_MORE)
        if thing.split()[-1] not in _HEADS
        and thing not in ("grass", "sky", "garden", "field", "playground", "beach", "smiley", "face", "smile")
    ),
    *_ALIKE,
)
"""Nouns for what no piece shows."""
PLURALS = frozenset(listed("""
    stairs, scissors, headphones, grapes, skis, rollerblades, roller skates, playing cards, dice, bubbles,
    noodles,
    cherries, french fries, chips, straws, sneakers, sandals, slippers, trousers, jeans, shorts, mittens,
    earrings,
    matches, fireworks, stars, northern lights, christmas lights, angel wings, monkey bars, monkey bars,
    confetti,
    pasta, spaghetti, sushi, bacon, rice, toast, butter, milk, wine, beer, tea, coffee, corn, popcorn,
    honey, jam,
    salt, snow, fog, hail, wind, money, treasure, trash, garbage, lego, chocolate, cheese, soup, salad,
    bread, smoke
"""))  # fmt: skip
"""Those of them that take "some"."""
MANY_LACKED = listed("""
    flowers, stars, cars, houses, birds in a row, fish, butterflies, mountains, books, snowflakes,
    
    ants, horses, cows, sheep, bushes, rocks, presents, candles, chairs, apples, mushrooms, cookies, bananas,
    rabbits, monkeys, lions, dinosaurs,  puddles, fences, planets, monsters, robots, aliens,
    flags
""")
COLOURS = listed(
    "red, blue, green, yellow, purple, pink, orange, black, white, brown, gray, grey, turquoise, golden, "
    "silver, "
    "violet, rainbow-coloured, dark blue, light green, striped, spotted, polka-dotted, transparent, "
    "bright red, lilac"
)
MATERIALS = listed(
    "wooden, metal, glass, golden, plastic, furry, striped, dotted, transparent, glowing, broken, upside "
    "down, "
    "invisible, fluffy, wet, dirty, old, shiny, frozen, burning, see-through, blurry, realistic, "
    "three-dimensional, "
    "prettier, darker, brighter, softer, asleep"
)
STRANGE = Grammar("""
    <cut> {x} in half*2
    <break> {x} [in two|into pieces]*2
    <make> {x} (explode|melt|glow|sing|spin|burn|sleep|talk|dance|swim|bark|blink|eat|drink)*5
    <make> {x} {m}*6
    <make> {x} out of (glass|wood|metal|gold|stone|ice|paper)*2
    <rotate> {x} [by] (90|45|180|ninety) degrees*3
    <turn> {x} upside down*4
    <tilt> {x} [a bit]*2
    <stretch> {x}*2
    <squeeze> {x}
    <write> (hello|my name|a word|something) on {x}*3
    <draw> (stripes|dots|a face|a heart) on {x}*2
    <paint> {x} with (stripes|dots)
    <give> {x} (wings|wheels|a name|a tail|spots|stripes|a shadow|a tattoo)*4
    <fill> {x} with (water|candy|sand)
    <animate> {x}*2
    <count> {x}
    <name> {x} (Bob|Susan|Max)
    <make> {x} and {y} (kiss|fight|hug|dance|hold hands|talk)*4
    <copy> {x}*2
    <duplicate> {x}*2
    <blur> {x}
    <outline> {x}
    <crop> {x}
    <make> two of {x}
    <open> {x}
    <close> {x}
    <attach> {x} to {y}
    <tie> {x} to {y}
    """)
ON_PEOPLE = Grammar("""
    <give> {x} (a beard|long hair|red hair|a ponytail|a moustache|blue eyes|new clothes|a haircut|\
        shorter hair|\
        curly hair|a tattoo|freckles|a red shirt|a dress|shoes)*5
    <change> the (hair|hair colour|shirt|dress|skin|eyes|clothes|shoes|pants) of {x} [to (blue|red|green|\
        black)]*4
    <make> {x} (older|younger|fat|thin|bald|dance|sleep|fly|swim|eat|drink|read|climb|lie down|hug someone|\
        jump rope|blonde|an adult|a grown-up|stick out the tongue|close the eyes|wink)*5
    <make> the (hair|shirt|dress) of {x} (blue|green|longer|black|shorter)*3
    <put> {x} in (a car|bed|a boat|a swimming pool|the water|jail)*2
    <dress> {x} (in blue|like a clown|up nicely|as a ghost|as a fireman)*2
    """)
SCENERY = Grammar(
    """
    <change> the background [(colour|color)] to (white|blue|black|green|a beach|a forest|pink|something else|\
        a city|night)*4
    <make> the (background|ground|grass|sky|picture|scene) (blue|greener|darker|brighter|white|black|red|\
        night|prettier|blurry|3D|purple)*4
    <make> it (night|dark|snow|winter|summer|foggy|autumn|brighter|darker|evening|windy|night time|christmas|\
        spring|black and white)*4
    it (should be|is) (night|winter|snowing|dark|windy|evening|autumn)*2
    let it snow
    <zoom> (in|out)*2
    <rotate> the (camera|picture|scene|image|view)*2
    <add> (a shadow|shadows|a frame|a border|a title|some text|a caption|sound|music|a speech bubble|\
        a background|a thought bubble|my name)*4
    <write> (hello|my name|some text|happy birthday|a title) (above|below|in the corner|in the sky|)*3
    <save> (the picture|it|this|the image) [as a (png|file|pdf)]*3
    <print> (the picture|it|this)*2
    <download> (the picture|it|this)
    <crop> the (picture|image)
    <play> (a song|some music|a video)
    <tell> me (a joke|a story|the time|about yourself)*3
    <remove> the (background|grass|sky|ground|horizon)*4
    <turn> the (picture|image) (upside down|around|into a painting|into a photo)*2
    <send> (it|the picture) to (me|my mother|my friend)
    <make> a (video|movie|photo|song) [of it]
    <draw> a (river|road|path|line) through the (picture|grass)
    <share> it (on facebook|online)
    <make> the (picture|canvas) (bigger|wider|taller)
    <change> the (season|weather|style|view|font)
    <undo> the sky
    """.replace("    <undo> the sky\n", "")
)
SOMEWHERE = listed(
    """
    in the water; on the moon; in the car; next to the house; on the roof; under the bridge; by the river;
    in front of the castle; behind the fence; on the chair; next to the flowers; in the boat; on the mountain;
    inside the house; by the lake; on the road; next to the car; near the pond; on the sofa; behind the bush
""",
    ";",
)
"""Places that no picture has."""
