"""LaSCo (Levy et al., AAAI 2024).

lasco_<split>.json          lasco_<split>_corpus.json
"""

from __future__ import annotations

from pathlib import Path

from retrieval.benchmarks.annotations import by_id, find, read_entries
from retrieval.benchmarks.benchmark import Benchmark, Place, Query, check_choice

SPLITS = ("train", "val")


def read(root: str | Path, split: str = "val", exclude_reference: bool = False) -> Benchmark:
    """LaSCo over the split's corpus of COCO 2014 images.

    Raises:
        InputError: a file is missing or malformed, or there is no such split.
    """
    check_choice("split", split, SPLITS)
    corpus = find(root, f"lasco_{split}_corpus.json", f"downloads/lasco_{split}_corpus.json")
    images = by_id(read_entries(corpus), "id")
    places = {id: Place(image.text("path")) for id, image in images.items()}
    gallery = tuple(places)
    known = frozenset(gallery)
    queries = []
    entries = read_entries(find(root, f"lasco_{split}.json", f"downloads/lasco_{split}.json"))
    for id, entry in by_id(entries, "qid").items():
        reference, path = entry.pair("query-image")
        target, _ = entry.pair("target-image")
        if target not in known:
            raise entry.fault("target-image", f"unknown image {target!r}, not in {corpus.name}")
        places.setdefault(reference, Place(path))
        queries.append(Query(id, reference, (entry.text("query-text"),), (target,)))
    return Benchmark(
        name="lasco",
        split=split,
        queries=tuple(queries),
        galleries={"all": gallery},
        recall_at=(1, 5, 10, 50, 500, 1000),
        headline=("R@1",),
        exclude_reference=exclude_reference,
        places=places,
    )
