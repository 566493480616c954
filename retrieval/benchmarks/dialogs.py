"""Drawn dialogs as composed retrieval: every turn of i-CLEVR or CoDraw is a query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cdd_icm.data import Dialog, Picture, load_dialogs, pictures_of
from retrieval.benchmarks.base import Benchmark, Query


def read(path: str | Path, split: str = "test", exclude_reference: bool = False) -> Benchmark:
    """The turns of a split's dialogs as queries over all its pictures, see `from_dialogs`.

    Raises:
        InputError: what `load_dialogs` raises.
    """
    return from_dialogs(load_dialogs(path, split), exclude_reference)


def from_dialogs(dialogs: Sequence[Dialog], exclude_reference: bool = False) -> Benchmark:
    """A query for each turn. Reference: the picture before it; text: its instruction, with the earlier ones
    as history; target: the picture after it; caption: all earlier instructions, none for the empty canvas.
    The gallery holds the pictures of all turns, identical ones once, without the empty canvas."""
    queries = tuple(_query(dialog, number) for dialog in dialogs for number in range(len(dialog.turns)))
    pictures: dict[str, Picture] = {picture.key: picture for picture in pictures_of(dialogs)}
    gallery = tuple(dict.fromkeys(query.targets[0] for query in queries))
    return Benchmark(
        name="dialogs",
        split=dialogs[0].split,
        queries=queries,
        galleries={"all": gallery},
        recall_at=(1, 5, 10, 50),
        headline=("R@1",),
        exclude_reference=exclude_reference,
        choices={"identical pictures, counted as one": len(queries) - len(gallery)},
        pictures=pictures,
    )


def _query(dialog: Dialog, number: int) -> Query:
    """The query of turn `number`, from 0."""
    turn = dialog.turns[number]
    earlier = tuple(turn.instruction for turn in dialog.turns[:number])
    return Query(
        id=f"{dialog.id}-{number}",
        reference=dialog.reference(number).key,
        texts=(turn.instruction,),
        targets=(turn.picture.key,),
        history=earlier,
        caption=earlier,
        tags=(f"turn {number + 1}",),
    )
