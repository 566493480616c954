"""CIRCO (Baldrati et al., ICCV 2023).

annotations/<split>.json          COCO2017_unlabeled/annotations/image_info_unlabeled2017.json (the gallery)
"""

from __future__ import annotations

from pathlib import Path

from retrieval.benchmarks.annotations import find, read_entries, read_object
from retrieval.benchmarks.benchmark import Benchmark, Place, Query, check_choice

SPLITS = ("val", "test")
TEXTS = {
    "relative": "{relative_caption}",  # SEARLE, LinCIR
    "shared": "find {shared_concept} but {relative_caption}",  # MagicLens; BGE-VL uses both fields too
}


def read(root: str | Path, split: str = "val", text: str = "relative") -> Benchmark:
    """CIRCO over all of COCO's unlabeled2017, the reference ranked like any other image. A query has several
    right answers, the labelled target first. `text` says what the query is made of (`TEXTS`); it moves
    figures by several points. Targets of test are hidden: it is scored by the server (see
    `retrieval.submission`).

    Raises:
        InputError: a file is missing or malformed, or an option has an unknown value.
    """
    queries = read_queries(root, split, text)
    info = "annotations/image_info_unlabeled2017.json"
    images = read_object(find(root, f"COCO2017_unlabeled/{info}", info)).entries("images")
    places = {image.id("id"): Place(f"unlabeled2017/{image.text('file_name')}") for image in images}
    return Benchmark(
        name="circo",
        split=split,
        queries=queries,
        galleries={"all": tuple(places)},
        recall_at=(5, 10, 25, 50),
        map_at=(5, 10, 25, 50),
        headline=("mAP@5",),
        choices={
            "text": f"{text}: {TEXTS[text]}",
            "targets": "mAP@K over all ground truths, min(their number, K) dividing; R@K by the target alone",
        },
        places=places,
    )


def read_queries(root: str | Path, split: str = "val", text: str = "relative") -> tuple[Query, ...]:
    """The queries alone, for which COCO's own file is not needed."""
    check_choice("split", split, SPLITS)
    check_choice("text", text, TEXTS)
    queries = []
    for entry in read_entries(find(root, f"annotations/{split}.json")):
        words = {field: entry.text(field) for field in ("relative_caption", "shared_concept")}
        query = Query(
            id=entry.id("id"),
            reference=entry.id("reference_img_id"),
            texts=(TEXTS[text].format(**words),),
            targets=() if split == "test" else entry.ids("gt_img_ids"),
            tags=() if split == "test" else entry.ids("semantic_aspects"),
        )
        if split == "val" and query.targets[:1] != (entry.id("target_img_id"),):
            raise entry.fault("gt_img_ids", f"the first is not target_img_id {entry.id('target_img_id')!r}")
        queries.append(query)
    return tuple(queries)
