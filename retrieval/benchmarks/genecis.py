"""GeneCIS v0 (Vaze et al., CVPR 2023): zero-shot; each query has a small gallery of its own.

{focus,change}_{attribute,object}.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from retrieval.benchmarks.annotations import Entry, find, read_entries
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice

TASKS = ("focus_attribute", "change_attribute", "focus_object", "change_object")
DILATION = 0.7


def read(root: str | Path, tasks: Sequence[str] = TASKS) -> Benchmark:
    """GeneCIS, each task a part. As in the published code, entries whose gallery does not have the task's
    usual length are left out. A distractor that equals the target (in one entry of change_object) is not
    ranked twice.

    Raises:
        InputError: a file is missing or malformed, or there is no such task.
    """
    queries: list[Query] = []
    galleries: dict[str, tuple[str, ...]] = {}
    locations: dict[str, Location] = {}
    unusual = duplicates = 0
    for task in tasks:
        check_choice("tasks", task, TASKS)
        part = []
        entries = read_entries(find(root, f"{task}.json", f"genecis/{task}.json"))
        listed = [entry.entries("gallery") for entry in entries]
        usual = Counter(map(len, listed)).most_common(1)[0][0]
        for number, (entry, distractors) in enumerate(zip(entries, listed, strict=True)):
            if len(distractors) != usual:
                unusual += 1
                continue
            pictures = [entry.entry("reference"), entry.entry("target"), *distractors]
            reference, target, *others = (_picture(picture, task, locations) for picture in pictures)
            duplicates += target in others
            candidates = tuple(dict.fromkeys([target, *others]))
            part.append(
                Query(
                    id=f"{task}-{number}",
                    reference=reference,
                    texts=(entry.text("condition"),),
                    targets=(target,),
                    candidates=candidates,
                    part=task,
                )
            )
        galleries[task] = tuple(dict.fromkeys(id for query in part for id in query.candidates))
        queries += part
    return Benchmark(
        name="genecis",
        split="val",
        queries=tuple(queries),
        galleries=galleries,
        recall_at=(1, 2, 3),
        headline=("R@1",),
        choices={
            "ranked": "the target among its own distractors",
            "crop": f"attribute tasks: box dilated by {DILATION} to the left and upwards, padded to a square",
            "entries with a gallery of unusual length, left out": unusual,
            "distractors that are the target itself, left out": duplicates,
        },
        locations=locations,
    )


def crop(
    picture: UInt8[np.ndarray, "h w 3"], box: tuple[float, float, float, float]
) -> UInt8[np.ndarray, "side side 3"]:
    """The picture around `box` (x, y, width, height in pixels) as GeneCIS crops it: 1.7 times the box,
    enlarged to the left and upwards only, up to the picture's edge, then centred on a black square."""
    x, y, width, height = box
    left, top = max(0, x - DILATION * width), max(0, y - DILATION * height)
    right = min(picture.shape[1], left + (1 + DILATION) * width)
    bottom = min(picture.shape[0], top + (1 + DILATION) * height)
    cut = Image.fromarray(picture).crop((left, top, right, bottom))
    side = max(cut.size)
    square = Image.new("RGB", (side, side))
    square.paste(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
    return np.asarray(square)


def _picture(entry: Entry, task: str, locations: dict[str, Location]) -> str:
    """The id of a picture, or of a box in one. Adds its location to `locations`."""
    if task.endswith("object"):
        id = entry.id("val_image_id")
        location = Location(id.zfill(12))
    else:
        image, box = entry.id("image_id"), entry.numbers("instance_bbox", 4)
        if min(box[2:]) <= 0:
            raise entry.fault("instance_bbox", f"{box} has no area")
        id = f"{image}[{','.join(f'{side:g}' for side in box)}]"
        location = Location(image, box)
    locations.setdefault(id, location)
    return id
