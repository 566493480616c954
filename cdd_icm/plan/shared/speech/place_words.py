"""How people say where a thing is put; `{x}` and `{y}` are what it is put by, `{s}` is "its" or so."""

from cdd_icm.plan.shared.speech.grammar import Grammar

AT_SIDE = {
    side: Grammar(f"""
    to the {side} of {{x}}*12
    {side} of {{x}}*6
    on the {side} of {{x}}*5
    at the {side} of {{x}}
    (to|on|at) the {side} side of {{x}}*3
    (on|to|at) the {side}[-| ]hand side of {{x}}
    (somewhere|anywhere) (to the|on the|) {side} of {{x}}
    over to the {side} of {{x}}
    (on|at|to) {side} of {{x}}
    {side} to {{x}}
    {side} (side|hand) of {{x}}
    {side}wards of {{x}}
    {side} from {{x}}
    (further|more) to the {side} than {{x}}
    off to the {side} of {{x}}
    """)
    for side in ("left", "right")
}
AT_SIDE["behind"] = Grammar("""
    behind {x}*20
    at the back of {x}*2
    in back of {x}*2
    (to|at) the rear of {x}
    (further|farther) (back|away|off) than {x}
    on the (far|other|back) side of {x}
    beyond {x}
    past {x}
    (back|somewhere) behind {x}*2
    (farther|further) (away|off) from (us|me|the camera|the viewer) than {x}
    in the back of {x}
    to the back of {x}
    in behind {x}
    """)
AT_SIDE["front"] = Grammar("""
    in front of {x}*20
    in the front of {x}*2
    before {x}*2
    at the front of {x}
    ahead of {x}
    (closer|nearer) to (us|me|the camera|the viewer) than {x}*2
    on the (near|front) side of {x}
    infront of {x}
    (somewhere|right there) in front of {x}
    to the front of {x}
    this side of {x}
    in [the] front of {x}
    """)
HIS_SIDE = {
    side: Grammar(f"""
    (to|on|at) {{s}} {side}*4
    (on|at|to) {{s}} {side}[-| ]hand side
    (on|at) {{s}} {side} side
    on the {side} side of {{x}}
    """)
    for side in ("left", "right")
}
HIS_SIDE["behind"] = Grammar("(at|behind) {s} back\non {s} back side\nat {s} rear\nbehind {x}*3")
HIS_SIDE["front"] = Grammar("(at|on) {s} front\nin {s} front\nin front of {x}*3")

AT_CORNER = {
    (depth, side): Grammar(
        f"""
    {plain} {{x}} (on|to|at) the {side}*6
    {plain} {{x}}, on the {side}
    {plain} {{x}} and (to the|on the) {side} [of it]*2
    {plain} {{x}} and {side} [of it]
    {plain} and (to the|) {side} of {{x}}*3
    (to the|) {side} of and {plain} {{x}}
    (to the|on the|) {side} and {plain} {{x}}*2
    (to the|) {side} of {{x}} and {plain} it*3
    to the {side} of {{x}}, (but|and|slightly|a (bit|little)) {plain} it*2
    (to the|) {side} of {{x}}, (a (bit|little)|slightly|and) (further|farther|more) {{way}}
    {plain} {{x}}, [and] (to|on) its {side}*2
    diagonally {plain} {{x}}, (to|on) the {side}
    {plain} {{x}} (a bit|a little|slightly|somewhat|further|and more) to the {side}*2
    (to|on|at) the {{end}} {side} of {{x}}
    {{end}}[-| ]{side} of {{x}}
    {plain} {{x}} on (the|its) {side} side
    on the {side} (and|but) {plain} {{x}}
    """,
        way=Grammar(way),
        end=Grammar(end),
    )
    for depth, plain, way, end in (
        ("behind", "behind", "(back|away|behind)", "(back|rear)"),
        ("front", "in front of", "(forward|to the front|in front|towards us)", "front"),
    )
    for side in ("left", "right")
}
STRAIGHT = {
    f"straight {side}": Grammar(f"(right|directly|immediately|just|straight|close) {text} {{x}}")
    for side, text in (
        ("left", "(to the left of|on the left of|left of)"),
        ("right", "to the right of"),
        ("behind", "behind"),
        ("front", "in front of"),
    )
}
FAR_SIDE = {
    f"far {side}": Grammar(f"(far|way|far away|well|a long way|a good distance) {text} {{x}}")
    for side, text in (
        ("left", "(to the left of|left of)"),
        ("right", "(to the right of|right of)"),
        ("behind", "behind"),
        ("front", "in front of"),
    )
}
NEAR_IT = Grammar("""
    next to {x}*9
    [right] next to {x}*2
    besides {x}
    nearby to {x}
    right up against {x}
    within reach of {x}
    near {x}*5
    close to {x}*4
    [close|right] by {x}*2
    (very|quite|pretty|really|as) close to {x}
    in the vicinity of {x}
    adjacent to {x}*2
    not far from {x}
    near to {x}
    nearby {x}
    (almost|nearly) touching {x}
    """)
BESIDE = Grammar("""
    beside {x}*6
    [right|just] beside {x}*2
    alongside {x}
    at the side of {x}
    (on|to) (one|either|the) side of {x}
    side by side with {x}
    """)
FAR_OFF = Grammar(
    "(far|far away|well away|a long way) from {x}*3\nat a distance from {x}\nnot near {x}\nnowhere near {x}"
)
BETWEEN = Grammar("""
    between {x} and {y}*10
    in between {x} and {y}*4
    [right|exactly|somewhere] (in the middle|halfway|midway) between {x} and {y}*2
    in the middle of {x} and {y}
    in the (gap|space) between {x} and {y}
    inbetween {x} and {y}
    """)

_PICTURE = "(picture|image|scene|picture|frame|drawing|canvas|area)"
IN_PICTURE = {
    "in the middle": Grammar(f"""
    (in|at|into|to) the (middle|center|centre)*8
    (in|at|to|into) the (middle|center|centre) of the {_PICTURE}*3
    (right|exactly|bang|smack|dead) in the (middle|center|centre)*2
    (centrally|dead centre|in the very middle|in the very centre|smack in the middle|mid picture)
    in the middle of (everything|it all)
    """),
    **{
        f"on the {side}": Grammar(f"""
    on the {side}*8
    on the {side} side*4
    (on|at|to) the {side}[-| ]hand side*2
    (on|at) the {side} [side] of the {_PICTURE}*3
    (to|at) the {side} side*2
    (in|on) the {side} (part|half|area|section) [of the {_PICTURE}]
    over on the {side}*2
    somewhere on the {side}
    {side}
    (on|at) {side}
    (on|at) {side} side
    to (the|my|your) {side}
    over [to] the {side}
    {side}-hand side
    on (my|our|your) {side}
    """)
        for side in ("left", "right")
    },
    "in the front": Grammar(f"""
    (in|at|to) the front*7
    in the foreground*4
    (in|at) the front [part] of the {_PICTURE}*2
    at the bottom [of the {_PICTURE}]*3
    (close|near|closer|nearest) to (the camera|us|me|the viewer)*2
    near the (front|bottom|camera)*2
    in front*2
    (up|out|right|down) (in|at the) front
    towards the (front|camera|bottom|viewer)
    at the bottom [edge|part] of the {_PICTURE}
    down (below|here)
    at front
    front
    (right|here) in front*2
    """),
    "in the back": Grammar(f"""
    (in|at|to) the back*7
    in the background*4
    (in|at) back*1
    (in|at) the back [part] of the {_PICTURE}*2
    at the top [of the {_PICTURE}]*3
    (at|in|to) the rear
    up there
    behind
    at the far end
    near the (back|top)*2
    (far|further|far away) from (the camera|us|me|the viewer)
    in the distance*2
    (over|way|out|up) in the back
    towards the (back|top|rear)
    at the top [edge|part] of the {_PICTURE}
    all the way (in|at) the back
    """),
    **{
        f"far on the {side}": Grammar(f"""
    (on|to|at) the far {side}*5
    far (on the|to the|) {side}*2
    all the way (on|to|over on) the {side}*2
    at the {side} (edge|border|end) [of the {_PICTURE}]*2
    way over on the {side}
    (on|at) the very {side}
    as far {side} as (possible|you can)
    at the far {side} [side|edge]
    """)
        for side in ("left", "right")
    },
    "far in the front": Grammar(f"""
    at the very (front|bottom)*3
    (far|all the way) (in|at|to) the (front|bottom)
    (right|directly) in front of (us|me|the camera|the viewer)*2
    at the (front|bottom|lower) (edge|border) [of the {_PICTURE}]
    as close to (us|the camera|me) as possible
    """),
    "far in the back": Grammar(f"""
    at the very (back|top)*3
    (far|all the way) (in|at|to) the back*2
    at the (back|top|upper) (edge|border) [of the {_PICTURE}]
    as far (back|away) as (possible|you can)
    (far|way) back
    far away
    """),
    **{
        f"{depth} {side}": Grammar(f"""
    (in|into|at) the {{d}} {side}*4
    in the {{d}}[-| ]{side} corner*3
    in the {side} {{d}} corner
    (in|at) the {{d}} {side} (part|quarter|of the {_PICTURE}|corner of the {_PICTURE})
    on the {side}, in the {depth}
    (in|at) the {depth} (on|to) the {side}*2
    (on|at) the {side} (in|at) the {depth}
    {{d}} {side}
    """, d=Grammar(d))
        for depth, d in (("back", "(back*3|top*2|upper|rear)"), ("front", "(front*3|bottom*2|lower)"))
        for side in ("left", "right")
    },
}  # fmt: skip
EVERYTHING = Grammar("""
    everything [else]*2
    all the (others|other ones|other objects|rest)
    all of them
    the (others|rest)
    all [the] others
    """)
ANYWHERE = Grammar("""
    somewhere*4
    anywhere*3
    (anywhere|wherever) you (like|want|please|wish)
    where[ver] there('s| is) (room|space|a gap)
    (somewhere|anywhere) in the (picture|scene|image)*2
    in (a free|a random|a suitable|an empty) (spot|place)
    where it fits
    in the (picture|scene|image|drawing)*3
    on the (ground|floor|canvas)*2
    (in|to|into) (the scene|the picture|the image|there)*3
    there*2
    to (what we have|these|the others|it all|the rest)
    """)

# of a move, from where a thing stands
WAY = {
    side: Grammar(f"""
        to the {side}*6
        {side}*2
        {side}wards
        to the {side} [side]
        over to the {side}*2
        towards the {side}
        across to the {side}
        """)
    for side in ("left", "right")
}  # fmt: skip
WAY["front"] = Grammar("""
    to the front*4
    forward*3
    forwards*2
    to the foreground
    towards (us|me|the camera)*2
    down*2
    to the bottom
    """)
WAY["behind"] = Grammar("""
    to the back*4
    back*3
    backwards*2
    to the background*2
    away from (us|me|the camera)*2
    up
    to the top*2
    towards the back
    """)
_BIT = "(a bit|a little|slightly|a little bit|a tad|somewhat|one step|a touch|a few steps|a bit more)"
A_BIT = {side: Grammar(f"""
    {_BIT} (to the|further|further to the|) {side}*6
    {side} {_BIT}*2
    to the {side} {_BIT}
    {side}wards {_BIT}
    """)
         for side in ("left", "right")}  # fmt: skip
A_BIT["front"] = Grammar(f"""
    {_BIT} (forward|forwards|closer|nearer|to the front|further forward|further down|down)*4
    {_BIT} (closer|nearer) to (us|me|the camera|the viewer)*2
    forward {_BIT}
    closer {_BIT}
    """)
A_BIT["behind"] = Grammar(f"""
    {_BIT} (back|backwards|further back|to the back|farther away|further away|up)*5
    back {_BIT}*2
    {_BIT} (further|farther) [away] from (us|me|the camera)
    """)
FURTHER = {side: Grammar(f"""
    (further|farther|more|some more) [to the] {side}*3
    to the {side}*5
    {side}*2
    {side}wards
    (to the|) {side} some more
    over to the {side}
    """)
           for side in ("left", "right")}  # fmt: skip
FURTHER["front"] = Grammar("""
    (further|farther|more) (forward|to the front|down)
    (closer|nearer) to (us|me|the camera|the viewer)*3
    forward*3
    forwards*2
    (closer|nearer)
    towards (us|me|the camera|the viewer)*2
    down
    """)
FURTHER["behind"] = Grammar("""
    (further|farther) (back|away|off)*3
    (further|farther) [away] from (us|me|the camera|the viewer)*2
    back*3
    backwards*3
    away from (us|the camera|me)*2
    up
    into the background
    """)
OTHER_SIDE = Grammar(
    "(to|on|onto) the other side of {x}*4\n(to|on) the opposite side of {x}*2\nover to the other side of {x}"
)
CLOSER = Grammar("(closer|nearer) to {x}*5\n(towards|toward) {x}*3\nup to {x}\nin the direction of {x}")
FARTHER = Grammar("away from {x}*4\n(further|farther) [away] from {x}*4")
