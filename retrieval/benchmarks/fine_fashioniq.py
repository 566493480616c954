"""Fine-FashionIQ (Li et al. 2025): FashionIQ's pairs with longer texts.

captions/fiq.fine.<category>.<split>.jsonl (or .json, or no suffix)
image_splits/split.<category>.<split>.json (FashionIQ's own)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrieval.benchmarks.annotations import find, read_entries, read_ids
from retrieval.benchmarks.base import Benchmark, Location, Query, check_choice, gallery_of
from retrieval.benchmarks.fashioniq import CATEGORIES

SPLITS = ("train", "val")


def read(root: str | Path, split: str = "val", categories: Sequence[str] = CATEGORIES) -> Benchmark:
    """Fine-FashionIQ as its authors score it: the gallery of a category is the union of its queries'
    references and targets, without the query's own reference.

    Raises:
        InputError: a file is missing or malformed, or an option has an unknown value.
    """
    check_choice("split", split, SPLITS)
    galleries: dict[str, tuple[str, ...]] = {}
    queries: list[Query] = []
    for category in categories:
        check_choice("categories", category, CATEGORIES)
        images = find(root, f"image_splits/split.{category}.{split}.json")
        known = frozenset(read_ids(images))
        name = f"fiq.fine.{category}.{split}"
        entries = read_entries(
            find(
                root,
                *(f"{folder}{name}{end}" for folder in ("captions/", "") for end in (".jsonl", ".json", "")),
            )
        )
        part = [
            Query(
                id=f"{category}-{number}",
                reference=entry.id("candidate", known, images.name),
                texts=(entry.text("finemt"),),
                targets=(entry.id("target", known, images.name),),
                part=category,
            )
            for number, entry in enumerate(entries)
        ]
        galleries[category] = gallery_of(part)
        queries += part
    return Benchmark(
        name="fine-fashioniq",
        split=split,
        queries=tuple(queries),
        galleries=galleries,
        recall_at=(10, 50),
        headline=("R@10", "R@50"),
        exclude_reference=True,
        choices={"gallery images": "union: references and targets of the split's queries"},
        locations={id: Location(f"{category}/{id}") for category, ids in galleries.items() for id in ids},
    )
