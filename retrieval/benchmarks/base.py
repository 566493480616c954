"""The common form of all benchmarks: queries over galleries of pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from cdd_icm.data import Picture
from cdd_icm.errors import InputError


@dataclass(frozen=True, slots=True)
class Query:
    """One composed query: "this picture, but with ...".

    `texts` are wordings of the same modification: evaluation averages the vectors of all, training draws one.
    `targets` are the right answers, the labelled one first; empty where the benchmark hides them. If
    `candidates` is not empty, only these are ranked for `R@K` instead of the whole gallery. `subset` is a
    second, small gallery that is ranked as well (CIRR). `history` holds the earlier instructions of a dialog,
    oldest first. `caption` describes the reference in texts that are encoded together, oldest first; empty
    where the data set has none. `tags` name the groups that a report shows separately; `part` names the
    gallery that is searched.
    """

    id: str
    reference: str
    texts: tuple[str, ...]
    targets: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    subset: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    caption: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    part: str = "all"


@dataclass(frozen=True, slots=True)
class Location:
    """The usual place of a picture: its path below the image folder, with or without the suffix. With a `box`
    (x, y, width, height in pixels), only the part of the picture around it (see `genecis.crop`)."""

    path: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Benchmark:
    """Queries, the gallery of each part, and the protocol by which they are scored.

    `choices` describe what the reader's options changed in the protocol. The metrics are recall@K for K in
    `recall_at`, recall@K within a query's subset for `subset_recall_at`, mAP@K over all targets for `map_at`;
    `headline` names those whose mean is the benchmark's headline figure. A figure of the whole benchmark is
    the unweighted mean over its parts.

    Raises:
        InputError: no queries, a duplicate query id, or a query that names a picture outside its gallery.
    """

    name: str
    split: str
    queries: tuple[Query, ...]
    galleries: Mapping[str, tuple[str, ...]]
    recall_at: tuple[int, ...]
    subset_recall_at: tuple[int, ...] = ()
    map_at: tuple[int, ...] = ()
    headline: tuple[str, ...] = ()
    exclude_reference: bool = False
    choices: Mapping[str, object] = field(default_factory=dict)
    locations: Mapping[str, Location] = field(default_factory=dict, repr=False)
    pictures: Mapping[str, Picture] = field(default_factory=dict, repr=False)
    """Every picture by its id, once they have been found (see `retrieval.images.resolve`)."""
    partial: Mapping[str, int] | None = None
    """How many pictures and queries are left out because pictures are missing; None: the benchmark is
    complete."""

    def __post_init__(self):
        if not self.queries:
            raise InputError(f"{self.name} {self.split}: no queries")
        galleries = {part: frozenset(gallery) for part, gallery in self.galleries.items()}
        for part, gallery in self.galleries.items():
            if len(galleries[part]) != len(gallery):
                raise InputError(f"{self.name} {self.split}: gallery {part!r} has a duplicate picture")
        seen = set()
        for query in self.queries:
            where = f"{self.name} {self.split}: query {query.id}"
            if query.id in seen:
                raise InputError(f"{where}: this id was used before")
            seen.add(query.id)
            if not query.texts:
                raise InputError(f"{where}: no text")
            for role in ("targets", "candidates", "subset"):
                for picture in getattr(query, role):
                    if picture not in galleries[query.part]:
                        raise InputError(f"{where}: {role}: picture {picture!r} is not in the gallery")
            for role in ("candidates", "subset"):
                members = getattr(query, role)
                if members and query.targets and query.targets[0] not in members:
                    raise InputError(f"{where}: {role}: the target is not among them")
                if bool(members) != bool(getattr(self.queries[0], role)):
                    raise InputError(f"{where}: {role}: all queries have them, or none")

    @cached_property
    def picture_ids(self) -> tuple[str, ...]:
        """All pictures to encode, each once: the galleries in order, then references outside them. Row i of a
        tensor of picture vectors belongs to picture i."""
        ids = (id for gallery in self.galleries.values() for id in gallery)
        return tuple(dict.fromkeys([*ids, *(query.reference for query in self.queries)]))

    @cached_property
    def row(self) -> Mapping[str, int]:
        """The row of each picture in `picture_ids`."""
        return {id: row for row, id in enumerate(self.picture_ids)}

    @cached_property
    def named_in(self) -> Mapping[str, str]:
        """Where the annotations first name each picture, for messages."""
        found: dict[str, str] = {}
        for query in self.queries:
            for role, ids in (
                ("reference", (query.reference,)),
                ("target", query.targets),
                ("candidate", query.candidates + query.subset),
            ):
                for id in ids:
                    found.setdefault(id, f"{role} of query {query.id}")
        return {id: found.get(id, "in the gallery") for id in self.picture_ids}

    @property
    def labelled(self) -> bool:
        """Whether the right answers are known, so that the benchmark can be scored here."""
        return all(query.targets for query in self.queries)

    @property
    def protocol(self) -> dict[str, object]:
        """Everything that a figure depends on apart from the model, for printing and for reports."""
        protocol = {
            "benchmark": self.name,
            "split": self.split,
            "reference": "excluded" if self.exclude_reference else "ranked like any other",
            "ties": "counted against the target",
            **self.choices,
            "queries": {part: sum(query.part == part for query in self.queries) for part in self.galleries},
            "gallery": {part: len(gallery) for part, gallery in self.galleries.items()},
        }
        lost = sum(query.reference in query.targets for query in self.queries)
        if self.exclude_reference and lost:
            protocol["queries whose target is the reference, and so never found"] = lost
        if self.partial is not None:
            protocol["PARTIAL, left out"] = dict(self.partial)
        return protocol

    def without(self, missing: Collection[str]) -> Benchmark:
        """The benchmark without the `missing` pictures and without the queries that name them, marked
        partial.

        Raises:
            InputError: no query remains.
        """
        missing = frozenset(missing)
        if not missing:
            return self
        remaining_queries = tuple(
            query
            for query in self.queries
            if missing.isdisjoint((query.reference, *query.targets, *query.candidates, *query.subset))
        )
        parts = {query.part for query in remaining_queries}
        return replace(
            self,
            queries=remaining_queries,
            galleries={
                part: tuple(id for id in gallery if id not in missing)
                for part, gallery in self.galleries.items()
                if part in parts
            },
            partial={"pictures": len(missing), "queries": len(self.queries) - len(remaining_queries)},
        )


def gallery_of(queries: Collection[Query]) -> tuple[str, ...]:
    """The union of the queries' references and targets, in the order in which they first appear."""
    return tuple(dict.fromkeys(id for query in queries for id in (query.reference, *query.targets)))


def check_choice(option: str, value: str, choices: Collection[str]) -> None:
    """Raises InputError where a protocol option has an unknown value."""
    if value not in choices:
        raise InputError(f"{option}={value!r}: must be one of {', '.join(choices)}")
