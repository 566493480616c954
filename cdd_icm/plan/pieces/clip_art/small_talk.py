"""Texts about scenes of clip art that change nothing: talk of those who draw, questions, other languages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.names import NAMES, SIZES, with_article
from cdd_icm.plan.pieces.clip_art.shapes import FACING, PEOPLE
from cdd_icm.plan.shared.speech.grammar import Grammar, listed, pick
from cdd_icm.plan.shared.speech.talk import nonsense_text as any_nonsense
from cdd_icm.plan.shared.speech.talk import nothing_text as any_nothing

_TALK = Grammar("""
    (what|which) size (is|should be) {x}?*2
    how (big|large|small) is {x}?*2
    where (is|should I put) {x}?*3
    which (way|direction) (is|does) {x} (facing|face)?*2
    is {x} (big|small|on the left|on the right|facing left|facing right|ok|in the right place)?*3
    what is (next|left|missing|in the picture|that|there)?*2
    what (else|now|next|do you see)?*3
    what (can|could) (I|you|we) (draw|add|ask for|say)?*2
    (is there anything|anything) else?*2
    (ready|I'm ready|ready when you are|are you ready|ready to start|let's start|shall we start)[?]*3
    how many (kids|trees|animals|things|people) are (there|in the picture)?*2
    who is (that|she|he|the boy|the girl)?
    is (that|it|this) (right|correct|ok|good|better|what you meant)?*3
    is (that|it) (all|everything)?*2
    (got it|done|ok done|okay done|done with that|all done|finished drawing|that's done)[, what's next?|\
        , next|]*3
    (next|go on|ready for the next one|what's next|tell me more)[ please|]*2
    (can|could) you (repeat|explain) that?*2
    I (don't|do not) (understand|see it|get it)
    what did you (do|draw|add|change)?*2
    (the picture|it|that|the scene) is (finished|complete|done|ready) [now]*2
    {x} (looks|is) (cute|funny|great|nice|pretty|so cute|lovely|perfect there)*3
    (I|we) (like|love) {x}*3
    what a (nice|cute|lovely|funny|happy|beautiful|great) (dog|cat|picture|scene|family|day|bear|place)*2
    that (made|makes) me (laugh|smile|happy)*2
    my (kids|daughter|son|wife|friends) (will love|love|like) (it|this)*2
    {x} is (already|fine) there
    we (already have|have got|have) {x} [already]
    don't (forget|lose|change|remove|delete|touch|move|flip|resize) {x}*4
    {x} (can|should|may) (stay|remain) [there|here|in the picture]*3
    (leave|keep) {x} (there|here|in|in the picture|in its place|facing that way|as big as it is)*4
    (leave|keep) {x}*2
    I'm (glad|happy|pleased) with {x}*2
    (this|that|it) looks like (a park|a party|a picnic|fun|a playground|a nice day)*2
    (how do you do that|how does it work|that was quick|that was fast|you are fast|you're good at this)[!|?|]
    (it's your turn|your turn|my turn)
    that's (exactly|just) (it|what I had in mind|how I imagined it|right)*2
    (no|nothing|nah)[,] (I'm good|leave it|all good|don't change it|it's fine)*3
    (all|everything's|it's all) good [now|thanks|]*2
    just (looking|checking|testing|kidding|a second)*2
    (yes|yep|yeah|exactly|correct|right)[,] (that's it|like that|perfect|that one|thank you)*2
    """)
_FOREIGN = listed("""
    ajoute un chien à gauche; enlève le soleil; mets un chapeau sur la fille; dessine un arbre; le garçon rit;
    füge einen Hund hinzu; entferne die Sonne; setz dem Jungen einen Hut auf; mach den Baum größer;
    ein Mädchen auf der Wiese; añade un perro a la derecha; quita el sol; pon un árbol grande;
    el niño está triste;
    aggiungi un cane; togli il sole; metti un albero a sinistra; adicione um cachorro; tire o sol;
    um menino feliz;
    voeg een hond toe; haal de zon weg; добавь собаку; убери солнце; мальчик слева; нарисуй дерево;
    添加一只狗; 把太阳去掉; 画一棵树; 犬を追加して; 太陽を消して; 木を描いて; 개를 추가해 줘; 해를 지워 줘;
    أضف كلبا; أزل الشمس; dodaj psa; usuń słońce; přidej psa; bir köpek ekle; güneşi kaldır; lägg till en hund;
    ta bort solen; tilføj en hund; lisää koira; poista aurinko; कुत्ता जोड़ें; thêm một con chó;
    tambahkan anjing
""", ";")  # fmt: skip


def nothing_text(scene: Sequence[SceneObject], something: str, rng: np.random.Generator) -> str:
    """A text that leaves the picture as it is; `something` is in it: "the dog"."""
    if something in ("him", "her", "them"):
        something = "it"
    if rng.random() < 0.45:
        return any_nothing(rng, something)
    if scene and rng.random() < 0.12:
        return _question(pick(rng, scene), rng)
    return _TALK(rng, {"x": something})


def _question(obj: SceneObject, rng: np.random.Generator) -> str:
    """A question about a piece that is there."""
    noun, size = pick(rng, NAMES[obj.name]), pick(rng, SIZES[pick(rng, "012")])
    options = [f"is the {noun} {size}?", f"is there a {noun} in the picture?", f"do you see the {noun}?"]
    if obj.name in FACING:
        side = pick(rng, ("left", "right"))
        options += [f"is the {noun} facing left or right?", f"does the {noun} look to the {side}?"]
    if obj.name in PEOPLE:
        options += [
            f"why is the {obj.name} so sad?",
            f"is the {obj.name} sitting or standing?",
            f"is the {obj.name} happy?",
        ]
    other = pick(rng, CODRAW_CLASSES)
    options += [
        f"where is the {other}?",
        f"is there a {other}?",
        f"where did the {noun} go?",
        f"can you see a {other}?",
    ]
    return pick(rng, options)


def nonsense_text(rng: np.random.Generator) -> str:
    """A text that is no request in English."""
    chance = rng.random()
    if chance < 0.1:
        return pick(rng, _FOREIGN)
    if chance < 0.15:  # words of the world that make no request
        words = [word for _ in range(3) for word in pick(rng, NAMES[pick(rng, CODRAW_CLASSES)]).split()]
        words += ["of", pick(rng, ("the", "if", "than", "not", "which", "because", "who"))]
        return " ".join(words[i] for i in rng.permutation(len(words)))
    return any_nonsense(rng, [*with_article(pick(rng, NAMES["dog"]), "a", rng).split(), "left", "the"])
