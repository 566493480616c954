"""Requests that name no piece but mean one: "make it rain", "put out the fire"."""

from __future__ import annotations

from cdd_icm.plan.pieces.clip_art.draft import Draft, new_piece, put, turned_inward
from cdd_icm.plan.pieces.clip_art.places import anywhere
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.requests import Clause

_ADD = {
    name: (Grammar(do), Grammar(say))
    for name, do, say in (
        (
            "rain cloud",
            "<make> it rain*6\n<let> it rain*3\n<have> it rain*2\n<make> it rainy*2\n<make> the sky rainy",
            "it should (rain|be raining)*3\nit (rains|is raining|is a rainy day|starts raining)*4\nI "
            "want rain*2\n"
            "rainy weather[, please]\n(some|a bit of) rain would be nice",
        ),
        (
            "sun",
            "<make> it sunny*6\n<let> the sun shine*4\n<bring> out the sun*3\n<make> it a sunny day*3\n"
            "<make> the sun (come out|shine|rise)*2",
            "it should be (sunny|a sunny day)*3\nit (is a sunny day|is sunny|is a nice sunny day)*4\n"
            "I want (sunshine|a sunny day|sunny weather)*2\nlet there be (sunshine|sun)\nthe sun (is "
            "shining|shines)*3",
        ),
        (
            "lightning cloud",
            "<make> it (stormy|thunder)*5\n<let> there be (lightning|a thunderstorm|a storm)*3\n<bring> "
            "on the storm",
            "it (is stormy|thunders|is thundering)*3\na (storm|thunderstorm) is (coming|brewing)*3\n"
            "it should be stormy*2\n(stormy|bad) weather[, please]*2\nthere is a (thunderstorm|storm)*2",
        ),
        (
            "cloud",
            "<make> it cloudy*5\n<make> the sky cloudy*2\n<let> it be cloudy",
            "it should be cloudy*2\nit (is cloudy|is a cloudy day)*3\ncloudy weather[, please]",
        ),
        (
            "campfire",
            "<light> a (fire|campfire)*4\n<start> a (fire|campfire)*3\n<make> a (fire|campfire)*3\n"
            "<build> a (fire|campfire)*2",
            "there is a fire (burning|going)*2\na fire is burning*2",
        ),
        (
            "tent",
            "<pitch> (a|the) tent*4\n<set> up (a tent|camp)*3",
            "they are camping*2\nlet's go camping*2",
        ),
        (
            "grill",
            "<fire> up the (grill|barbecue|bbq)*3\n<start> (a|the) (grill|barbecue|bbq)*2\n<have> a "
            "(barbecue|bbq)*2",
            "let's (have a barbecue|grill|have a bbq)*3\nit's barbecue time",
        ),
        ("table", "<have> a picnic*3\n<set> up a picnic*2", "let's have a picnic*3\nit is picnic time"),
        ("kite", "<fly> a kite*4\n<let> a kite fly*2", "let's fly a kite*3\na kite is flying [in the sky]*3"),
        (
            "airplane",
            "<let> a plane fly (by|past|over)*3\n<fly> a plane across the sky*2",
            "a (plane|jet) (is flying|flies) (in|across|through) the sky*3",
        ),
        (
            "helicopter",
            "<let> a helicopter fly (by|past|over)*2\n<have> a helicopter (hover|fly by)*2",
            "a helicopter (is flying|flies|hovers) (in|across|through) the sky*3",
        ),
        (
            "rocket",
            "<launch> a rocket*4\n<shoot> a rocket into the sky*2",
            "a rocket (is flying|flies) (in|across|through) the sky*3\na rocket is taking off*2",
        ),
        (
            "hot air balloon",
            "<let> a hot air balloon (fly|float) (by|past|over)*3",
            "a hot air balloon (is floating|floats|is flying|drifts) (in|across|through) the sky*3",
        ),
        ("pie", "<bake> (a|us a|me a) (pie|cherry pie)*3", "someone baked a pie*2\nlet's bake a pie"),
        ("pizza", "<order> (a|us a) pizza*3\n<bake> (a|us a|me a) pizza*2", "let's order a pizza*2"),
        ("oak tree", "<plant> an oak [tree]*3\n<grow> an oak tree", "an oak tree grows there"),
        ("apple tree", "<plant> an apple tree*3\n<grow> an apple tree", "an apple tree grows there"),
        ("pine tree", "<plant> a (pine|fir) [tree]*3\n<grow> a pine tree", "a pine tree grows there"),
    )
}
_REMOVE = {
    name: Grammar(do)
    for name, do in (
        ("rain cloud", "<make> it stop raining*4\n<stop> the rain*4\n<make> the rain (stop|go away)*3"),
        ("lightning cloud", "<stop> the (storm|thunderstorm|lightning)*4\n<make> the storm (stop|go away)*3"),
        ("campfire", "<put> out the (fire|campfire|flames)*5\n<extinguish> the (fire|campfire)*3"),
        ("oak tree", "<cut> down the oak [tree]*3\n<chop> down the oak [tree]*2"),
        ("apple tree", "<cut> down the apple tree*3\n<chop> down the apple tree*2"),
        ("pine tree", "<cut> down the (pine|fir|pine tree)*3\n<chop> down the pine [tree]*2"),
        ("tent", "<take> down the tent*3\n<pack> up the tent*2"),
        ("table", "<clear> away the table*2\n<carry> the table away"),
        ("bear", "(<chase>|<scare>|<send>) the bear away"),
        ("dog", "<send> the dog (home|away)*3\n<chase> the dog away"),
        ("cat", "(<chase>|<shoo>|<send>) the cat away"),
        ("duck", "<let> the duck fly away*2\n<shoo> the duck away"),
        ("owl", "<let> the owl fly away"),
        ("snake", "<chase> the snake away*2\n<make> the snake (slither away|go away)"),
        ("boy", "<send> the boy (home|away)*3\n<let> the boy go home*2"),
        ("girl", "<send> the girl (home|away)*3\n<let> the girl go home*2"),
        ("balloons", "<pop> the balloons*2\n<let> the balloons fly away*2"),
        ("kite", "<let> the kite fly away"),
        ("cloud", "<blow> the cloud away*2\n<make> the cloud go away*2"),
        ("rocket", "<let> the rocket fly away"),
        ("airplane", "<let> the (plane|airplane) fly away"),
        ("helicopter", "<let> the helicopter fly away"),
    )
}


def idiom(draft: Draft) -> Clause | None:
    """Adds or removes a piece in words of its own."""
    rng = draft.rng
    if rng.random() < 0.35:
        obj = draft.some(lambda obj: obj.name in _REMOVE)
        if obj is None:
            return None
        draft.change(obj, None)
        return Clause(_REMOVE[obj.name], None, {})
    names = [name for name in draft.free() if name in _ADD]
    if not names:
        return None
    name = pick(rng, names[:4] if rng.random() < 0.4 else names)
    obj = new_piece(name, rng)
    draft.draw(turned_inward(put(obj, anywhere(obj, rng), False), rng))
    do, say = _ADD[name]
    return Clause(do, say, {})
