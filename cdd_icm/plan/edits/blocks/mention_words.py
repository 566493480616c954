"""How people point at blocks: `{k}` is a noun ("cube", "one"), `{o}` what they stand by, `{n}` their
number."""

from cdd_icm.plan.shared.speech.grammar import Grammar

IT = Grammar("""
    it*16
    that one*2
    this one*2
    that*2
    this
    that thing
    this thing
    that object
    the same one
    the thing
    """)
LAST = Grammar("""
    the last (one|object|thing|{k})*3
    the one [that] you (just|) (added|made|drew|placed|put [in|down])*2
    the one [that] I just (asked for|added|mentioned)
    the ({k}|object|thing) you (just|last) (added|drew|made|put)*2
    what you just (added|drew|made)
    the last (one|thing|object) [that] (you|I|we) (added|drew|placed|made|asked for)
    the (one|{k}) (just added|just placed|from before|we just added)
    the (newest|latest) (one|object|{k})
    the new ({k}|one)
    the most recent (one|{k})
    """)
NEWEST = Grammar("""
    the (newest|latest) (one|object|thing|{k})
    the most (recent|recently added) (one|{k}|object)
    the {k} that was added last
    the {k} [that] you added last
    the (last|latest) {k} [that was|you] added
    """)
CHANGED = Grammar("""
    the one [that] you just (changed|altered|edited|modified)
    the one (we|I) just changed
    the {k} [that] you [just] changed
    """)
NTH = {
    "first": Grammar("""
        the first (one|{k}|object|thing)*3
        the (oldest|original|initial) (one|{k}|object)
        the {k} [that] (you|we|I) (added|drew|started with) first
        the very first (one|{k}|object)
        the (one|thing|{k}) (we|you) (began|started) with
        the first {k} [you] added
        """),
    "second": Grammar("""
        the second (one|{k}|object|thing)*3
        the {k} [that] (you|we) added second
        the 2nd (one|{k})
        """),
    "third": Grammar("the third (one|{k}|object|thing)*3\nthe 3rd (one|{k}|object)"),
}  # fmt: skip
OTHER = Grammar("the other {k}*4\nthat other {k}")
EXTREME = {
    "leftmost": Grammar("""
        the (leftmost|left-most|left|far left|left-hand|outer left) {k}*4
        the {k} [that is] (furthest|farthest|most) [to the] left
        the {k} (furthest|farthest) to the left
        """),
    "rightmost": Grammar("""
        the (rightmost|right-most|right|far right|right-hand|outer right) {k}*4
        the {k} [that is] (furthest|farthest|most) [to the] right
        the {k} (furthest|farthest) to the right
        """),
    "nearest": Grammar("""
        the (nearest|closest|front|frontmost|foremost|nearer|closer) {k}*4
        the {k} (closest|nearest) to (us|me|the camera|the viewer|the front)*3
        the {k} at the very front
        """),
    "farthest": Grammar("the (farthest|furthest|back|rearmost|hindmost|rear|furthest away) {k}*4\n"
                        "the {k} (farthest|furthest) [away] from (us|me|the camera|the viewer)*2\n"
                        "the {k} (furthest|farthest) (back|away)*2\nthe {k} at the very back"),
    "on the left": Grammar("""
        the {k} [that's|that is|standing|which is] (on|to|at) the left [side|hand side]*3
        the {k} (over|) on the left*3
        the left {k}*2
        """),
    "on the right": Grammar("""
        the {k} [that's|that is|standing|which is] (on|to|at) the right [side|hand side]*3
        the {k} (over|) on the right*3
        the right {k}*2
        """),
    "in the front": Grammar("""
        the {k} [that's|that is|which is] (in|at) (the|) front*3
        the {k} in the foreground
        the front {k}
        the {k} at the bottom
        """),
    "in the back": Grammar("""
        the {k} [that's|that is|which is] (in|at) the back*3
        the {k} in the background
        the back {k}
        the {k} at the top
        """),
    "in the middle": Grammar("""
        the {k} [that's|that is|standing|which is] (in|at) the (middle|center|centre)*4
        the (middle|central|center|centre) {k}
        """),
}  # fmt: skip
BESIDES = {
    "left of": Grammar("the {k} [that is|which is|standing] (to the|on the|) left of {o}"),
    "right of": Grammar("the {k} [that is|which is|standing] (to the|on the|) right of {o}"),
    "front of": Grammar("the {k} [that is|which is|that's|standing] in front of {o}"),
    "behind": Grammar("the {k} [that is|which is|that's|standing|right] behind {o}"),
    "near": Grammar("the {k} [that is|which is|that's|standing|right] (next to|beside|near|by|close to) {o}"),
    "nearest to": Grammar("the {k} [that is|] (closest|nearest) to {o}"),
}
ALL = Grammar("""
    all [of them]*3
    everything*3
    all (the|of the) (objects|things|blocks|items|shapes)*3
    every (object|thing|one of them)
    all that is there
    each (object|thing|of them|one)
    the whole (lot|scene)
    them all*2
    all of those
    all {n} of them
    everything (here|there)
    """)  # fmt: skip
ALL_OF = Grammar("""
    all [the|of the] {k}*4
    the {k}*3
    every {o}*2
    each {o}
    all {n} {k}
    the {n} {k}*2
    every single {o}
    any {o}
    """)
BOTH_OF = Grammar("both {k}*3\nboth [of] the {k}*3\nthe two {k}*2\nthe {k}*2\nthe pair of {k}")
THEM = Grammar(
    "them*4\nthem both*2\nboth [of them]*5\nthose two*2\nthe two [of them]*2\nthese two\nboth of those\nthose"
)
THEM_ALL = Grammar("them*4\nthose*2\nthese\nthem all*2\nall {n} [of them]\nthose {n}")
REST = Grammar("""
    the rest*2
    the others*3
    all the others
    the other ones
    all the rest
    the remaining ones
    the other {n}
    """)
EXCEPT = Grammar("""
    everything (except|but|apart from|other than|besides) {o}*3
    all (but|except) {o}*2
    all [the] objects except {o}
    anything but {o}
    """)
