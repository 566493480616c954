"""Things that a small world may lack, and what can't be done to those that it has."""

from cdd_icm.plan.shared.speech.grammar import Grammar, listed

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
