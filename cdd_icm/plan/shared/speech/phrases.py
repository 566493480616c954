"""What people put around a request: politeness, openings, reasons; and how they join several."""

from cdd_icm.plan.shared.speech.grammar import Grammar

ASK = Grammar("""
    {base}*40
    please {base}*8
    {base} please*3
    {base}, please*4
    (can|could|would|will) you [please] {base}[?]*10
    (can|could) you [please] {base} [for me][?]*3
    (can|could|may|should|shall) we {base}[?]*2
    can I {base}[?]
    I (want|would like|'d like|need|wish) you to {base}*4
    I (want|would like|'d like|need|wish) to {base}*3
    (would|do) you mind {ing}[?]*4
    how about {ing}[?]*2
    what about {ing}[?]
    (let's|let us) {base}*6
    you (should|can|could|must|need to|have to|may|ought to) [now] {base}*3
    we (should|can|could|must|need to) {base}*2
    go ahead and {base}*2
    (try|try and|try to) {base}
    be so (kind|good) (as to|and) {base}
    (kindly|just|simply|quickly|carefully) {base}*4
    I'd (appreciate|be glad|be happy|be grateful|be thankful) if you (could|would) {base}
    it would be (great|nice|good|lovely|helpful) if you (could|would) {base}*2
    (would|could) you be so kind (as to|to) {base}[?]
    (is it possible|would it be possible|are you able) to {base}?*2
    (might|may) I ask you to {base}[?]
    I think (you|we) should {base}*2
    maybe (you|we) (could|should|can) {base}[?]
    (perhaps|maybe) {base}
    why (don't|not) (you|we) {base}?
    (why not|wanna) {base}?
    (your (next|) (job|task|step) is|the task is|all you have to do is|the next step is|time) to {base}*2
    I was wondering if you could {base}
    do me a favour and {base}
    do me a favor and {base}
    would you kindly {base}[?]
    feel free to {base}
    (what if|suppose) (we|you) {base}?
    (you will|you'll) {base}
    don't forget to {base}
    make sure to {base}
    start by {ing}
    (gonna need|need) you to {base}
    help me {base}
    """)  # fmt: skip
"""A verb phrase as a request: `{base}` is it in the base form, `{ing}` in the other."""

JOIN = Grammar("""
    {a} and {b}*12
    {a}, and {b}*3
    {a} and then {b}*3
    {a}, then {b}*3
    {a}, {b}
    {a}; {b}
    {a} and also {b}*2
    {a}. {b}*4
    {a}. (Then|Also|And|After that,|Next,|Now) {b}*5
    {a}. Finally, {b}
    {a}, (after that|afterwards|also) {b}*2
    (first|first,|firstly) {a}, (and|) then {b}*3
    {a} but {b}
    {a} & {b}
    {a} + {b}
    {a} while you {b}
    """)  # fmt: skip

OPEN = Grammar("""
    now*8
    now,*5
    next,*4
    next*2
    then*4
    then,*2
    and*3
    and now*2
    also*3
    also,*3
    ok,*4
    okay,*3
    ok so*2
    ok now*2
    alright,*2
    so,*2
    so*2
    well,*2
    hmm,*2
    uh,
    um,
    hi,*3
    hello,*2
    hey,*3
    hi there,
    hey there,
    good morning,
    good evening,
    dear assistant,
    hello computer,
    great,*2
    good,*2
    nice,*2
    perfect,*2
    thanks,
    thank you,
    cool,
    lovely,
    fine,
    right,
    very good,
    finally,*2
    after that,*2
    afterwards,
    first,*2
    first of all,
    secondly,
    to begin,
    let's see,
    actually,*3
    wait,
    oh,
    oh and
    by the way,
    one more thing:*2
    another thing:
    instruction:
    task:
    as a next step,
    step (two|three|1|2|3|4):
    (1|2|3).
    I think
    listen,
    look,
    yes,*2
    yeah,
    yep,
    no,
    sorry,
    oops,
    hmm, I think
    in addition,
    additionally,
    furthermore,
    moreover,
    besides,
    lastly,
    last,
    later
    this time,
    for the next one,
    as for the next step,
    excuse me,
    my friend,
    sure,
    awesome,
    great job!
    nicely done,
    good job.
    that's nice.
    wonderful.
    thanks!
    excellent!
    looks good.
    nice!
    """)
CLOSE = Grammar("""
    thanks*3
    , thanks*5
    , thank you*3
    , please*4
    now*2
    for me*3
    if you can
    , if you can
    , if possible*2
    , if you don't mind
    , will you
    , ok?
    , okay?
    , right?
    , would you?
    , can you?
    if that's ok
    next
    because (I like it that way|it looks better|I want it so|that is nicer|I think it's prettier)*2
    , because (I like it|it looks better that way|I said so|it's boring otherwise|I need it|my son wants it)*2
    so it looks (better|nicer|good)
    so that it (looks nice|is complete|looks right)
    , that would be (great|nice|lovely|perfect)*2
    , I think*2
    , I guess
    , just like that
    and that's it*2
    , that's all*2
    , then we are done
    , cheers
    , mate
    , buddy
    , dear
    . Thanks!*2
    . Thank you*2
    . Thank you very much
    . That's all
    - thanks
    , as I said
    , do you understand?
    , got it?
    and nothing else
    , nothing else
    , and leave the rest as it is
    without (changing|touching) anything else
    right now
    quickly
    asap
    immediately
    this time
    in the picture
    in this picture
    , that's what I want
    , I'd say
    , don't you think?
    """)  # fmt: skip
