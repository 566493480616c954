"""How people ask for changes. Each grammar of verb phrases (`..._DO`) can follow "please", "can you", "I want you
to" and, in other forms of its verbs, "would you mind"; each grammar of statements (`..._SAY`) stands alone.

The slots: `{n}` what is added ("a red ball"), `{p}` its place ("left of it"), `{x}` what is changed ("the cube",
"them"), `{c}` a colour, `{t}` what it becomes ("a ball"), `{y}` a second object.
"""

from cdd_icm.plan.edits.blocks.grammar import Grammar

_ADD_VERB = Grammar("""
    <add>*14
    <put>*8
    <place>*7
    <draw>*5
    <create>*3
    <make>*3
    <insert>*3
    <drop>*2
    <stick>
    <pop>
    <plop>
    <plonk>
    <set>*2
    <position>
    <include>*2
    <introduce>
    <stand>
    <show>
    <render>
    <generate>
    <build>
    <install>
    <deposit>
    <lay>
    <slot> in
    <throw> in*2
    <toss> in
    <bring> in
    <put> in*2
    <add> in
    <put> down
    <place> down
    <set> up
    <squeeze> in
    <locate>
    <arrange>
    <give> (me|us)*2
    <get> me
    <fit> in
    <chuck> in
    <sketch>
    <spawn>
    <model>
    <set> down
    <leave>
    """)
ADD_DO = Grammar("""
    {v} {n}*10
    <add> {n} [too|as well|also]*3
    <put> {n} (there|here|down|somewhere|up)
    <give> (me|us) {n}
    <let> there be {n}
    <make> it so [that] there's {n}
    <add> {n} to (it|this|that|the (scene|picture|image|mix))*2
    """, v=_ADD_VERB)  # fmt: skip
ADD_AT_DO = Grammar("""
    {v} {n} {p}*24
    {v} {n}, {p}
    {v} {n}, which (is|should be|stands|goes) {p}
    {v} {n} that (is|stands|sits|goes|should be) {p}*2
    {v} {n} so [that] it (is|stands|sits|will be) {p}
    {v} {n} and <put> it {p}*2
    <take> {n} and <put> it {p}*2
    <get> {n} and <place> it {p}
    {v} {p} {n}*2
    <have> {n} (stand|sit|placed|standing|sitting|put|be) {p}*2
    <make> {n} (stand|appear|sit) {p}
    <let> {n} (stand|appear|sit|be) {p}
    {v}, {p}, {n}
    <position> {n} {p}
    {v} {n} (standing|sitting|placed|located|positioned) {p}*2
    """, v=_ADD_VERB)  # fmt: skip
ADD_SAY = Grammar("""
    {n}*5
    there (is|should be|must be|'s|could be|has to be|needs to be|ought to be|will be|shall be) {n}*4
    I (want|need|would like|'d like|'d love|would love|wish for|could use|also want|fancy) {n}*5
    I (want|would like|'d like|need) to (see|have|add|get) {n}*2
    I (want|would like|'d like|wish) there to be {n}
    (we|you) (need|want|could use|also need|should have|should add) {n}*3
    let's (have|add|try|put in|get|see|do) {n}*3
    let there be {n}*2
    (how|what) about {n}[?]*3
    (can|could|may) (I|we) (get|have|see|add) {n} [please][?]*4
    could there be {n}[?]
    it would be (nice|great|good|lovely|cool|better) (to have|if there was|if there were|with) {n}*2
    [the] next (object|one|thing|item|up) [is|:] {n}*2
    (this|the) (picture|scene|image) (needs|lacks|is missing|could use|wants|would be better with) {n}*2
    I'm (missing|thinking of|imagining|after) {n}
    (imagine|picture|suppose there is|assume there is) {n}
    (plus|and|with|also) {n}*2
    what's missing is {n}
    where is {n}? [I want one]
    (I|we) don't have {n} yet
    (I|we) (still|also) (need|want) {n}
    {n} (would be|is) (nice|good|great|needed)
    {n} (should be|must be|needs to be|has to be|can be|could be|to be) (added|there|in the picture|drawn)*2
    {n} (belongs|goes) in (here|there|the picture) [too|as well]
    {n}, please*2
    get {n} in there
    why not (add|have|try) {n}[?]
    do (we|you) have {n}? [add it|put it in]
    """)
ADD_AT_SAY = Grammar("""
    {n} {p}*14
    {n}, {p}*2
    there (is|should be|must be|'s|could be|has to be|needs to be|ought to be) {n} {p}*7
    I (want|need|would like|'d like|'d love|would love|wish|imagine) {n} {p}*6
    I (want|would like|'d like) to (see|have|put|add|place) {n} {p}*2
    I (want|would like|'d like) there to be {n} {p}
    (we|you) (need|want|could use|also need) {n} {p}*3
    let's (have|add|try|put|place|stand) {n} {p}*3
    let {n} (be|stand|sit|go|appear) {p}
    (how|what) about {n} {p}[?]*2
    (can|could|may) (I|we) (get|have|put|add|see) {n} {p}[?]*3
    could there be {n} {p}[?]
    it would be (nice|great|good|lovely|cool) (to have|if there was|if there were) {n} {p}*2
    {n} (goes|belongs|comes|stands|should go|should be|must be|sits|is to be|will be|needs to go|ought to be|must stand|should stand|is placed|is|shall be) {p}*7
    {n} (has to|needs to|should|must|can|could) (be|stand|go|be put|be placed|appear) {p}*2
    {p}, {v} {n}*5
    {p} {v} {n}*3
    {p}, (there (is|should be|must be|'s)|I (want|'d like|need|would like)|let's (put|have)|we need|you should put) {n}*4
    {p} (goes|comes|belongs|stands|is|should be|should stand|should go|must be|there is|there should be|we need|I want|put) {n}*4
    {p}: {n}
    (imagine|picture|suppose there is) {n} {p}
    {n}. (put it|place it|it goes|it should be|it stands|it is) {p}*3
    I'm (missing|thinking of) {n} {p}
    (this|the) (picture|scene|image) (needs|is missing|could use) {n} {p}*2
    {n} would (be nice|be good|look good|look nice|fit|be great) {p}*2
    wouldn't {n} look (good|nice|great) {p}?
    (plus|and|also|with) {n} {p}*2
    next (object|one|thing|up) [is|:] {n} {p}
    {n}, and it (is|should be|stands|goes) {p}
    {n} which (is|stands|should be) {p}
    {n}, position: {p}
    you('ll find|'ll see| can see| see| find) {n} {p}
    {n} (should be|must be|is|gets) (put|placed|added|drawn|positioned|located) {p}*2
    (place|position|location) [is] {p}: {n}
    """, v=Grammar("put*5\nadd*4\nplace*4\ndraw*2\nset\nstand\nI put\nmake\nplease (put|add|place)*2\ninsert\ndrop\ngive me\nI'd like\nadd in"))  # fmt: skip

ADD_LIST = Grammar("""
    {n}*8
    there (should be|must be|could be|has to be|needs to be|is|are|should also be) {n}*3
    I (want|need|would like|'d like|'d love|could use|also want) {n}*4
    I (want|would like|'d like) to (see|have|add|get) {n}*2
    (we|you) (need|want|could use|also need) {n}*2
    let's (have|add|try|get|see) {n}*3
    (how|what) about {n}[?]
    (can|could|may) (I|we) (get|have|see|add) {n}[?]*3
    it would be (nice|great|good|lovely) to have {n}
    (this|the) (picture|scene|image) (needs|lacks|could use) {n}
    (imagine|picture) {n}
    next: {n}
    """)
"""Of several added ones in one list."""

REMOVE_MANY_SAY = Grammar("""
    {x} (should|must|have to|need to|can|could) (go|disappear|be removed|be deleted|vanish|go away|be erased)*4
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
    {x} (should|must|has to|can|needs to|ought to|could|may) (go|disappear|be removed|be deleted|vanish|go away|be erased|be gone|leave)*6
    I (don't|do not|no longer) (want|need|like) {x} [any more|anymore|any longer|here]*5
    (we|you) (don't|do not) need {x} [any more|anymore|there]*2
    no more {k}*2
    no {k} [please]
    without {x}[, please]*2
    {x} is (not needed|too much|unnecessary|in the way|superfluous|wrong) [any more|, remove it|, take it away]*2
    (can|could|would) {x} (go|be removed|disappear|be taken away|be deleted)?*2
    I (want|would like|'d like|need) {x} (gone|removed|deleted|out|to go|to disappear|erased|to vanish|taken away|away)*4
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
    <take> {x} and (put|place|move) it {p}*2
    <set> {x} {p}
    <shove> {x} {p}
    <nudge> {x} {p}
    <carry> {x} {p}
    <transfer> {x} {p}
    <reposition> {x} {p}
    <have> {x} (stand|moved|go|sit) {p}
    <make> {x} (go|move|stand) {p}*2
    <let> {x} (go|move|stand) {p}
    <move> {x} so [that] it (is|stands) {p}
    <change> the (position|place|location) of {x} to {p}
    <get> {x} {p}
    <stick> {x} {p}
    <roll> {x} {p}
    <displace> {x} {p}
    <move> {x} over {p}
    """)
MOVE_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|can|could) (be|go|stand|move|be moved|be put|be placed|sit|be shifted) {p}*8
    {x} (belongs|goes|should go|should be moved|ought to go) {p}*4
    I (want|would like|'d like|need|prefer|'d prefer) {x} {p}*4
    I (want|would like|'d like|need) {x} (moved|to go|to be|to stand|to move|shifted|to be moved|placed) {p}*3
    I('d| would) (rather|prefer to|like to) (have|see|put) {x} {p}*2
    let's (move|put|shift|slide|push|place) {x} {p}*3
    (can|could|would) {x} (go|be|move|stand|be moved|be put) {p}?*2
    {x} {p} [please]*3
    {x}, (move|put|shift|slide) it {p}*2
    {x}? (move|put|shift) it {p}
    {x} (would be|would look|looks|is) better {p}*2
    {x} would be (nicer|better|good) {p}
    {x} is (in the wrong place|not where I want it|badly placed)[,|:|;] (move|put|shift) it {p}
    {p}, (put|place|move) {x}*2
    how about (moving|putting|having) {x} {p}?
    {x} (has to|must|should) (come|go|move) {p}*2
    why isn't {x} {p}?
    """)  # fmt: skip
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
    <cut> {x} down [to size]
    <let> {x} (shrink|be smaller)
    <make> a smaller version of {x}
    """)  # fmt: skip
SMALLER_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|get|become) (smaller|small|a bit smaller|tiny|much smaller)*6
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
    """)
BIGGER_SAY = Grammar("""
    {x} (should|must|has to|needs to|ought to|could) (be|get|become) (bigger|larger|large|big|a bit bigger|much bigger)*6
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
