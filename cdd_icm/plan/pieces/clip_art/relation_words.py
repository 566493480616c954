"""How people say where a piece is put from another: `{x}` is that one as an object ("him"), `{o}` its
possessive ("his")."""

from cdd_icm.plan.shared.speech.grammar import Grammar

NEAR = Grammar("""
    next to {x}*12
    near {x}*7
    beside {x}*7
    by {x}*5
    close to {x}*4
    right next to {x}*2
    (close|right) by {x}*2
    alongside {x}
    not far from {x}
    near to {x}
    nearby {x}
    at the side of {x}*2
    (very|quite|pretty|really) close to {x}
    adjacent to {x}
    (almost|nearly) touching {x}
    with {x}
    along side {x}
    a bit away from {x}
    around {x}
    at {x}*2
    """)
ABOVE = Grammar("""
    above {x}*9
    over {x}*5
    (right|just|directly|high|a bit|an inch) above {x}*3
    up above {x}
    (hovering|floating|flying) (above|over) {x}
    above {o} head
    over {o} head*2
    over the top of {x}
    """)
ABOVE_THING = Grammar("""
    above {x}*9
    over {x}*5
    (right|just|directly|high|a bit|an inch) above {x}*3
    up above {x}
    (hovering|floating|flying) (above|over) {x}
    over the top of {x}
    higher than {x}
    """)
BELOW = Grammar("""
    below {x}*6
    under {x}*8
    underneath {x}*4
    beneath {x}*3
    (right|just|directly) (below|under|beneath|underneath) {x}*2
    lower than {x}
    """)
UNDER = Grammar(
    "under {x}*9\nunderneath {x}*5\nbeneath {x}*3\nbelow {x}*3\n(right|just|directly) (under|underneath) "
    "{x}\n"
    "in the shade of {x}\nat the foot of {x}"
)
ON = Grammar(
    "on {x}*9\non top of {x}*5\nonto {x}*2\nsitting on {x}\nup on {x}\nright on {x}\non top {x}\nlying on {x}"
)
IN = Grammar("in {x}*9\ninside {x}*5\ninside of {x}*2\ninto {x}*2\n(sitting|right) in {x}\nwithin {x}")
BEHIND = Grammar(
    "behind {x}*12\n(right|just|a bit|partly|half) behind {x}*3\nin back of {x}*2\nhidden behind {x}\nat "
    "the back of {x}\n"
    "behind of {x}\n(peeking out|hiding|standing) behind {x}"
)
FRONT = Grammar(
    "in front of {x}*12\n(right|just|a bit|directly) in front of {x}*3\nbefore {x}\ninfront of {x}\nin "
    "front {x}\n"
    "covering part of {x}"
)
ON_HEAD = Grammar("""
    on {o} head*12
    on {x}*7
    on top of {o} head*3
    on the head of {x}*2
    for {x}*3
    on {o} hair
    on {o} noggin
    atop {o} head
    """)
ON_EYES = Grammar("""
    on {x}*6
    on {o} face*5
    over {o} eyes*4
    on {o} nose*3
    on {o} eyes*2
    for {x}*3
    covering {o} eyes
    on {o} head
    """)
IN_HAND = Grammar("""
    in {o} hand*10
    in {o} hands*3
    in the hand of {x}*2
    for {x} to hold
    at {o} hand
    held by {x}
    in {o} (palm|grip)
    near {o} hand*2
    on {o} hand*2
    """)
IN_SIDE_HAND = {
    side: Grammar(
        f"in {{o}} {side} hand*6\nat {{o}} {side} hand\nin the {side} hand of {{x}}\non {{o}} {side} hand"
    )
    for side in ("left", "right")
}
AT_FEET = Grammar("""
    (at|by|near|next to|beside) {o} (feet|foot)*9
    (at|by) the feet of {x}*2
    on {o} (foot|feet|toes)
    in front of {o} (feet|foot)*2
    (touching|under) {o} foot
    """)
FAR = Grammar(
    "(far|far away|well away|a long way) from {x}*3\nat some distance from {x}\naway from {x}\nnot near {x}"
)
OTHER_SIDE = Grammar("on the opposite side of the picture from {x}\n(across from|opposite) {x}\n"
                      "on the other side of the (picture|scene) from {x}")  # fmt: skip
OFF = {
    side: Grammar(f"""
    (a bit|a little|slightly|just|an inch|a few steps|right|immediately) (to the|) {side} of {{x}}*4
    (far|a long way|far over|two inches) to the {side} of {{x}}*2
    {side} (next to|beside) {{x}}
    """)
    for side in ("left", "right")
}
HIS_SIDE = {
    side: Grammar(
        f"to {{o}} {side}*3\non {{o}} {side}*2\non {{o}} {side} side\nat {{o}} {side}[-| ]hand side"
    )
    for side in ("left", "right")
}
CLOSER = Grammar("(closer|nearer) to {x}*8\n(towards|toward) {x}*4\nin the direction of {x}\nnearer {x}\n"
                  "(a bit|a little|much) (closer|nearer) to {x}*2")  # fmt: skip
AWAY = Grammar(
    "away from {x}*5\n(further|farther) [away] from {x}*5\n(a bit|a little) [further] away from {x}*2"
)
ACROSS = Grammar("(to|on|onto|over to) the other side of {x}*5\n(to|on) the opposite side of {x}")
