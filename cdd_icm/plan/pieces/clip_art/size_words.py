"""Ways to ask for another size: `{x}` is what is changed, `{k}` the same without an article, `{s}` the
size, `{y}` a second thing."""

from cdd_icm.plan.shared.speech.grammar import Grammar

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
    (bigger|larger) {k}*3
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
    smaller {k}*3
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
