"""Shoes (Guo et al., NeurIPS 2018, on Berg et al.'s Attribute Discovery pictures).

relative_captions_shoes.json          train_im_names.txt          eval_im_names.txt
"""

from __future__ import annotations

from pathlib import Path

from retrieval.benchmarks.annotations import find, read_entries, read_lines
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice

SPLITS = ("train", "eval")


def read(root: str | Path, split: str = "eval") -> Benchmark:
    """Shoes: the captions of both splits are in one file, and belong to the split that lists both of their
    images. The gallery is all images of the split, without the query's own reference.

    Raises:
        InputError: a file is missing or malformed, or there is no such split.
    """
    check_choice("split", split, SPLITS)
    lists = {name: read_lines(find(root, f"{name}_im_names.txt")) for name in SPLITS}
    split_of = {image: name for name, images in lists.items() for image in images}
    listed_in = "train_im_names.txt or eval_im_names.txt"
    queries = []
    for number, entry in enumerate(read_entries(find(root, "relative_captions_shoes.json"))):
        target = entry.id("ImageName", split_of, listed_in)
        reference = entry.id("ReferenceImageName", split_of, listed_in)
        text = entry.text("RelativeCaption")
        if split_of[target] != split_of[reference]:
            raise entry.fault("ReferenceImageName", f"{reference!r} is of another split than {target!r}")
        if split_of[target] == split:
            queries.append(Query(str(number), reference, (text,), (target,)))
    return Benchmark(
        name="shoes",
        split=split,
        queries=tuple(queries),
        galleries={"all": lists[split]},
        recall_at=(1, 10, 50),
        headline=("R@1", "R@10", "R@50"),
        exclude_reference=True,
        locations={image: Location(image) for image in lists[split]},
    )
