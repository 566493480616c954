"""FashionIQ (Wu et al., CVPR 2021), under any of its four protocols and five ways to join the two captions.

captions/cap.<category>.<split>.json          image_splits/split.<category>.<split>.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cdd_icm.errors import InputError
from retrieval.benchmarks.annotations import Entry, find, read_entries, read_ids
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice, gallery_of

CATEGORIES = ("dress", "shirt", "toptee")
SPLITS = ("train", "val", "test")
GALLERIES = {
    "original": "all images of the split (CLIP4Cir, SPRC, SEARLE, LinCIR, CoVR)",
    "union": "references and targets of the split's queries (VAL, CoSMo, TG-CIR, DQU-CIR, FineCIR)",
}
CAPTIONS = {
    "joined": 'one text, "C1 and c2" (CLIP4Cir, SPRC)',
    "averaged": 'mean over "c1 and c2" and "c2 and c1" (SEARLE, LinCIR)',
    "token": 'one text, "c1 <and> c2" (the start kit)',
    "separate": "each caption a query of its own (VAL; not comparable with the others)",
    "augmented": 'training: one of "C1 and c2", "C2 and c1", "C1", "C2" is drawn (CLIP4Cir)',
}


def read(
    root: str | Path,
    split: str = "val",
    gallery: str = "original",
    exclude_reference: bool = False,
    captions: str = "joined",
    categories: Sequence[str] = CATEGORIES,
) -> Benchmark:
    """FashionIQ, each category a part. Papers differ in `gallery` (`GALLERIES`), in `exclude_reference`
    (published code for the original gallery mostly ranks the reference) and in `captions` (`CAPTIONS`);
    figures are comparable only if all three agree. The targets of the test split are hidden.

    Raises:
        InputError: a file is missing or malformed, or an option has an unknown value.
    """
    check_choice("split", split, SPLITS)
    check_choice("gallery", gallery, GALLERIES)
    check_choice("captions", captions, CAPTIONS)
    for category in categories:
        check_choice("categories", category, CATEGORIES)
    if captions == "augmented" and split != "train":
        raise InputError(f"captions='augmented': only for the train split, not for {split}")
    if gallery == "union" and split == "test":
        raise InputError("gallery='union': the test split hides its targets; use gallery='original'")

    queries: list[Query] = []
    galleries: dict[str, tuple[str, ...]] = {}
    locations: dict[str, Location] = {}
    empty = 0
    for category in categories:
        images = find(root, f"image_splits/split.{category}.{split}.json")
        original = read_ids(images)
        known = frozenset(original)
        entries = read_entries(find(root, f"captions/cap.{category}.{split}.json"))
        part = []
        for number, entry in enumerate(entries):
            reference = entry.id("candidate", known, images.name)
            target = () if split == "test" else (entry.id("target", known, images.name),)
            pair = _pair(entry)
            empty += len(pair) < 2
            texts = wordings(pair, captions)
            if captions == "separate":
                part += [
                    Query(f"{category}-{number}-{i}", reference, (text,), target, part=category)
                    for i, text in enumerate(texts)
                ]
            else:
                part.append(Query(f"{category}-{number}", reference, texts, target, part=category))
        queries += part
        galleries[category] = original if gallery == "original" else gallery_of(part)
        for id in galleries[category]:
            locations.setdefault(id, Location(f"{category}/{id}"))
    return Benchmark(
        name="fashioniq",
        split=split,
        queries=tuple(queries),
        galleries=galleries,
        recall_at=(10, 50),
        headline=("R@10", "R@50"),
        exclude_reference=exclude_reference,
        choices={
            "gallery images": f"{gallery}: {GALLERIES[gallery]}",
            "captions": f"{captions}: {CAPTIONS[captions]}",
            "entries with an empty caption, which is left out": empty,
        },
        locations=locations,
    )


def wordings(captions: Sequence[str], mode: str) -> tuple[str, ...]:
    """The texts of a query, from its captions (two, or one where the other is empty) by a mode of
    `CAPTIONS`."""
    captions = [caption.strip(".?, ") for caption in captions]
    swapped = captions[::-1]
    if mode == "joined":
        texts = [_sentence(captions)]
    elif mode == "averaged":
        texts = [" and ".join(captions), " and ".join(swapped)]
    elif mode == "token":
        texts = [" <and> ".join(captions)]
    elif mode == "separate":
        texts = captions
    else:
        texts = [_sentence(captions), _sentence(swapped), *(caption.capitalize() for caption in captions)]
    return tuple(dict.fromkeys(texts))


def _sentence(captions: Sequence[str]) -> str:
    return " and ".join([captions[0].capitalize(), *captions[1:]])


def _pair(entry: Entry) -> tuple[str, ...]:
    """The two captions, without empty ones."""
    captions = tuple(caption for caption in entry.texts("captions", 2) if caption.strip(".?, "))
    if not captions:
        raise entry.fault("captions", "both are empty")
    return captions
