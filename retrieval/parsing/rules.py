"""The default parser: noun chunks and prepositions by closed lists of words, without weights.

English only. A chunk is a run of words that are in none of the closed classes; its last word is the entity,
the others are its attributes. A preposition between two chunks is a relation. What stands after "is" or "has"
belongs to the subject of the clause, which is "it" where the text names none ("is longer").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.parsing.base import Entity, Relation, SceneGraph


def _words(text: str) -> set[str]:
    return set(text.split())


SIDES = {
    "left",
    "right",
    "top",
    "bottom",
    "middle",
    "center",
    "centre",
    "corner",
    "side",
    "edge",
    "background",
}
PREPOSITIONS = (
    *("on the left of", "on the right of", "to the left of", "to the right of", "on the left side of"),
    *("on the right side of", "in the middle of", "in the center of", "on top of", "in front of", "next to"),
    *("in between", "to his left", "to its left", "directly across from", "across from", "away from"),
    *("straight under", "just under", "on", "in", "with", "behind", "above", "below", "under", "beside"),
    *("between", "at", "near", "by", "inside", "around", "towards", "from", "over", "against", "next"),
    *("onto", "into", "without", "of", "for", "to", "off", "through"),
)
COLOURS = _words(
    """
    red green blue yellow purple brown gray grey cyan black white pink orange teal multicolored
    multicolor beige tan gold silver navy
    """
)
ADJECTIVES = COLOURS | _words(
    """
    small med medium large big tiny tall short long loose casual plain solid striped stripped happy sad
    angry smiling visible dark light bright colorful sleeveless fitted belted open different same
    identical similar empty bare more less many few other see-through sheer floral longer shorter darker
    lighter brighter tighter looser fancier smaller larger bigger higher lower smilin bound missing
    buttonless half full crossed wide buttoned flowing diverse revealing simple fashionable patterned
    """
)
NUMBERS = _words(
    """
    one two three four five six seven eight nine ten
    """
)
VERBS = _words(
    """
    add adds added put place move remove make makes made change changes show shows capture have has had
    having wears wear wearing holding hold standing stand sitting sit laying lying lie facing face faces
    faced walking walk running barking focus wrap waving posed perched modelling filling doing see look
    looks looking like says is are was were be been being 's appears seems cut covering covered blocking
    moving must resting containing contains desired using did does do n't got ready get want can could
    will would should
    """
)
CLOSED = _words(
    """
    a an the this that these those his her its their my your our and or but so then also as than not no
    very there here where what who which while when it he she they them him you i we me s all some any
    each every both just almost most much too again still rather only other another up down out away
    fully partially directly straight facing
    """
)
CLOSED -= {"no", "much"}
PRONOUNS = {"it", "he", "she", "they", "him", "them"}
COPULAS = {"is", "are", "'s", "be", "appears", "looks", "was", "were"}
_STARTS = {
    words[0]: [p.split() for p in sorted(PREPOSITIONS, key=len, reverse=True) if p.split()[0] == words[0]]
    for words in (p.split() for p in PREPOSITIONS)
}


class RuleParser:
    name = "rules-1"

    def __call__(self, texts: Sequence[str]) -> list[SceneGraph]:
        return [parse(text) for text in texts]


def parse(text: str) -> SceneGraph:
    """The graph of a text, which may be several sentences or turns of a dialog (see `model.prompt`)."""
    graph = _Graph()
    for clause in re.split(r"[.;!?,]+|<=|<\w+>", text.lower()):
        graph.clause(re.findall(r"[a-z0-9][a-z0-9-]*|'s|n't", clause))
    return graph.done()


class _Graph:
    """What is found so far."""

    def __init__(self):
        self.entities: list[tuple[str, list[str]]] = []
        self.relations: list[Relation] = []
        self.waiting: tuple[str, int] | None = None
        """A relation and its object, of a clause whose subject comes later."""
        self.begin()

    def begin(self) -> None:
        self.subject: int | None = None
        self.relation = ""
        self.chunk: list[str] = []
        self.predicate = False
        self.waiting = None

    def clause(self, words: list[str]) -> None:
        self.begin()
        at = 0
        while at < len(words):
            word = words[at]
            if preposition := self._preposition(words, at):
                self._end_chunk()
                at += len(preposition)
                side = [w for w in words[at : at + 2] if w in SIDES and w not in {"side", "edge", "corner"}]
                if preposition[-1] in {"on", "to", "in", "at"} and words[at : at + 1] == ["the"] and side:
                    if words[at + 2 : at + 3] in (["side"], ["corner"], ["edge"]):
                        at += 1
                    self._attribute(side[0])
                    at += 2
                else:
                    self.relation = " ".join(preposition)
                continue
            at += 1
            if word in PRONOUNS:
                self._end_chunk()
                self.chunk = [word]
                self._end_chunk()
            elif word == "and":
                adjective = self.chunk and all(w in ADJECTIVES for w in self.chunk)
                if not (adjective and at < len(words) and self._is_word(words[at])):
                    self._end_chunk()
            elif word in VERBS:
                self._end_chunk()
                self.predicate = word in COPULAS
            elif word in CLOSED:
                self._end_chunk()
            else:
                self.chunk.append(word)
        self._end_chunk()

    def done(self) -> SceneGraph:
        entities = tuple(Entity(name, tuple(dict.fromkeys(found))) for name, found in self.entities)
        return SceneGraph(entities, tuple(dict.fromkeys(self.relations)))

    def _is_word(self, word: str) -> bool:
        return word not in CLOSED and word not in VERBS and word not in _STARTS

    def _preposition(self, words: list[str], at: int) -> list[str] | None:
        return next((p for p in _STARTS.get(words[at], ()) if words[at : at + len(p)] == p), None)

    def _attribute(self, word: str) -> None:
        if self.subject is None:
            self.subject = self._entity("it", [])
        self.entities[self.subject][1].append(word)

    def _entity(self, name: str, attributes: list[str]) -> int:
        for number, (known, found) in enumerate(self.entities):
            if name in PRONOUNS and known == name:
                found += attributes
                return number
        self.entities.append((name, attributes))
        return len(self.entities) - 1

    def _end_chunk(self) -> None:
        words, self.chunk = self.chunk, []
        if not words:
            return
        descriptive = [w in ADJECTIVES or w in NUMBERS or w.endswith(("less", "ish")) for w in words]
        if all(descriptive) or (self.predicate and descriptive[-1]):
            for word in words:
                self._attribute(word)
            return
        number = self._entity(words[-1], words[:-1])
        if self.relation and self.subject is None:
            # "behind the swing is a tree": what comes next is the subject
            self.waiting = (self.relation, number)
        elif self.relation:
            self.relations.append(Relation(self.subject, self.relation, number))
        elif self.waiting:
            relation, other = self.waiting
            self.relations.append(Relation(number, relation, other))
            self.waiting = None
            self.subject = number
        else:
            self.subject = number
        self.relation = ""
        self.predicate = False
