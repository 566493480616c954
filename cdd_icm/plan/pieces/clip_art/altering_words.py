"""Ways to ask for other sides that pieces face, moods, poses and sizes.

The grammars are of two kinds, as in `plan.shared.speech.additions`. The slots: `{x}` is what is changed
("him"), `{h}` a person as the subject ("he"), `{y}` a second thing, `{d}` a side, `{f}` a mood or a pose.
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
    <turn> {x} so [that] (it is|it's|it) (looking at|facing) {y}*2
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
    <make> {o} face {f}*4
    <change> {o} (face|expression|mood) to {f}*3
    <make> {o} (expression|mood) {f}
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
    {o} face (should|must|has to) (be|look) {f}*3
    {o} face is {f}
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
_LIMBS = {
    "0": "<stretch> {o} arms out*2\n<hold> out {o} arms",
    "1": "(<raise>|<lift>|<put> up) {o} (arms|hands)*4\n<put> {o} (arms|hands) up*3\n"
    "<move> {o} arms up\n<lift> both of {o} arms",
    "2": "<lift> {o} leg*3\n<raise> {o} leg\n<put> {o} leg up",
    "4": "<cross> {o} legs*3\n<make> {o} legs crossed",
    "5": "<stretch> {o} legs out*2\n<sit> {x} down*4",
    "6": "(<raise>|<lift>) {o} arm*2\n<lift> one of {o} (arms|hands)\n<put> {o} hand up*2",
}
"""Of arms and legs, in which the verb may take any form."""
CHANGE_POSE = {
    pose: Grammar(
        f"(<make>*3|<let>*2|<have>|<get>) {{x}} [to] ({acts})*4\n"
        f"(<make>|<let>|<have>) {{x}} ({acts})*12{_POSE}{_LIMBS.get(pose, '')}"
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
POSE_SIDE = {
    pose: Grammar(f"(<make>*2|<let>*2|<have>) {{x}} ({acts}) [(to|towards) the] {{d}}*3")
    for pose, acts in (("2", "kick"), ("3", "run|run|run off|jog"), ("6", "wave"))
}
MANY_FEEL = Grammar("""
    {x} (should|must|could) be {f}*4
    {x} (are|look|feel) {f}*4
    I want [to see] {x} {f}*4
    I (want|'d like) {x} to be {f}*2
    {x} {f}*3
    (can|could) {x} be {f}?
    """)
"""Of several."""
_TOO = "(too|way too|a bit too|a little too|much too)"
TOO = {
    "left": (
        Grammar(f"{{x}} (is|stands) {_TOO} far [to the] left*4\n{{x}} is {_TOO} much (to|on) the left"),
        None,
    ),
    "right": (
        Grammar(f"{{x}} (is|stands) {_TOO} far [to the] right*4\n{{x}} is {_TOO} much (to|on) the right"),
        None,
    ),
    "high": (
        Grammar(f"{{x}} (is|looks) {_TOO} high [up]*4\n{{x}} is {_TOO} far up*2\n{{x}} should be lower*2"),
        Grammar("<lower> {x} [a bit|a little|]*5\n<drop> {x} down\n<bring> {x} down [a bit]*3"),
    ),
    "low": (
        Grammar(
            f"{{x}} (is|looks) {_TOO} low [down]*4\n{{x}} is {_TOO} far down*2\n{{x}} should be higher*2"
        ),
        Grammar("<raise> {x} [a bit|a little|]*5\n<lift> {x} [up] [a bit]*4\n<bring> {x} up [a bit]*2"),
    ),
}
"""What is too far to one side; and verbs that move it back."""
TOO_CLOSE = Grammar("""
    {x} is (too|way too|a bit too) (close|near) to {y}*4
    {x} should not be so close to {y}*2
    {x} needs more distance (to|from) {y}
    move {x} (further|farther) (away|off) from {y}*2
    keep {x} away from {y}*2
    """)
