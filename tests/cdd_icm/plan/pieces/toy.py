"""A small world of pieces."""

import torch

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.network import PieceLogits
from cdd_icm.plan.pieces.scene import Scene
from cdd_icm.plan.shared.intents import INTENTS

CLASSES = ("boy", "dog", "sun")
TRAITS = {"depth": ("0", "1"), "flip": ("0", "1")}
GRID = 4


def piece(name, x, y, depth="0", flip="0"):
    return SceneObject(name, x, y, float(depth), {"depth": depth, "flip": flip})


def scene(*objects, touched=()):
    return Scene.of(objects, CLASSES, TRAITS, GRID, touched)


def logits(drawn=(-9.0, -9.0, -9.0), removed=(-9.0, -9.0, -9.0), cells=(0, 0, 0), intent="change"):
    """The logits of one turn that are sure of these."""
    places = torch.full((1, 3, GRID**2), -9.0)
    places[0, torch.arange(3), torch.tensor(cells)] = 9.0
    intents = torch.zeros(1, len(INTENTS))
    intents[0, INTENTS.index(intent)] = 9.0
    first = torch.tensor([9.0, -9.0]).expand(1, 3, 2)
    return PieceLogits(torch.tensor([drawn]), torch.tensor([removed]), places, (first, first), intents)
