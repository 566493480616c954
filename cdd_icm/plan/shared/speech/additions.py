"""How people ask to add things.

Each grammar of verb phrases (`..._DO`) can follow "please", "can you", "I want you to" and, in other forms of
its verbs, "would you mind"; each grammar of statements (`..._SAY`) stands alone. The slots: `{n}` is what is
added ("a red ball"), `{p}` its place ("left of it").
"""

from cdd_icm.plan.shared.speech.grammar import Grammar

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
    <sneak> in
    <pencil> in
    <append>
    <have>
    <imagine>
    <provide>
    <supply>
    <plant>
    <park>
    <paint>
    <rest>
    <situate>
    <materialize>
    <produce>
    <make> (me|us)
    <draw> (me|us)
    <put> up
    <bring>*2
    <bring> (me|us|in)
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
    (gimme|want|wanna have|need|wanted) {n}*3
    I (see|can see|imagine) {n}
    (you|we) (see|can see|have) {n}
    {n} (has been|was) added
    (some|any) room for {n}?
    {n} too, please
    maybe {n}[?]*2
    (on with|next comes|here comes|then comes|in comes) {n}
    I (request|ask for|order|require|am asking for|would ask for) {n}
    (my next wish|next wish|my wish|what I want|what I need) is {n}
    a good idea: {n}
    I want that (you|we) (add|put|draw) {n}
    {n} (now|next)
    (fancy|anyone for) {n}?
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
    {n} (goes|belongs|comes|stands|should go|should be|must be|sits|is to be|will be|needs to go|\
        ought to be|must stand|should stand|is placed|is|shall be) {p}*7
    {n} (has to|needs to|should|must|can|could) (be|stand|go|be put|be placed|appear) {p}*2
    {p}, {v} {n}*5
    {p} {v} {n}*3
    {p}, (there (is|should be|must be|'s)|I (want|'d like|need|would like)|let's (put|have)|we need|\
        you should put) {n}*4
    {p} (goes|comes|belongs|stands|is|should be|should stand|should go|must be|there is|there should be|\
        we need|I want|put) {n}*4
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
    (gimme|want|wanna have|need) {n} {p}*3
    I (see|can see) {n} {p}
    (you|we) (see|can see|have) {n} {p}
    there [is] {n} {p}*2
    (here|there) (comes|goes|stands) {n} {p}
    maybe {n} {p}[?]*2
    {p} I (see|want|need|would like|imagine) {n}*2
    {p} you (see|can see|put|have|find) {n}
    {p}? {n}
    {n} - {p}
    {n} ({p})
    {n} ... {p}
    I (request|ask for|order|require) {n} {p}
    (my next wish|what I want|what I need) is {n} {p}
    I want that (you|we) (add|put|draw) {n} {p}
    (next comes|then comes|in comes) {n} {p}
    {n}. Location: {p}
    put one more thing {p}: {n}
    {p} is (empty|too empty|boring), (add|put) {n} (there|in)
    (as|for) the next (object|thing), {n} {p}
    a place for {n} is {p}
    {n} is what I want {p}
    something {p}: {n}
    """, v=Grammar("""
        put*5
        add*4
        place*4
        draw*2
        set
        stand
        I put
        make
        please (put|add|place)*2
        insert
        drop
        give me
        I'd like
        add in
        """))  # fmt: skip

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

ADD_THEN_COLOUR = Grammar("""
    (<add>|<put>|<place>|<draw>) {n} {p} and <make> it {c}*4
    (<add>|<put>|<place>|<draw>) {n} {p} and <paint> it {c}*2
    (<add>|<put>|<place>|<draw>) {n} {p}, it should be {c}
    (<add>|<put>|<place>|<draw>) {n} {p}. (It should be {c}|Make it {c}|It is {c}|It must be {c}|\
        I want it {c})*3
    (<add>|<put>|<place>|<draw>) {n} {p}, (coloured|colored|in|color:|colour:|make it|a) {c} [one]
    """)
"""Of a large block, what it is like comes last."""
ADD_THEN_SMALL = Grammar("""
    (<add>|<put>|<place>|<draw>) {n} {p} and <make> it (small and {c}|{c} and small|{c} and tiny)*3
    (<add>|<put>|<place>|<draw>) {n} {p}. It should be (small and {c}|{c} and small)*2
    (<add>|<put>|<place>|<draw>) {n} {p}, (small and {c}|{c} and small|{c}, small)
    """)
AND_ANOTHER = Grammar("""
    {n} {p} and {m} {q}*6
    {n} {p} and, {q}, {m}
    {n} {p}, and {m} {q}*2
    {n} {p} with {m} {q}*2
    {n} {p}, {m} {q}
    {n} {p} plus {m} {q}
    {n} {p} and then {m} {q}
    {n} {p} as well as {m} {q}
    {n} {p} and {q} {m}
    {p} {n} and {q} {m}
    {n} {p} & {m} {q}
    {n} {p} + {m} {q}
    both {n} {p} and {m} {q}
    {n} {p} together with {m} {q}
    {n} {p} and also {m} {q}
    {n} {p}; {m} {q}
    first {n} {p}, then {m} {q}
    """)
"""Two in one list; `{m}` is the second, and `{q}` its place."""
TWO_OF_A_KIND = Grammar("""
    {d} {k}, {b} and {c}*3
    {d} {k}, one {b} and one {c}*4
    {d} {k}: {b} and {c}*2
    {d} {k} in {b} and {c}*2
    {d} {k}, one of them {b}, the other [one] {c}*2
    {d} {k} - one {b}, one {c}
    {b} and {c} {k}
    {d} {k}, the first {b}, the second {c}
    """)
TWO_OF_A_KIND_AT = Grammar("""
    {d} {k}, one [is] {b} {p}, (the other|one|and one) {c} {q}*3
    {d} {k}: {ab} one {p} and {ac} one {q}*3
    {d} {k}, {ab} one {p} and {ac} one {q}*3
    {d} {k}, (the first|one) {b} {p}, (the second|one) {c} {q}*2
    """)
"""Two of one shape; `{d}` is their number, `{k}` the plural, `{b}` and `{c}` their colours."""
THREE_OF_A_KIND = Grammar("""
    {d} {k}, {b}, {c} and {e}*3
    {d} {k}: {b}, {c} and {e}*3
    {d} {k} in {b}, {c} and {e}*2
    {d} {k}, one {b}, one {c} and one {e}*2
    {b}, {c} and {e} {k}
    """)
LIKE_ANOTHER = Grammar("""
    another one like {x} (but|only|just) [in] {c}*2
    one more like {x}, (but|only|just) {c}
    the same as {x} (but|only) [in] {c}*2
    (something|an object|a thing) of the same shape as {x}, but {c}*2
    another (thing|one) shaped like {x}, (but|only|this time) [in] {c}
    one like {x} in {c}
    a copy of {x} in {c}*2
    a {c} copy of {x}
    a {c} version of {x}
    a twin of {x} in {c}
    """)
