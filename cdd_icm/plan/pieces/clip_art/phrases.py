"""Ways to ask for what only clip art has: sides that pieces face, moods, poses, things for people."""

from cdd_icm.plan.shared.speech.grammar import Grammar

TERSE = Grammar("""
    {n} {p}*4
    {p} {n}*3
    {n}, {p}*2
    {p}, {n}
    {p} is {n}
    {n} is {p}
    {p} there is {n}
    there is {n} {p}
    """)
"""As CoDraw's tellers write."""
FACE_SIDE = Grammar("""
    facing {d}*6
    facing [to] the {d}*3
    looking {d}*3
    looking to the {d}*2
    turned [to the] {d}*2
    {d} facing
    who faces {d}
    """)
_FACE = "(face|look|turn)"
TURN_AROUND = {
    "around": Grammar("""
    <turn> {x} around*8
    <turn> {x} round*2
    <flip> {x}*6
    <flip> {x} [around|horizontally|over|the other way]*4
    <mirror> {x}*3
    <reverse> {x}
    <make> {x} face the other way*6
    <make> {x} (look|point) the other way*2
    <let> {x} face the other (way|side|direction)*2
    <rotate> {x} (around|to the other side)
    <have> {x} face the (opposite|other) (way|direction|side)*3
    <turn> {x} the other way [around|round]*3
    <turn> {x} to the other side*2
    <spin> {x} around
    """),
    "side": Grammar("""
    <make> {x} face {d}*6
    <make> {x} face [to] the {d}*3
    <turn> {x} to the {d}*5
    <turn> {x} {d}*2
    <make> {x} look {d}*2
    <make> {x} look to the {d}*2
    <let> {x} face {d}*2
    <let> {x} look (to the|) {d}*2
    <have> {x} face {d}*3
    <have> {x} facing {d}*2
    <flip> {x} so [that] it faces {d}*2
    <point> {x} to the {d}
    """),
    "side say": Grammar("""
    {x} should face {d}*4
    {x} (should|must) (look|be looking|be facing|be turned) (to the|) {d}*4
    {x} (needs|has) to face {d}*2
    {x} is facing {d}
    {x} facing {d}*2
    {x} faces {d}
    I want {x} (facing|looking|to face|turned) {d}*2
    """),
}
FACE_THING = Grammar("""
    <make> {x} (look at|face|turn to|turn towards) {y}*5
    <let> {x} (look at|face|watch) {y}*3
    <have> {x} (look at|facing|looking at|face) {y}*3
    <turn> {x} (to|towards|toward) {y}*4
    """)
_MAKE = """
    <make> {x} (look|be|seem|feel|) {f}*8
    <make> {x} {f}*6
    <have> {x} (be|look) {f}*2
    <let> {x} be {f}*3
    <change> {x} to (be|look|) {f}
    <turn> {x} {f}
    <give> {x} a {e} (face|expression|look)*3
    """
CHANGE_FACE = {
    face: Grammar(own + _MAKE.replace("{e}", f"({looks})"))
    for face, own, looks in (
        ("0", "<make> {x} (scowl|frown angrily)*2\n<let> {x} be angry", "mad|angry|grumpy"),
        (
            "1",
            "<make> {x} laugh*4\n<let> {x} laugh*2\n<give> {x} a big (smile|grin)*3",
            "laughing|very happy",
        ),
        (
            "2",
            "<make> {x} smile*8\n<let> {x} smile*3\n<give> {x} a smile*3\n<put> a smile on {x}*2\n"
            "<cheer> {x} up*2",
            "happy|smiling|friendly",
        ),
        ("3", "<make> {x} (cry|frown)*3\n<let> {x} (cry|frown|be sad)*2", "sad|unhappy"),
        ("4", "<scare> {x}*2\n<surprise> {x}\n<let> {x} be (surprised|scared)", "surprised|scared|shocked"),
    )
}
_POSE = """
    <have> {x} {f}*5
    <make> {x} be {f}*2
    <change> {x} to {f}*2
    <put> {x} {f}
    <show> {x} {f}*2
    <let> {x} be {f}*2
    """
CHANGE_POSE = {
    pose: Grammar(f"(make|let|have) {{x}} ({acts})*8" + _POSE)
    for pose, acts in (
        ("0", "stand|stand up|reach out|hold out both arms|stretch out both arms"),
        ("1", "(raise|lift|throw up|put up) (the|both|) (arms|hands)|cheer"),
        ("2", "kick|kick a ball|kick something|lift one leg"),
        ("3", "run|run away|jog|start running"),
        ("4", "sit|sit down|sit cross-legged|sit cross legged|cross the legs"),
        ("5", "sit|sit down|sit on the ground|sit with legs out|take a seat"),
        ("6", "wave|raise one arm|wave a hand|lift one hand"),
    )
}
RESIZE = Grammar("""
    <make> {x} {s}*8
    <change> {x} to {s}*2
    <change> the size of {x} to {s}*3
    <resize> {x} to {s}*2
    <set> {x} to {s}
    <turn> {x} {s}
    <let> {x} be {s}
    """)
GIVE = Grammar("""
    <give> {x} {n}*12
    <hand> {x} {n}*3
    <let> {x} (have|hold|wear|carry) {n}*3
    <put> {n} on {x}*3
    <make> {x} (hold|have|carry) {n}*2
    <get> {x} {n}*2
    <have> {x} (hold|holding|carry|get|have) {n}*2
    <bring> {x} {n}
    """)
EVERYTHING = Grammar("""
    everything*7
    (all|it all|all of it|the lot|the whole thing)*2
    everything (in|from) the (picture|scene|canvas)*2
    all the (things|objects|pieces|stuff)*2
    everything (that is there|you drew|there is)
    """)
