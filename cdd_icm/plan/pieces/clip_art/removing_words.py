"""Ways to remove and replace pieces of clip art, beside those of `plan.shared.speech.movements`, whose slots
they have; `{y}` is what stays, `{t}` what comes instead."""

from cdd_icm.plan.shared.speech.grammar import Grammar

EVERYTHING = Grammar("""
    everything*9
    (all|it all|all of it|the lot|the whole thing)*2
    everything (in|from) the (picture|scene|canvas)*2
    all [of] the (things|objects|pieces|stuff)*2
    everything (that is there|you drew|there is)
    every (thing|object|single thing|piece)
    the whole (scene|picture)
    """)
CLEAR = Grammar("""
    <clear> (the (picture|canvas|scene|page|screen|board|image)|everything|all|it all)*6
    <start> (over|again|afresh|from scratch|anew|a new picture)*4
    <wipe> (the (canvas|picture|board|slate)|everything) [clean]*2
    <empty> the (picture|canvas|scene|page)*2
    <begin> (again|anew|from scratch)
    <make> (the (picture|canvas|scene)|it) (empty|blank)*2
    <give> me (an empty|a blank|a clean|a fresh) (canvas|page|picture|sheet)*2
    <reset> (the (picture|canvas|scene)|everything|it all)*2
    <remove> everything
    """)
EXCEPT = Grammar("""
    everything (but|except|except for|apart from|other than|besides) {y}*6
    all (but|except|except for|apart from) {y}*3
    everything that (is not|isn't) {y}
    all [the] other things than {y}
    """)
KEEP_ONLY = Grammar("""
    <keep> only {y}*4
    <leave> only {y}*3
    <keep> {y} and <remove> (everything else|the rest|all the rest)*3
    <remove> (everything else|the rest|all the rest) and <keep> {y}
    <keep> {y}, (everything else|the rest) can go
    <keep> just {y}*2
    <leave> {y} alone in the picture
    """)
REMOVE_MORE_SAY = Grammar("""
    no more {k}*4
    no {k}*3
    no {k}, please*2
    without {x}*4
    the (picture|scene) without {x}*2
    I (don't|do not) want (a|any|the) {k} [any more|anymore|there|in (it|the picture)]*5
    I (don't|do not) (need|like) (a|any|the) {k}
    there (shouldn't|should not) be (a|any) {k}*3
    there is no {k} [in the picture|here]*2
    (who needs a|why is there a) {k}?
    {x} (leaves|is gone|goes away|goes|disappears|has left|vanishes)*4
    (bye bye|goodbye|so long) {k}
    {x} has to leave
    {x} (looks|is) (scary|ugly|silly|wrong|in the way), (remove it|take it away|get rid of it)*3
    I('ve| have) had enough of {x}
    I changed my mind about {x}, (remove it|take it away|it should go)*2
    """)
"""In addition to the shared ones; `{k}` is what is removed without an article."""
OTHER_INSTEAD = Grammar("another {k}*5\na different {k}*6\nsome other {k}*2\nanother kind of {k}*2")
REPLACE_SAY = Grammar("""
    I (want|would like|'d like|'d prefer|prefer|meant) {t} instead of {x}*6
    {t} instead of {x}*5
    {x} should be {t} [instead]*4
    {t} (would be better than|rather than) {x}*2
    (not {x}|no {k}) but {t}*2
    it should be {t}, not {x}*2
    I'd rather have {t} than {x}*2
    let {x} become {t}
    instead of {x}[,] (I want|I'd like|there should be|put|draw|give me) {t}*5
    {x} should (have been|be) {t}
    not {x}, {t}
    {x} (becomes|turns into) {t}*2
    (can|could) {x} be {t} instead?*2
    (can|could) we have {t} instead of {x}?*3
    """)
