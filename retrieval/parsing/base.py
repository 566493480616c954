"""What a parser gives: entities with attributes, relations between them, and the graphs of FineCIR.

A parser is a function text -> `SceneGraph`; `retrieval.parsing.registry` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cdd_icm.errors import InputError


@dataclass(frozen=True)
class Entity:
    name: str
    """Its head noun, or "it" for what the text does not name."""
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relation:
    subject: int
    """Number of an entity."""
    name: str
    object: int


@dataclass(frozen=True)
class SceneGraph:
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()

    def subject_graphs(self, max_entities: int, max_nodes: int) -> list[list[str]]:
        """The first `max_entities` subject-centred graphs (FineCIR, Li et al. 2025), each as the texts of its
        nodes: first the entity, then its attributes, then the other entities of its relations with the
        relation's name, which become attributes. Nodes beyond `max_nodes` are left out."""
        graphs = []
        for number, entity in enumerate(self.entities[:max_entities]):
            nodes = [entity.name, *entity.attributes]
            for relation in self.relations:
                if relation.subject == number:
                    nodes.append(f"{relation.name} {self.entities[relation.object].name}")
                elif relation.object == number:
                    nodes.append(f"{self.entities[relation.subject].name} {relation.name}")
            graphs.append(nodes[:max_nodes])
        return graphs

    def to_json(self) -> dict[str, Any]:
        return {
            "entities": [{"name": e.name, "attributes": list(e.attributes)} for e in self.entities],
            "relations": [[r.subject, r.name, r.object] for r in self.relations],
        }

    @classmethod
    def from_json(cls, value: Any, where: str) -> SceneGraph:
        """The inverse of `to_json`.

        Raises:
            InputError: another form; the message names `where`.
        """
        try:
            entities = tuple(
                Entity(_text(e["name"]), tuple(_text(a) for a in e["attributes"])) for e in value["entities"]
            )
            relations = tuple(Relation(s, _text(name), o) for s, name, o in value["relations"])
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"{where}: not a scene graph ({type(error).__name__}: {error})") from error
        numbers = range(len(entities))
        for relation in relations:
            if relation.subject not in numbers or relation.object not in numbers:
                raise InputError(f"{where}: relations: {relation} names an entity that is not there")
        return cls(entities, relations)

    def __str__(self) -> str:
        lines = [
            " ".join((f"{n}.", e.name, *(f"[{a}]" for a in e.attributes)))
            for n, e in enumerate(self.entities)
        ]
        lines += [
            f"   {self.entities[r.subject].name} --{r.name}--> {self.entities[r.object].name}"
            for r in self.relations
        ]
        return "\n".join(lines) or "no entity"


class Parser(Protocol):
    name: str
    """Of the parser and its version: cached graphs of another name are not used."""

    def __call__(self, texts: Sequence[str]) -> list[SceneGraph | None]:
        """A graph for each text; None where it found no answer, as a language model may.

        Raises:
            InputError: it can't be asked, such as an endpoint that is down.
        """


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no word")
    return value
