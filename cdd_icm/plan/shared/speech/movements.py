"""How people ask to remove and to move things; the grammars are of two kinds, as in `additions`.

The slots: `{x}` is what is removed or moved ("the cube"), `{k}` its kind ("cube"), `{i}` its pronoun, `{p}` a
place, `{y}` a second thing and `{q}` its place.
"""

from cdd_icm.plan.shared.speech.grammar import Grammar

REMOVE_MANY_SAY = Grammar("""
    {x} (should|must|have to|need to|can|could) (go|disappear|be removed|be deleted|vanish|go away|\
        be erased)*4
    I (don't|do not|no longer) (want|need|like) {x} [any more|anymore|here]*3
    I (want|would like|'d like|need) {x} (gone|removed|deleted|out|to go|erased|taken away)*4
    (can|could) {x} (go|be removed|disappear|be taken away)?*2
    away with {x}*2
    {x} (out|away|gone)*2
    let's (remove|get rid of|delete|lose|erase) {x}*3
    it's better without {x}
    {x}? (remove|delete) them
    """)
"""Of several."""

REMOVE_DO = Grammar("""
    <remove> {x}*16
    <delete> {x}*8
    <erase> {x}*4
    <take> {x} (away|out|off)*5
    <take> (away|out|off) {x}*2
    <get> rid of {x}*6
    <drop> {x}
    <lose> {x}*2
    <throw> {x} (out|away)*2
    <throw> (out|away) {x}
    <eliminate> {x}
    <clear> {x} [away|off|out]*2
    <discard> {x}
    <dispose> of {x}
    <wipe> {x} (out|away|off)
    <rub> {x} out
    <scrap> {x}
    <ditch> {x}
    <bin> {x}
    <zap> {x}
    <kill> {x}
    <make> {x} (disappear|vanish|go away)*2
    <let> {x} disappear
    <kick> {x} out
    <pull> {x} out
    <put> {x} away
    <omit> {x}
    <destroy> {x}
    <cut> {x} [out]
    <withdraw> {x}
    <exclude> {x}
    <hide> {x}
    <take> {x} (out of|off|from) the (picture|scene|image|canvas)*2
    <remove> {x} from (the (picture|scene|image)|here|view|it)*3
    <leave> out {x}
    <leave> {x} out
    <do> away with {x}
    <clean> {x} up
    <have> {x} removed
    """)  # fmt: skip
REMOVE_SAY = Grammar("""
    {x} (should|must|has to|can|needs to|ought to|could|may) (go|disappear|be removed|be deleted|vanish|\
        go away|be erased|be gone|leave)*6
    I (don't|do not|no longer) (want|need|like) {x} [any more|anymore|any longer|here]*5
    (we|you) (don't|do not) need {x} [any more|anymore|there]*2
    no more {k}*2
    no {k} [please]
    without {x}[, please]*2
    {x} is (not needed|too much|unnecessary|in the way|superfluous|wrong) [any more|, remove it|\
        , take it away]*2
    (can|could|would) {x} (go|be removed|disappear|be taken away|be deleted)?*2
    I (want|would like|'d like|need) {x} (gone|removed|deleted|out|to go|to disappear|erased|to vanish|\
        taken away|away)*4
    I (would|'d) rather not have {x}
    away with {x}*2
    {x} (out|away|off|gone)*2
    there should (not be|be no) {k}
    let's (remove|get rid of|delete|lose|take out|drop|erase) {x}*3
    it's better without {x}
    {x}? (remove it|get rid of it|delete it|take it away|it should go)*2
    {x} [please] - (delete|remove)
    it would be (better|nicer|good) without {x}
    I'm (tired of|done with|sick of) {x}
    (off|out) with {x}
    {x} has no place here
    {x} shouldn't be (here|there)*2
    I hate {x}[, remove it]
    {x} bothers me[, remove it]
    """)

BY_COLOURS = Grammar("""
    the {a} and the {b} {k}*3
    the {a} and {b} {ks}*3
    both the {a} and the {b} {k}
    {a} and {b} {ks}
    """)
"""Two that are there, of one shape."""

MOVE_DO = Grammar("""
    <move> {x} {p}*16
    <shift> {x} {p}*6
    <put> {x} {p}*7
    <place> {x} {p}*4
    <slide> {x} {p}*4
    <push> {x} {p}*3
    <pull> {x} {p}*2
    <bring> {x} {p}*3
    <drag> {x} {p}*2
    <relocate> {x} {p}*2
    <send> {x} {p}*2
    <take> {x} and (put|place|move) {i} {p}*2
    <set> {x} {p}
    <shove> {x} {p}
    <nudge> {x} {p}
    <carry> {x} {p}
    <transfer> {x} {p}
    <reposition> {x} {p}
    <have> {x} (stand|moved|go|sit) {p}
    <make> {x} (go|move|stand) {p}*2
    <let> {x} (go|move|stand) {p}
    <move> {x} so [that] {i} (is|stands) {p}
    <change> the (position|place|location) of {x} to {p}
    <get> {x} over {p}
    <stick> {x} {p}
    <roll> {x} {p}
    <displace> {x} {p}
    <scoot> {x} {p}
    <drop> {x} {p}
    <haul> {x} {p}
    <budge> {x} {p}
    <slip> {x} {p}
    <position> {x} {p}
    <move> {x} from (here|there|where it is) {p}
    <take> {x} {p}*2
    <pick> up {x} and (put|place|drop) {i} {p}*2
    <lift> {x} and (put|place|drop) {i} {p}
    <change> {x}, (put|move) {i} {p}
    <swing> {x} over {p}
    <walk> {x} {p}
    <steer> {x} {p}
    <reposition> {x}: {p}
    <move>, {p}, {x}
    <move> {x} over {p}
    """)
MOVE_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|can|could) (be|go|stand|move|be moved|be put|be placed|sit|\
        be shifted) {p}*8
    {x} (belongs|goes|should go|should be moved|ought to go) {p}*4
    I (want|would like|'d like|need|prefer|'d prefer) {x} {p}*4
    I (want|would like|'d like|need) {x} (moved|to go|to be|to stand|to move|shifted|to be moved|placed) {p}*3
    I('d| would) (rather|prefer to|like to) (have|see|put) {x} {p}*2
    let's (move|put|shift|slide|push|place) {x} {p}*3
    (can|could|would) {x} (go|be|move|stand|be moved|be put) {p}?*2
    {x} {p} [please]*3
    {x}, (move|put|shift|slide) it {p}*2
    {x}? (move|put|shift) {i} {p}
    {x} (would be|would look|looks|is) better {p}*2
    {x} would be (nicer|better|good) {p}
    {x} is (in the wrong place|not where I want it|badly placed)[,|:|;] (move|put|shift) {i} {p}
    {p}, (put|place|move) {x}*2
    how about (moving|putting|having) {x} {p}?
    {x} (has to|must|should) (come|go|move) {p}*2
    why isn't {x} {p}?
    I (meant|wanted) {x} {p}*2
    {x} (would|could) (go|move|come) {p}*2
    {x} {p}, not (there|here|where it is)
    {x} ({p})
    {x} -> {p}
    (gimme|want|need) {x} {p}
    """)  # fmt: skip
MOVE_MANY_SAY = Grammar("""
    {x} (should|must|have to|need to|can|could) (be|go|stand|move|be moved|be put|be placed) {p}*5
    I (want|would like|'d like|need|prefer) {x} {p}*3
    I (want|would like|'d like|need) {x} (moved|to go|to be|to stand|to move|shifted|placed) {p}*2
    let's (move|put|shift|slide|push) {x} {p}*3
    (can|could) {x} (go|be|move|be moved) {p}?
    {x} {p} [please]*2
    {x}? (move|put|shift) them {p}
    """)
"""Of several."""
SWAP_DO = Grammar("""
    <swap> {x} and {y}*6
    <swap> {x} with {y}*3
    <swap> the (positions|places|position|locations) of {x} and {y}*4
    <exchange> [the (places|positions) of] {x} and {y}*2
    <switch> {x} and {y}*3
    <switch> the (positions|places) of {x} and {y}*2
    <have|make|let> {x} and {y} (swap|switch|trade|change) (places|positions)
    <interchange> {x} and {y}
    <trade> the places of {x} and {y}
    <put> {x} where {y} is and (vice versa|the other way [a]round|{y} where {x} is)*2
    <swap> {x} and {y} around
    """)  # fmt: skip
SWAP_SAY = Grammar("""
    {x} and {y} (should|must|have to|could) (swap|switch|change|trade|exchange) (places|positions)*3
    let {x} and {y} (swap|switch|trade|change) (places|positions)*2
    I (want|'d like) {x} and {y} (swapped|to swap places|the other way round|exchanged)*2
    {x} should be where {y} is and {y} where {x} is
    {x} and {y} the other way (round|around)
    """)

TWO_MOVES_DO = Grammar("""
    (<move>|<put>|<place>|<shift>|<slide>|<bring>) {x} {p} and {y} {q}*5
    (<move>|<put>) {x} {p}, {y} {q}
    """)
TWO_MOVES_SAY = Grammar("""
    {x} (should go|goes|belongs|should be|should move) {p} and {y} {q}*3
    {x} {p}, {y} {q}*2
    {x} {p} and {y} {q}*2
    I (want|'d like) {x} {p} and {y} {q}*2
    """)
