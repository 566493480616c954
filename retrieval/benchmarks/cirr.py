"""CIRR, release rc2 (Liu et al., ICCV 2021).

captions/cap.rc2.<split>.json          image_splits/split.rc2.<split>.json
"""

from __future__ import annotations

from pathlib import Path

from retrieval.benchmarks.annotations import Entry, by_id, find, read_entries, read_object
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice

SPLITS = ("train", "val", "test1")
MEMBERS = 6  # images of a set, including the reference


def read(root: str | Path, split: str = "val") -> Benchmark:
    """CIRR: the gallery is all images of the split, the reference is never ranked, and the subset is the five
    other images of its set. The targets of test1 are hidden: the server scores it (see
    `retrieval.evaluation.submission`).

    Raises:
        InputError: a file is missing or malformed, or there is no such split.
    """
    check_choice("split", split, SPLITS)
    images, gallery = read_gallery(root, split)
    captions = f"captions/cap.rc2.{split}.json"
    entries = read_entries(find(root, captions, f"cirr/{captions}"))
    queries = tuple(
        query(entry, "caption", gallery, images.name, hidden=split == "test1", may_be_empty=True)
        for entry in by_id(entries, "pairid").values()
    )
    empty = sum(not query.texts[0].strip() for query in queries)
    return benchmark("cirr", split, queries, gallery, {"queries with an empty text": empty})


def read_gallery(root: str | Path, split: str) -> tuple[Path, dict[str, Location]]:
    """The file that lists the images of a split, and each image's location."""
    name = f"split.rc2.{split}.json"
    images = find(root, f"image_splits/{name}", f"cirr/image_splits/{name}", name)
    listed = read_object(images)
    return images, {id: Location(listed.text(id).removeprefix("./")) for id in listed.fields}


def query(
    entry: Entry,
    text: str,
    known: dict[str, Location],
    listed_in: str,
    hidden: bool,
    may_be_empty: bool = False,
) -> Query:
    """The query of one entry of the caption file, whose field `text` has the modification."""
    reference = entry.id("reference", known, listed_in)
    target = () if hidden else (entry.id("target_hard", known, listed_in),)
    image_set = entry.entry("img_set")
    members = image_set.ids("members", known, listed_in)
    if len(members) != MEMBERS:
        raise image_set.fault("members", f"{len(members)} images instead of {MEMBERS}")
    for role, id in zip(("reference", "target"), (reference, *target), strict=False):
        if id not in members:
            raise image_set.fault("members", f"the {role} {id!r} is not among them")
    return Query(
        id=entry.id("pairid"),
        reference=reference,
        texts=(entry.text(text, may_be_empty),),
        targets=target,
        subset=tuple(member for member in members if member != reference),
    )


def benchmark(
    name: str,
    split: str,
    queries: tuple[Query, ...],
    gallery: dict[str, Location],
    choices: dict[str, object],
) -> Benchmark:
    """CIRR's protocol over those queries; the headline is (R@5 + R_subset@1) / 2."""
    return Benchmark(
        name=name,
        split=split,
        queries=queries,
        galleries={"all": tuple(gallery)},
        recall_at=(1, 5, 10, 50),
        subset_recall_at=(1, 2, 3),
        headline=("R@5", "R_subset@1"),
        exclude_reference=True,
        choices={"subset": "the five others of the image set"} | choices,
        locations=gallery,
    )
