"""How people ask for another colour, size or shape; the grammars are of two kinds, as in `additions`.

The slots: `{x}` is what is changed ("the cube", "them"), `{c}` its colour and `{o}` the one before, `{t}`
what it becomes ("a ball"), `{a}` the shape it gets and `{b}` the one it had ("round"), `{y}` a second thing,
`{d}` its colour.
"""

from cdd_icm.plan.shared.speech.grammar import Grammar

MATCH_DO = Grammar("""
    <make> {x} the same (colour|color) as {y}*5
    <give> {x} the (colour|color) of {y}*3
    <paint> {x} like {y}*2
    <paint> {x} in the same (colour|color) as {y}
    <paint> {x} the (colour|color) of {y}
    <change> {x} to the (colour|color) of {y}
    <match> the (colour|color) of {x} to (that of|the one of) {y}
    <make> {x} match {y} in (colour|color)
    <colour> {x} like {y}
    <let> {x} have the same (colour|color) as {y}
    <make> {x} as {c} as {y}
    """)
MATCH_SAY = Grammar("""
    {x} should (have|be|get) the same (colour|color) as {y}*3
    {x} in the same (colour|color) as {y}
    {x} and {y} should have the same (colour|color), {c}
    I (want|'d like) {x} in the (colour|color) of {y}
    {x} should be as {c} as {y}
    {x} and {y} should match in (colour|color), both {c}
    """)

RECOLOUR_DO = Grammar("""
    <make> {x} {c}*14
    <paint> {x} {c}*6
    <turn> {x} {c}*6
    <colour> {x} {c}*4
    <color> {x} {c}*4
    <change> {x} to {c}*5
    <change> the (colour|color) of {x} to {c}*4
    <change> {x} from {o} to {c}*3
    <turn> {x} from {o} to {c}
    <turn> {x} [in]to {c}
    <dye> {x} {c}
    <recolour> {x} [in] {c}*2
    <recolor> {x} [to] {c}*2
    <repaint> {x} [in] {c}*2
    <switch> {x} to {c}
    <switch> the (colour|color) of {x} to {c}
    <swap> the {o} of {x} for {c}
    <give> {x} a {c} (colour|color|coat|paint job)*2
    <set> {x} to {c}
    <set> the (colour|color) of {x} to {c}*2
    <make> {x} {c} (instead|instead of {o}|rather than {o}|, not {o}|and not {o})*3
    <make> {x} (look|become|be|turn) {c}
    <colour> {x} in {c}
    <tint> {x} {c}
    <spray> {x} {c}
    <paint> {x} in {c}
    <change> {x} so it's {c}
    <let> {x} be {c}
    <have> {x} {c}
    <make> {x} a {c} one
    <make> {x} into a {c} one
    <replace> {x} by a {c} one*2
    <replace> {x} with a {c} one*2
    <swap> {x} for a {c} one*2
    <change> {x} for a {c} one
    <turn> {x} into a {c} one*2
    <paint> {x} over in {c}
    <coat> {x} in {c}
    <exchange> {o} for {c} on {x}
    <colorize> {x} [in] {c}
    <redo> {x} in {c}
    <put> some {c} (paint|colour|color) on {x}
    <render> {x} {c}
    <make> {x} (fully|completely|all|entirely) {c}
    <convert> {x} to {c}
    <make> the (colour|color) of {x} {c}*2
    """)
RECOLOUR_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|become|turn|be painted|be coloured|be colored) {c}*8
    {x} should have been {c}*2
    {x} (should|must|needs to) be {c} (instead|instead of {o}|rather than {o}|, not {o})*4
    I (want|would like|'d like|need|'d love) {x} [to be] {c}*5
    I('d| would) (prefer|rather have|like) {x} in {c}*3
    I want the (colour|color) of {x} to be {c}
    (can|could) {x} be {c} [instead|please]?*3
    let's (make|paint|turn|colour|color) {x} {c}*3
    {x} in {c} [please]*2
    {c} (would suit {x} better|is better for {x}|would be a better colour for {x})*2
    {x} (would look|looks) (better|nicer|great) in {c}*2
    {x}: {c}
    {x} shouldn't be {o}(, but|, it should be| but) {c}*2
    {c} (instead of|rather than) {o} for {x}*2
    {x} (is|becomes|turns) {c} [now]*2
    now {x} is {c}
    the (colour|color) of {x} should be {c}*2
    how about [making] {x} {c}?
    what if {x} (was|were) {c}?
    I meant {x} to be {c}
    {c} for {x}[, please]
    (want|need|gimme) {x} [in|to be] {c}*2
    {x} -> {c}
    {x} {c}*2
    {x} {c}, please
    I (meant|wanted) {x} in {c}
    {x} is (better|nicer|prettier) [in] {c}
    {x} (isn't|is not) supposed to be {o} but {c}
    I (imagined|pictured|see) {x} (as|in) {c}
    {x} has the wrong (colour|color)[,|:] (it should be|make it|I want) {c}*2
    (no more|enough) {o}, make {x} {c}
    {x} is {o}(, but it should be| but should be|, make it) {c}*2
    """)  # fmt: skip
RECOLOUR_IT = Grammar("""
    not {o}[,|!|:] {c}*4
    not {o}, (I meant|but|I said|I want|rather) {c}*3
    (I meant|I wanted|make that|no,) {c} (, not {o}|instead|instead of {o}|rather than {o})*4
    (sorry|oops|no|wait), [I meant] {c} [not {o}]*2
    {c} instead*2
    (rather|better) {c}*2
    actually, {c} [instead of {o}]
    a different (colour|color): {c}
    {c} would be (better|nicer)*2
    """)
"""Of the object that the turn before spoke of last."""

SMALLER_DO = Grammar("""
    <make> {x} smaller*12
    <make> {x} (small|tiny|little|mini)*5
    <shrink> {x}*6
    <shrink> {x} [down] [a bit|a little]
    <reduce> {x} [in size]*2
    <reduce> the size of {x}*2
    <scale> {x} down*2
    <scale> down {x}
    <downsize> {x}
    <make> {x} (a bit|a little|much|a lot|way|even) smaller*3
    <make> {x} (less big|less large|not so big|half the size|half as big)*2
    <decrease> the size of {x}
    <resize> {x} to (small|be smaller|a smaller size)
    <change> the size of {x} to small*2
    <change> {x} to (small|a small one|the small size)
    <set> {x} to small
    <turn> {x} small
    <diminish> {x}
    <minimize> {x}
    <compress> {x}
    <trim> {x} down
    <halve> {x}
    <halve> the size of {x}
    <make> {x} a (small|tiny|little|smaller) one*2
    <replace> {x} (with|by) a (smaller|small|tiny) one*2
    <swap> {x} for a (smaller|small|tiny) one
    <bring> the size of {x} down
    <make> {x} shrink*2
    <cut> {x} down [to size]
    <let> {x} (shrink|be smaller)
    <make> a smaller version of {x}
    """)  # fmt: skip
SMALLER_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|get|become) (smaller|small|a bit smaller|tiny|\
        much smaller)*6
    {x} should (shrink|be shrunk|be reduced)*2
    {x} (is|looks) (too|way too|much too|a bit too) (big|large|huge)[, make it smaller|, shrink it]*5
    I (want|would like|'d like|need|prefer) {x} [to be] (smaller|small|tiny)*4
    (can|could) {x} be (smaller|a bit smaller|small)?*2
    let's (make {x} smaller|shrink {x})*3
    {x} smaller[, please]*2
    {x} shouldn't be (so|that|this) (big|large)*2
    {x} is not small enough
    I('d| would) prefer {x} small
    {x} but smaller
    """)  # fmt: skip
BIGGER_DO = Grammar("""
    <make> {x} bigger*12
    <make> {x} larger*7
    <make> {x} (big|large|huge|giant)*5
    <enlarge> {x}*5
    <grow> {x}*3
    <increase> the size of {x}*2
    <increase> {x} [in size]
    <scale> {x} up*2
    <scale> up {x}
    <blow> {x} up
    <expand> {x}
    <make> {x} (a bit|a little|much|a lot|way|even) (bigger|larger)*3
    <make> {x} (less small|less tiny|not so small|twice as big|twice the size|double the size)*2
    <double> the size of {x}
    <upsize> {x}
    <resize> {x} to (large|be bigger|a larger size)
    <change> the size of {x} to (large|big)*2
    <change> {x} to (large|big|the large size)
    <set> {x} to (large|big)
    <turn> {x} big
    <let> {x} (grow|be bigger|get bigger)
    <magnify> {x}
    <make> {x} (grow|full size|normal sized)*2
    <upscale> {x}
    <inflate> {x}
    <extend> {x}
    <make> {x} a (large|big|huge|bigger) one*2
    <replace> {x} (with|by) a (bigger|large|big|larger) one*2
    <swap> {x} for a (bigger|large|big) one
    <raise> the size of {x}
    <pump> {x} up
    <give> {x} a bigger size
    """)
BIGGER_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|get|become) (bigger|larger|large|big|\
        a bit bigger|much bigger)*6
    {x} should (grow|be enlarged|have more size)*2
    {x} (is|looks) (too|way too|much too|a bit too) (small|tiny|little)[, make it bigger|, enlarge it]*5
    I (want|would like|'d like|need|prefer) {x} [to be] (bigger|larger|big|large)*4
    (can|could) {x} be (bigger|larger|a bit bigger|large)?*2
    let's (make {x} bigger|enlarge {x}|make {x} larger)*3
    {x} (bigger|larger)[, please]*2
    {x} shouldn't be (so|that|this) (small|tiny)*2
    {x} is not (big|large) enough*2
    I('d| would) prefer {x} (large|big)
    {x} but (bigger|larger)
    """)

BECOME_DO = Grammar("""
    <turn> {x} into {t}*10
    <replace> {x} with {t}*9
    <replace> {x} by {t}*4
    <change> {x} (into|to) {t}*8
    <make> {x} {t}*4
    <swap> {x} for {t}*4
    <swap> {x} with {t}
    <exchange> {x} for {t}*2
    <exchange> {x} (with|against|by) {t}
    <substitute> {x} with {t}*2
    <substitute> {t} for {x}*2
    <switch> {x} (for|to|with) {t}*2
    <transform> {x} into {t}*2
    <convert> {x} (into|to) {t}*2
    <put> {t} in place of {x}*2
    <put> {t} where {x} is [now]*2
    <put> {t} instead of {x}*2
    <make> {x} become {t}
    <have> {t} instead of {x}
    <trade> {x} for {t}
    <use> {t} instead of {x}
    <place> {t} where {x} (was|is|stands)*2
    <drop> {x} and (add|put|use) {t} instead
    <get> rid of {x} and <put> {t} (there|in its place|where it was)
    <rework> {x} into {t}
    <alter> {x} (in|)to {t}
    <modify> {x} to be {t}
    <remake> {x} as {t}
    <redraw> {x} as {t}*2
    <switch> out {x} for {t}
    <swap> out {x} for {t}*2
    <upgrade> {x} to {t}
    <have> {x} (be|become) {t}
    <turn> {x} to {t}
    <draw> {t} instead of {x}
    <morph> {x} into {t}
    <take> {x} away and <put> {t} in its place*2
    <remove> {x} and <put> {t} (in its place|there instead|there|where it was|at the same place)*3
    <let> {x} be {t} [instead]
    <reshape> {x} into {t}
    """)
BECOME_SAY = Grammar("""
    {x} (should|must|has to|ought to|needs to) be {t} [instead]*6
    {x} should (become|turn into|be replaced (by|with)|have been|be swapped for|be changed (in|)to) {t}*4
    I (want|would like|'d like|need|'d prefer|prefer) {t} instead of {x}*4
    I('d| would) rather have {t} than {x}*2
    instead of {x}[,] (I want|I'd like|put|draw|there should be|make it|we need|I'd prefer|let's have) {t}*4
    {t} instead of {x}*3
    {t} (rather than|in place of) {x}*2
    (can|could) {x} be {t} [instead]?*2
    let's (turn {x} into|replace {x} with|change {x} (in|)to|swap {x} for|make {x}) {t}*2
    I want {x} to (be|become) {t}*2
    (can|could) you make {x} {t}?
    {x} is now {t}
    what if {x} (was|were) {t}?
    in place of {x}, (put|I want|there should be|draw) {t}*2
    {x} becomes {t}*2
    {x} -> {t}
    {x}? (make it|better|rather|no,) {t}
    (not {x} but|rather than {x},|no {x} but) {t}
    I (meant|wanted) {t}, not {x}*2
    {x} is (wrong|not right)[,|:] (it should be|make it|I want|put) {t}*2
    {x} (could|would) be (nicer|better) as {t}
    (what about|how about) {t} instead of {x}?
    I (imagined|pictured) {x} as {t}
    {x} should rather be {t}*2
    {x} is supposed to be {t}
    {x} was meant to be {t}
    where {x} is (now|), (put|there should be|I want) {t}
    """)
BECOME_IT = Grammar("""
    (sorry|oops|no|wait), I (meant|wanted) {t}*3
    make (that|it) {t} (instead|)*3
    (actually|no), {t} [instead]*2
    {t} instead*2
    I (meant|wanted) {t} [, sorry]*2
    """)
RESHAPE_DO = Grammar("""
    <make> {x} {a}*4
    <change> the shape of {x} to {t}*3
    <turn> {x} {a}
    <make> {x} (more|) {a}
    <make> {x} {a} (instead|rather than {b}|instead of {b})*2
    """)  # fmt: skip
"""Where the shape alone changes; `{a}` is "round", and `{b}` what it was."""

MAKE_BOTH_DO = Grammar("""
    <make> {x} {z} and {c}*4
    <make> {x} {c} and {z}*4
    <turn> {x} {c} and {z}
    <change> {x} to {z} and {c}
    """)
MAKE_BOTH_SAY = Grammar("""
    {x} should be {z} and {c}*2
    {x} should be {c} and {z}*2
    I (want|'d like) {x} {z} and {c}
    {x} must be {c} and {z}
    """)
TWO_COLOURS_DO = Grammar("""
    (<make>|<paint>|<turn>|<colour>|<color>) {x} {c} and {y} {d}*4
    <make> {x} {c} and {y} {d} (instead|)
    <change> {x} to {c} and {y} to {d}*2
    <paint> {x} {c}, {y} {d}
    """)
TWO_COLOURS_SAY = Grammar("""
    {x} should be {c} and {y} {d}*3
    {x} (in|is) {c} and {y} (in|is) {d}
    {x} {c}, {y} {d}
    I (want|'d like) {x} {c} and {y} {d}*2
    """)
