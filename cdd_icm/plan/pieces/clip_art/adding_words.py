"""Ways to ask for pieces of clip art, beside those of `plan.shared.speech.additions`, whose slots they have;
`{y}` is what a piece looks at, `{d}` a side, `{x}` a person who is given something, `{k}` a general word."""

from cdd_icm.plan.shared.speech.grammar import Grammar

TERSE = Grammar("""
    {n} {p}*6
    {p} {n}*5
    {n}, {p}*3
    {p}, {n}*2
    {p} is {n}*2
    {n} is {p}*2
    {p} there is {n}*2
    there is {n} {p}*2
    {n} in picture {p}
    ok {n} {p}
    next {n} {p}
    then {p} {n}
    {p} you see {n}
    {n} placed {p}
    {n}. {p}
    """)
"""As CoDraw's tellers write."""
ADD_MANY_DO = Grammar("""
    (<add>*6|<put>*4|<draw>*3|<place>*3|<insert>|<create>|<include>|<give> me|<bring> in|<throw> in|\
        <pop> in|<stick> in|<have>) {n}*10
    <add> {n} (too|as well|to the picture|to it)
    """)
ADD_MANY_SAY = Grammar("""
    {n}*8
    there (should be|must be|could be|has to be|needs to be|are|should also be) {n}*3
    I (want|need|would like|'d like|'d love|could use|also want) {n}*4
    I (want|would like|'d like) to (see|have|add|get) {n}*2
    (we|you) (need|want|could use|also need) {n}*2
    let's (have|add|try|get|see|draw) {n}*3
    (how|what) about {n}[?]
    (can|could|may) (I|we) (get|have|see|add) {n}[?]*3
    it would be (nice|great|good|lovely) to have {n}
    (this|the) (picture|scene|image) (needs|lacks|could use) {n}
    next: {n}
    {n}, please*2
    {n} (are|is) missing
    """)
FACE_SIDE = Grammar("""
    facing {d}*8
    facing [to] the {d}*4
    looking {d}*4
    looking to the {d}*3
    looking toward[s] the {d}
    turned [to the] {d}*2
    {d} facing*2
    who faces {d}
    faced {d}*2
    faces {d}*2
    pointing {d}
    pointing to the {d}
    facing {d} side
    that looks {d}
    """)
FACE_MARK = Grammar("""
    looking at {y}*6
    facing {y}*5
    looking towards {y}*2
    facing toward[s] {y}*2
    turned to {y}
    staring at {y}
    watching {y}*2
    """)
FACE_AWAY = Grammar(
    "facing away from {y}*4\nlooking away from {y}*2\nwith the back to {y}*2\nturned away from {y}"
)
GIVE = Grammar("""
    <give> {x} {n}*14
    <hand> {x} {n}*4
    <get> {x} {n}*2
    <bring> {x} {n}
    <add> {n} for {x}*3
    <let> {x} have {n}*4
    <provide> {x} with {n}
    <equip> {x} with {n}
    """)
GIVE_WORN = Grammar(
    """
    <put> {n} on {x}*6
    <let> {x} wear {n}*4
    <make> {x} wear {n}*4
    <have> {x} (wear|wearing) {n}*3
    <dress> {x} (with|in) {n}
    <crown> {x} with {n}
    """.replace("    <crown> {x} with {n}\n", "")
)
GIVE_HELD = Grammar("""
    <let> {x} (hold|carry) {n}*4
    <make> {x} (hold|carry) {n}*4
    <have> {x} (hold|holding|carry|carrying) {n}*4
    <put> {n} in the hand of {x}
    """)
GIVE_SAY = Grammar("""
    {x} (should|must|could|needs to) (have|get) {n}*3
    {x} (gets|has) {n}*3
    {x} (needs|wants|would like|could use|deserves) {n}*4
    {x} with {n}*2
    I want {x} to have {n}*3
    (can|could) {x} (have|get) {n}?*3
    {n} for {x}*2
    """)
WORN_SAY = Grammar("""
    {x} (should|must|could|needs to) (wear|be wearing) {n}*4
    {x} (is wearing|wears|wearing) {n}*6
    I want {x} (to wear|wearing) {n}*2
    (can|could) {x} wear {n}?*2
    {x} has {n} on*2
    """)
HELD_SAY = Grammar("""
    {x} (should|must|could|needs to) (hold|be holding|carry) {n}*4
    {x} (is holding|holds|holding|is carrying|carrying) {n}*6
    I want {x} (to hold|holding|to carry) {n}*2
    (can|could) {x} hold {n}?*2
    {x} has {n} in hand
    """)
ANOTHER = Grammar("another {k}*6\none more {k}*4\na second {k}*2\na different {k}*2\nan additional {k}\n"
                  "an extra {k}\nanother kind of {k}\nyet another {k}\nsome other {k}")  # fmt: skip
HE_GETS = Grammar("""
    {x} (should|must|could|needs to) (have|get) {n}*3
    {x} (gets|has|needs|wants|could use|deserves) {n}*4
    (can|could) {x} (have|get) {n}?*2
    """)
HE_WEARS = Grammar("""
    {x} (should|must|could|needs to) (wear|be wearing) {n}*3
    {x} (is wearing|wears) {n}*4
    {x} has {n} on*2
    (can|could) {x} wear {n}?*2
    """)
HE_HOLDS = Grammar("""
    {x} (should|must|could|needs to) (hold|be holding|carry) {n}*3
    {x} (is holding|holds|is carrying|carries) {n}*4
    (can|could) {x} hold {n}?*2
    """)
"""Of a person as the subject."""
DRESS = Grammar("""
    <dress> {x} [up] as {n}*5
    <make> {x} (look like|be) {n}*3
    <dress> {x} like {n}*2
    <turn> {x} into {n}
    <let> {x} be {n}*2
    """)
GIVE_BOTH = Grammar("""
    <give> (everyone|everybody|both kids|both of them|the kids|each kid|the children|each of the kids) a hat*5
    <give> (both kids|the kids|both of them|the children) hats*4
    <put> hats on (both kids|the kids|everyone|both|the children|both of them)*4
    <put> a hat on (everyone|each kid|both kids|each of them|everybody)*3
    <let> (both kids|the kids|everyone) wear (hats|a hat)*2
    <add> hats for (everyone|both kids|the kids)*2
    """)
WEARING = Grammar("""
    wearing {n}*6
    with {n} [on]*5
    with {n} on {o} head*2
    in {n}
    who wears {n}
    who is wearing {n}
    """)
HOLDING = Grammar("""
    holding {n}*6
    with {n}*3
    with {n} in {o} hand*5
    carrying {n}*3
    who (holds|is holding|carries) {n}*2
    """)
WITH_ON_IT = Grammar("with {n} on it*5\nwith {n} [on top]*3\nthat has {n} on it*2")
WITH_IN_IT = Grammar("with {n} in it*6\nwith {n}*2\nthat has {n} in it*2\nwith {n} inside")
"""What comes with a piece that is added."""
HAND_OVER = Grammar("""
    <give> {x} to {y}*8
    <hand> {x} [over] to {y}*4
    <let> {y} have {x}*3
    <pass> {x} to {y}*2
    <bring> {x} to {y}
    """)
HAND_OVER_WORN = Grammar("""
    <put> {x} on {y}*5
    <let> {y} wear {x}*4
    <make> {y} wear {x}*3
    <have> {y} wear {x}*2
    """)
SIT_ON = Grammar("""
    (<make>|<let>*2|<have>*2) {x} sit [down] {p} {y}*6
    <sit> {x} [down] {p} {y}*4
    <seat> {x} {p} {y}*2
    <put> {x} sitting {p} {y}
    """)
SIT_ON_SAY = Grammar("""
    {x} (should sit|sits|is sitting|sitting|should be sitting|must sit) {p} {y}*6
    I want {x} (to sit|sitting) {p} {y}*2
    (can|could) {x} sit {p} {y}?*2
    """)
"""Of pieces that are there already; `{y}` is who gets the piece, or what a person sits on."""
