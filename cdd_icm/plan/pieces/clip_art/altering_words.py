"""Ways to ask for other sides that pieces face, moods, poses and sizes.

The grammars are of two kinds, as in `plan.shared.speech.additions`. The slots: `{x}` is what is changed
("him"), `{h}` a person as the subject ("he"), `{y}` a second thing, `{d}` a side, `{f}` a mood or a pose,
`{s}` a size, `{k}` what is changed without an article.
"""

from cdd_icm.plan.shared.speech.grammar import Grammar

TURN_AROUND = {
    "around": Grammar("""
    <turn> {x} around*10
    <turn> {x} round*3
    <flip> {x}*8
    <flip> {x} [around|horizontally|over|the other way|sideways|left to right]*5
    <mirror> {x}*4
    <reverse> {x}*2
    <make> {x} face the other way*7
    <make> {x} (look|point) the other way*3
    <let> {x} face the other (way|side|direction)*3
    <rotate> {x} (around|to the other side)
    <have> {x} face the (opposite|other) (way|direction|side)*4
    <turn> {x} the other way [around|round]*4
    <turn> {x} to the other side*2
    <spin> {x} around
    <make> {x} face the opposite (way|direction|side)*3
    <swap> the direction of {x}
    <change> the direction of {x}*2
    <turn> {x} to face the other way*3
    <make> {x} turn (around|round)*3
    <let> {x} turn around
    <make> a mirror image of {x}
    """),
    "around say": Grammar("""
    {x} should (face|look|point) the other way*4
    {x} (is|looks) the wrong way [a]round*2
    {x} (is facing|faces|looks in) the wrong (way|direction)*3
    {x} the other way [a]round*2
    I want {x} [to be] (flipped|turned around|mirrored|facing the other way)*3
    (can|could) {x} (face the other way|be flipped|turn around|look the other way)?*2
    {x} needs to be (flipped|turned around|mirrored)*2
    """),
    "side": Grammar("""
    <make> {x} face {d}*8
    <make> {x} face [to] the {d}*4
    <turn> {x} to the {d}*6
    <turn> {x} {d}*3
    <make> {x} look {d}*3
    <make> {x} look to the {d}*3
    <let> {x} face {d}*3
    <let> {x} look (to the|) {d}*3
    <have> {x} face {d}*3
    <have> {x} facing {d}*3
    <have> {x} look {d}
    <flip> {x} so [that] it faces {d}*2
    <flip> {x} to [face] [the] {d}*2
    <point> {x} to the {d}
    <turn> {x} so [that] it (faces|looks|is facing) {d}*2
    <turn> {x} to face {d}*4
    <turn> {x} towards the {d}
    <rotate> {x} to the {d}
    <get> {x} to look {d}
    <change> {x} to face {d}
    <make> {x} turn [to the] {d}*2
    <aim> {x} {d}
    """),
    "side say": Grammar("""
    {x} should face {d}*5
    {x} (should|must) (look|be looking|be facing|be turned) (to the|) {d}*5
    {x} (needs|has) to face {d}*3
    {x} is facing {d}*2
    {x} facing {d}*3
    {x} faces {d}*2
    I want {x} (facing|looking|to face|turned) {d}*3
    (can|could) {x} (face|look|look to the) {d}?*2
    {x} looking {d}*2
    {x} looks {d}
    {x} is looking the wrong way, (it should be|make it face) {d}
    """),
}
FACE_THING = Grammar("""
    <make> {x} (look at|face|turn to|turn towards|watch|stare at) {y}*6
    <let> {x} (look at|face|watch) {y}*4
    <have> {x} (look at|facing|looking at|face) {y}*4
    <turn> {x} (to|towards|toward|to face) {y}*5
    <flip> {x} to (face|look at) {y}
    """)
FACE_THING_SAY = Grammar("""
    {x} should (look at|face|be looking at|be facing|watch) {y}*4
    {x} (looks at|is looking at|facing|looking at|is facing) {y}*3
    I want {x} (to look at|looking at|facing|to face) {y}*2
    """)
FACE_EACH_OTHER = Grammar("""
    <make> {x} (face|look at) each other*6
    <turn> {x} (to|towards|to face) each other*3
    <let> {x} (look at|face) (each other|one another)*3
    <have> {x} (facing|looking at|face) each other*3
    """)
_MAKE = """
    <make> {x} (look|be|seem|feel|) {f}*10
    <make> {x} {f}*8
    <have> {x} (be|look) {f}*2
    <let> {x} (be|look) {f}*4
    <change> {x} to (be|look|) {f}
    <turn> {x} {f}
    <give> {x} a[n] {e} (face|expression|look)*4
    <change> the (face|expression|mood) of {x} to {f}*2
    <put> a[n] {e} face on {x}
    <show> {x} {f}
    <get> {x} {f}
    """


def _article(words: str) -> str:
    return "|".join(f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in words.split("|"))


CHANGE_FACE = {
    face: Grammar(own + _MAKE.replace("a[n] {e}", f"({_article(looks)})"))
    for face, own, looks in (
        (
            "0",
            "<make> {x} (scowl|frown angrily|get angry|angrier|growl|glare)*3\n<let> {x} be angry\n"
            "<annoy> {x}\n"
            "<upset> {x}",
            "mad|angry|grumpy|cross|furious|mean",
        ),
        (
            "1",
            "<make> {x} laugh*6\n<let> {x} laugh*3\n<give> {x} a big (smile|grin|laugh)*4\n<make> {x} "
            "grin*3\n"
            "<make> {x} smile (a lot|broadly|with teeth|more|wide)*2\n<put> a (big|wide) (smile|grin) on "
            "{x}\n"
            "<make> {x} happier\n<make> {x} burst out laughing",
            "laughing|very happy|joyful|really happy|excited",
        ),
        (
            "2",
            "<make> {x} smile*12\n<let> {x} smile*5\n<give> {x} a smile*5\n<put> a smile on {x}*3\n"
            "<cheer> {x} up*3\n"
            "<get> {x} to smile*2\n<have> {x} smile*2\n<add> a smile to {x}",
            "happy|smiling|friendly|pleased|smiley",
        ),
        (
            "3",
            "<make> {x} (cry|frown|weep|sob|pout)*5\n<let> {x} (cry|frown|be sad)*3\n<give> {x} a frown*2\n"
            "<put> a frown on {x}\n<make> {x} stop smiling\n<sadden> {x}",
            "sad|unhappy|gloomy|disappointed|miserable",
        ),
        (
            "4",
            "<scare> {x}*4\n<surprise> {x}*3\n<let> {x} be (surprised|scared)*2\n<frighten> {x}*2\n"
            "<shock> {x}\n"
            "<make> {x} (gasp|scream|jump with fright)*2",
            "surprised|scared|shocked|frightened|worried|startled",
        ),
    )
}
CHANGE_FACE_SAY = Grammar(
    """
    {x} (should|must|has to|needs to|could) (be|look|seem|feel) {f}*6
    {x} is {f} [now]*2
    {x} (looks|feels) {f} [now]*2
    I (want|would like|'d like|need|prefer) {x} [to be|to look] {f}*4
    (can|could) {x} (be|look) {f}[?]*3
    {x} should have a {f} face
    {x} {f}*2
    {x} becomes {f}
    {x} is (not supposed to be like that|wrong), (he|she) should be {f}
    why isn't {x} {f}?
    """.replace("    {x} is (not supposed to be like that|wrong), (he|she) should be {f}\n", "")
)
_POSE = """
    <have> {x} {f}*6
    <make> {x} be {f}*2
    <change> {x} to {f}*3
    <put> {x} {f}
    <show> {x} {f}*3
    <let> {x} be {f}*3
    <change> the (pose|position|posture) of {x} to {f}*2
    <draw> {x} {f}*2
    """
CHANGE_POSE = {
    pose: Grammar(
        f"(<make>*3|<let>*2|<have>|<get>) {{x}} [to] ({acts})*4\n"
        f"(<make>|<let>|<have>) {{x}} ({acts})*12{_POSE}"
    )
    for pose, acts in (
        (
            "0",
            "reach out|hold out both arms|stretch out both arms|reach forward|point forward with both arms|"
            "hold both hands out|stretch the arms forward|put both arms out in front",
        ),
        (
            "1",
            "(raise|lift|throw up|put up|hold up) (the|both|) (arms|hands)|cheer|put (both hands|the "
            "hands|both arms) up|"
            "(raise|throw) both (arms|hands) [in the air]|lift both arms up|celebrate|surrender",
        ),
        ("2", "kick|kick a ball|kick something|lift one leg|raise a leg|stick out a leg|do a kick|kick out"),
        ("3", "run|run|run away|jog|start running|sprint|run fast"),
        (
            "4",
            "sit cross-legged|sit cross legged|cross the legs|sit with legs crossed|sit with crossed "
            "legs|meditate|kneel|"
            "sit indian style",
        ),
        (
            "5",
            "sit|sit|sit down|sit on the ground|sit with legs out|take a seat|sit with the legs "
            "stretched out|"
            "stretch the legs out|rest on the ground|sit on the grass|lean back",
        ),
        ("6", "wave|wave|wave hello|wave goodbye|raise one arm|wave a hand|lift one hand|wave at us|"
              "put one hand up|raise a hand|say hi|greet us"),
    )
}  # fmt: skip
CHANGE_POSE_SAY = Grammar("""
    {x} (should|must|has to|needs to|could) be {f}*6
    {x} is {f} [now]*3
    I (want|would like|'d like|need|prefer) {x} [to be] {f}*4
    (can|could) {x} be {f}[?]*2
    {x} {f}*4
    now {x} is {f}
    """)
HE_SHOULD = {
    pose: Grammar(f"""
    {{h}} (should|must|has to|needs to|could|ought to) ({acts})*6
    (can|could) {{h}} ({acts})[?]*2
    I want {{x}} to ({acts})*3
    I'd like {{x}} to ({acts})*2
    I (want|'d like) to see {{x}} ({acts})
    """)
    for pose, acts in (
        ("1", "raise both arms|cheer|put both hands up|lift the arms|hold both hands up"),
        ("2", "kick|lift one leg|kick the ball|kick something"),
        ("3", "run|jog|run away|run fast"),
        ("4", "sit cross-legged|sit with crossed legs|cross the legs"),
        ("5", "sit|sit down|sit on the ground|sit with legs stretched out"),
        ("6", "wave|wave hello|raise one arm|wave a hand|say hello"),
        ("0", "hold out both arms|reach out|stretch out both arms"),
        ("smile", "smile|smile at us|look happy|be happy"),
        ("laugh", "laugh|grin|laugh out loud|look very happy"),
        ("cry", "cry|frown|look sad|be sad"),
        ("scowl", "scowl|look angry|be mad|be angry"),
        ("gasp", "gasp|look surprised|be scared|look shocked"),
    )
}
"""Of a person as the subject, `{h}`."""
FACE_ACTS = {"0": "scowl", "1": "laugh", "2": "smile", "3": "cry", "4": "gasp"}
BIGGER_DO = Grammar("""
    <make> {x} bigger*16
    <make> {x} larger*9
    <enlarge> {x}*6
    <grow> {x}*2
    <increase> the size of {x}*3
    <increase> {x} [in size]
    <scale> {x} up*3
    <scale> up {x}*2
    <blow> {x} up
    <expand> {x}
    <make> {x} (a bit|a little|slightly|some|a size|one size) (bigger|larger)*5
    <make> {x} (less small|less tiny|not so small|not so tiny)*2
    <upsize> {x}
    <magnify> {x}
    <make> {x} (grow|get bigger|appear bigger|look bigger)*2
    <let> {x} (grow|be bigger|get bigger)*2
    <bring> {x} closer [to us|to me|to the viewer]*3
    <make> {x} closer*2
    <zoom> in on {x}
    <make> {x} (taller|fatter|wider)
    <resize> {x} to be (bigger|larger)
    <size> {x} up
    """)
BIGGER_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|get|become) (bigger|larger|a bit bigger|\
        a little larger)*6
    {x} should (grow|be enlarged|come closer)*2
    {x} (is|looks) (too|way too|much too|a bit too|a little too|so) (small|tiny|little)[, make it bigger|\
        , enlarge it]*5
    I (want|would like|'d like|need|prefer) {x} [to be] (bigger|larger|a bit bigger)*4
    (can|could) {x} be (bigger|larger|a bit bigger)?*2
    let's (make {x} bigger|enlarge {x}|make {x} larger)*3
    {x} (bigger|larger)[, please]*2
    {x} shouldn't be (so|that|this) (small|tiny)*2
    {x} is not (big|large) enough*2
    a (bigger|larger) {k}*2
    {x} but (bigger|larger)
    {x} (a bit|slightly) bigger*2
    """)
SMALLER_DO = Grammar("""
    <make> {x} smaller*18
    <shrink> {x}*7
    <make> {x} (littler|tinier)
    <reduce> the size of {x}*3
    <decrease> the size of {x}*2
    <reduce> {x} [in size]
    <scale> {x} down*3
    <scale> down {x}*2
    <downsize> {x}
    <make> {x} (a bit|a little|slightly|some|a size|one size) smaller*5
    <make> {x} (less big|not so big|less large|not so large|less huge)*2
    <make> {x} (shrink|get smaller|appear smaller|look smaller)*2
    <let> {x} (shrink|be smaller|get smaller)*2
    <move> {x} (further|farther) away [from us|from me]*2
    <make> {x} (further away|farther away|more distant)*2
    <push> {x} [further] into the (distance|background)
    <resize> {x} to be smaller
    <make> {x} (shorter|thinner)
    """)
SMALLER_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|get|become) (smaller|a bit smaller|\
        a little smaller)*6
    {x} should (shrink|be shrunk|be further away)*2
    {x} (is|looks) (too|way too|much too|a bit too|a little too|so) (big|large|huge)[, make it smaller|\
        , shrink it]*5
    I (want|would like|'d like|need|prefer) {x} [to be] (smaller|a bit smaller)*4
    (can|could) {x} be (smaller|a bit smaller)?*2
    let's (make {x} smaller|shrink {x})*3
    {x} smaller[, please]*2
    {x} shouldn't be (so|that|this) (big|large)*2
    {x} is not small enough*2
    a smaller {k}*2
    {x} but smaller
    {x} (a bit|slightly) smaller*2
    """)
BIGGEST = Grammar("""
    <make> {x} as (big|large) as (possible|you can|it gets|it goes)*6
    <make> {x} (very|really|super) (big|large)*3
    <make> {x} (much|a lot|way|far) (bigger|larger)*4
    <make> {x} (huge|giant|enormous|gigantic|massive)*4
    <make> {x} the (biggest|largest) (size|it can be|possible)*3
    <give> {x} the (biggest|largest|full) size
    <resize> {x} to the (maximum|biggest|largest) [size]*2
    <blow> {x} up as much as you can
    <set> {x} to (full|maximum) size
    <make> {x} (full size|maximum size)
    <increase> the size of {x} to the maximum
    """)
SMALLEST = Grammar("""
    <make> {x} as (small|little|tiny) as (possible|you can|it gets|it goes)*6
    <make> {x} (very|really|super) (small|little|tiny)*3
    <make> {x} (much|a lot|way|far) smaller*4
    <make> {x} (tiny|teeny|teensy|minuscule|mini)*4
    <make> {x} the smallest (size|it can be|possible)*3
    <give> {x} the smallest size
    <resize> {x} to the (minimum|smallest) [size]*2
    <shrink> {x} (as much as you can|a lot|completely|to the minimum|right down)*2
    <make> {x} (far away|very far away)
    <set> {x} to the smallest size
    """)
SAME_SIZE = Grammar("""
    <make> {x} the same size as {y}*5
    <make> {x} as (big|large|small) as {y}*4
    <give> {x} the size of {y}*2
    <resize> {x} to (match|the size of) {y}
    <match> the size of {x} (to|with) {y}
    """)
RESIZE = Grammar("""
    <make> {x} {s}*10
    <change> {x} to {s}*2
    <change> the size of {x} to {s}*4
    <resize> {x} to {s}*2
    <set> {x} to {s}
    <set> the size of {x} to {s}
    <turn> {x} {s}
    <let> {x} be {s}*2
    <have> {x} {s}
    """)
RESIZE_SAY = Grammar("""
    {x} should be {s}*5
    I want {x} [to be] {s}*3
    {x} (must|has to|needs to) be {s}*2
    {x} {s}
    {x} is {s}
    the size of {x} should be {s}*2
    """)
