"""LaSCo (Levy et al., AAAI 2024).

lasco_<split>.json          lasco_<split>_corpus.json
"""

from __future__ import annotations

from pathlib import Path

from retrieval.benchmarks.annotations import by_id, find, read_entries, read_object
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice

SPLITS = ("train", "val")


def read(root: str | Path, split: str = "val", exclude_reference: bool = False) -> Benchmark:
    """LaSCo over the split's corpus of COCO 2014 images, which includes the references.

    Raises:
        InputError: a file is missing or malformed, or there is no such split.
    """
    check_choice("split", split, SPLITS)
    corpus = find(root, f"lasco_{split}_corpus.json", f"downloads/lasco_{split}_corpus.json")
    if split == "train":  # one object with a field for each image
        listed = read_object(corpus)
        locations = {id: Location(listed.text(id)) for id in listed.fields}
    else:
        images = by_id(read_entries(corpus), "id")
        locations = {id: Location(image.text("path")) for id, image in images.items()}
    queries = []
    entries = read_entries(find(root, f"lasco_{split}.json", f"downloads/lasco_{split}.json"))
    for id, entry in by_id(entries, "qid").items():
        reference = entry.id_of_pair("query-image", locations, corpus.name)
        target = entry.id_of_pair("target-image", locations, corpus.name)
        queries.append(Query(id, reference, (entry.text("query-text"),), (target,)))
    return Benchmark(
        name="lasco",
        split=split,
        queries=tuple(queries),
        galleries={"all": tuple(locations)},
        recall_at=(1, 5, 10, 50, 500, 1000),
        headline=("R@1",),
        exclude_reference=exclude_reference,
        locations=locations,
    )
