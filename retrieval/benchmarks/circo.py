"""CIRCO (Baldrati et al., ICCV 2023).

annotations/<split>.json          COCO2017_unlabeled/annotations/image_info_unlabeled2017.json (the gallery)
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from retrieval.benchmarks.annotations import by_id, find, read_entries, read_object
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice

SPLITS = ("val", "test")
IMAGES = tuple(f"{folder}annotations/image_info_unlabeled2017.json" for folder in ("COCO2017_unlabeled/", ""))
TEXTS = {
    "relative": "{relative_caption}",  # SEARLE, LinCIR
    "shared": "find {shared_concept} but {relative_caption}",  # MagicLens; BGE-VL uses both fields too
}


def read(root: str | Path, split: str = "val", text: str = "relative") -> Benchmark:
    """CIRCO over all of COCO's unlabeled2017, with the reference ranked like any other image. A query has
    several right answers, the labelled target first. `text` chooses how a query is worded (`TEXTS`), which
    changes figures by several points. The targets of test are hidden: the server scores it (see
    `retrieval.evaluation.submission`).

    Raises:
        InputError: a file is missing or malformed, or an option has an unknown value.
    """
    check_choice("split", split, SPLITS)
    check_choice("text", text, TEXTS)
    listed = find(root, *IMAGES)
    images = by_id(read_object(listed).entries("images"), "id")
    queries = read_queries(root, split, text, images, listed.name)
    locations = {id: Location(f"unlabeled2017/{image.text('file_name')}") for id, image in images.items()}
    return Benchmark(
        name="circo",
        split=split,
        queries=queries,
        galleries={"all": tuple(locations)},
        recall_at=(5, 10, 25, 50),
        map_at=(5, 10, 25, 50),
        headline=("mAP@5",),
        choices={
            "text": f"{text}: {TEXTS[text]}",
            "targets": "mAP@K over all ground truths, min(their number, K) dividing; R@K by the target alone",
        },
        locations=locations,
    )


def has_image_list(root: str | Path) -> bool:
    """Whether COCO's list of images exists; without it only the queries can be read."""
    return any((Path(root) / name).is_file() for name in IMAGES)


def read_queries(
    root: str | Path,
    split: str = "val",
    text: str = "relative",
    known: Collection[str] | None = None,
    listed_in: str = "",
) -> tuple[Query, ...]:
    """The queries alone, for which COCO's list of images is not needed. Given the `known` image ids, others
    are refused."""
    check_choice("split", split, SPLITS)
    check_choice("text", text, TEXTS)
    queries = []
    for id, entry in by_id(read_entries(find(root, f"annotations/{split}.json")), "id").items():
        words = {field: entry.text(field) for field in ("relative_caption", "shared_concept")}
        query = Query(
            id=id,
            reference=entry.id("reference_img_id", known, listed_in),
            texts=(TEXTS[text].format(**words),),
            targets=() if split == "test" else entry.ids("gt_img_ids", known, listed_in),
            tags=() if split == "test" else entry.ids("semantic_aspects"),
        )
        if split == "val" and query.targets[:1] != (entry.id("target_img_id"),):
            raise entry.fault("gt_img_ids", f"the first is not target_img_id {entry.id('target_img_id')!r}")
        queries.append(query)
    return tuple(queries)
