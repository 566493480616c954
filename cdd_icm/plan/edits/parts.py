"""A turn's edits in parts that are drawn one after the other."""

from __future__ import annotations

from dataclasses import replace

import torch

from cdd_icm.plan.edits.decoding import Edits
from cdd_icm.plan.edits.requests import KEEP, MAX_OBJECTS


def in_parts(edits: Edits, grid: int) -> list[Edits]:
    """What goes, all at once, and after it each object that is drawn, the farthest first, so that nearer ones
    hide it. A changed object goes and is drawn anew. A turn that has fewer parts than another of the batch
    keeps its picture in the later ones; there is at least one.

    Told of several objects, the UNet may give one the shape of another; most training turns draw one object.
    """
    cells = edits.cells.where(edits.classes >= 0, -1).tolist()
    drawn = [sorted((cell // grid, slot) for slot, cell in enumerate(item) if cell >= 0) for item in cells]
    gone = (edits.actions != KEEP).any(dim=1).tolist()
    turns = [[None] * goes + [slot for _, slot in slots] for goes, slots in zip(gone, drawn, strict=True)]
    parts = []
    for number in range(max(1, *map(len, turns))):
        actions, classes = torch.full_like(edits.actions, KEEP), torch.full_like(edits.classes, -1)
        for item, turn in enumerate(turns):
            if number < len(turn) and turn[number] is None:
                actions[item] = edits.actions[item]
            elif number < len(turn):
                classes[item, turn[number]] = edits.classes[item, turn[number]]
        parts.append(replace(edits, actions=actions, added=classes[:, MAX_OBJECTS:] >= 0, classes=classes))
    return parts
