"""Your own triplets: a JSON Lines file with the fields `reference`, `text`, `target` and, optionally, `split`
and `caption`, a description of the reference.

Images are given by their paths below the image folder, or by their names alone where these are unique.
"""

from __future__ import annotations

from pathlib import Path

from cdd_icm.errors import InputError
from retrieval.benchmarks.annotations import read_entries, read_ids
from retrieval.benchmarks.base import Benchmark, Location, Query, gallery_of


def read(
    path: str | Path,
    split: str | None = None,
    gallery: str | Path | None = None,
    exclude_reference: bool = True,
) -> Benchmark:
    """The triplets of `split`, or all of them. The gallery is the images listed in `gallery`, a JSON file, or
    else the references and targets of these triplets.

    Raises:
        InputError: a file is missing or malformed, the split has no triplets, or a target is not in the
        gallery.
    """
    path = Path(path)
    known = None if gallery is None else dict.fromkeys(read_ids(Path(gallery)))
    queries = tuple(
        Query(
            id=str(entry.index + 1),
            reference=entry.id("reference"),
            texts=(entry.text("text"),),
            targets=(entry.id("target", known, str(gallery)),),
            caption=(entry.text("caption"),) if "caption" in entry else (),
        )
        for entry in read_entries(path)
        if split is None or entry.text("split") == split
    )
    if not queries:
        raise InputError(f"{path}: no triplets" + (f" with split {split!r}" if split else ""))
    images = gallery_of(queries)
    return Benchmark(
        name=path.stem,
        split=split or "all",
        queries=queries,
        galleries={"all": images if known is None else tuple(known)},
        recall_at=(1, 5, 10, 50),
        headline=("R@1",),
        exclude_reference=exclude_reference,
        choices={
            "gallery images": "union: references and targets of the split's queries"
            if gallery is None
            else f"as listed in {Path(gallery).name}"
        },
        locations={id: Location(id) for id in dict.fromkeys([*images, *(known or ())])},
    )
