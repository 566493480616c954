"""From logits to the changes of one turn."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from cdd_icm.plan.pieces.network import PieceLogits
from cdd_icm.plan.pieces.scene import Changes, Scene
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.places import median_score, place_apart
from cdd_icm.plan.shared.tuning import Tuning

CHANGE = INTENTS.index("change")
TOGETHER = 0.7
"""Probability from which one of several classes is drawn, of which none is likely alone."""
MEMBERS = 10
"""Number of classes that are taken together."""
SAME_PLACE = 1
"""Distance in cells, in x and y, up to which an object that is there already stays exactly where it is."""


def choose_changes(
    logits: PieceLogits,
    scene: Scene,
    gumbel: Float[Tensor, "B C N"],
    temperature: float,
    tuning: Tuning,
    place: Literal["likeliest", "median"],
) -> Changes:
    """The likeliest changes; places and traits are sampled with the Gumbel-max trick at `temperature`.

    Args:
        gumbel: standard Gumbel noise: one number per cell, then one per value of each trait.
        place: at temperature 0, "median" chooses the cell with the highest `median_score`.
    """
    intents = logits.intents.argmax(dim=-1)
    asks = (intents == CHANGE)[:, None]
    parts = (logits.cells, *logits.traits)
    noise = gumbel.split([part.shape[-1] for part in parts], dim=-1)
    scores, *values = (part + temperature * n for part, n in zip(parts, noise, strict=True))
    if place == "median" and not temperature:
        scores = median_score(logits.cells, tuning)
    traits = [value.argmax(dim=-1) for value in values]
    traits = torch.stack(traits, dim=-1) if traits else scene.traits
    same_look = scene.exists & (traits == scene.traits).all(dim=-1)
    presence = _with_members(logits.drawn, scene, tuning).masked_fill(~asks, -torch.inf)
    cells = place_apart(_elsewhere(scores, scene, same_look), presence, tuning)
    cells = _kept(cells, scene.cells, logits.cells.shape[-1])
    same = (cells == scene.cells) & same_look
    cells = cells.masked_fill(same, -1)
    drawn = Scene(cells, traits.where(cells[..., None] >= 0, -1), torch.zeros_like(same))
    removed = (logits.removed > 0) & asks & scene.exists & ~drawn.exists
    return Changes(drawn, removed, intents)


def _with_members(drawn: Float[Tensor, "B C"], scene: Scene, tuning: Tuning) -> Float[Tensor, "B C"]:
    """The logits, with those of one class raised where several that are each too unlikely to be drawn are
    likely to be one together: "a hat" may be any of eight. It is the likeliest of them."""
    p = drawn.sigmoid()
    open_classes = (p < tuning.presence_threshold) & ~scene.exists
    rest = p.where(open_classes, 0.0)
    together = rest.topk(min(MEMBERS, rest.shape[1]), dim=1).values.sum(dim=1) >= TOGETHER
    chosen = one_hot(rest.argmax(dim=1), rest.shape[1]).bool() & together[:, None]
    return drawn.masked_fill(chosen, torch.logit(torch.tensor(TOGETHER)).item())


def _elsewhere(
    scores: Float[Tensor, "B C G2"], scene: Scene, same_look: Bool[Tensor, "B C"]
) -> Float[Tensor, "B C G2"]:
    """The scores without the cells at which an object is already that does not change its look: if it is
    drawn, it moves."""
    grid = round(scores.shape[-1] ** 0.5)
    index = torch.arange(grid, device=scores.device)
    columns, rows = (
        (index - at[..., None]).abs() <= SAME_PLACE for at in (scene.cells % grid, scene.cells // grid)
    )
    near = (rows[..., None] & columns[..., None, :]).flatten(-2)
    return scores.masked_fill(near & same_look[..., None], -torch.inf)


def _kept(cells: Int[Tensor, "B C"], existing: Int[Tensor, "B C"], count: int) -> Int[Tensor, "B C"]:
    """The cells; of objects that stay about where they are, their old ones. `count`: of the grid's cells."""
    grid = round(count**0.5)
    columns, rows = ((cells % grid - existing % grid).abs(), (cells // grid - existing // grid).abs())
    stays = (existing >= 0) & (cells >= 0) & (torch.maximum(columns, rows) <= SAME_PLACE)
    return existing.where(stays, cells)


def confidence(logits: PieceLogits, scene: Scene, changes: Changes) -> Float[Tensor, " B"]:
    """The probability of the likeliest intent, and where it asks for changes, that every class that is
    changed should be."""
    intent = logits.intents.softmax(dim=-1).amax(dim=-1)
    drawn = _of(logits.drawn, changes.drawn.exists)
    removed = _of(logits.removed, changes.removed)
    return intent * drawn * removed


def _of(logits: Float[Tensor, "B C"], chosen: Bool[Tensor, "B C"]) -> Float[Tensor, " B"]:
    return logits.sigmoid().where(chosen, 1.0).prod(dim=1)
