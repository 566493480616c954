"""Start values of the templates of planned objects: the mean of what was painted around each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, pad

from cdd_icm.data.dialog import Dialog, Picture
from cdd_icm.data.picture import to_float, to_square
from cdd_icm.plan.annotated.splats import TemplateSplats
from cdd_icm.plan.annotated.template_ids import TemplateTable
from cdd_icm.plan.annotated.vocabulary import drawn_objects, to_cells, to_trait_values
from cdd_icm.progress import Progress

CHANNELS = 4
"""Colour and opacity."""
CHANGED = 0.02
"""A pixel of [-1, 1] that differs by more was painted."""


@torch.no_grad()
def add_mean_pictures(
    splats: TemplateSplats,
    table: TemplateTable,
    classes: Sequence[str],
    traits: Mapping[str, Sequence[str]],
    moved_distance: float,
    dialogs: Sequence[Dialog],
    turns: int,
    image_size: int,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Adds to the random templates of `splats` what was painted at each object's place in `turns` turns of
    `dialogs`, chosen by `seed`: to the template of its class in its form. The first four channels get its
    mean colour, in [-1, 1], and how surely its pixels were painted: from 0 where 40 % of the turns did it,
    which other objects may have done, to 1 at 70 %. A turn does not count for what lies outside its picture.

    A gradient would find the same pictures, but those of a rare object only after many epochs.
    """
    width = splats.width
    sums: dict[int, Float[Tensor, "5 k k"]] = {}
    places = [(dialog, turn) for dialog in dialogs for turn in range(len(dialog.turns))]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))[:turns]
    for index in Progress(order.tolist(), desc="templates", unit="turns", disable=not (progress and turns)):
        dialog, turn = places[index]
        before, after = dialog.turns[turn - 1].objects if turn else (), dialog.turns[turn].objects
        if before is None or after is None:  # not annotated
            continue
        drawn = drawn_objects(before, after, moved_distance)
        place = to_cells(drawn, classes, splats.size)
        ids = table.ids(place[None], to_trait_values(drawn, classes, traits)[None])[0]
        pair = (dialog.turns[turn].picture, dialog.reference(turn))
        painted = _painted(*(_pixels(picture, image_size) for picture in pair), splats.size)
        painted = pad(painted, (width // 2, width, width // 2, width))
        for of_object in ids[place >= 0]:
            at, template, *_ = of_object.tolist()
            if template < 0:  # a trait is not annotated
                continue
            y, x = divmod(at, splats.size)
            window = painted[:, y : y + width, x : x + width]
            sums[template] = sums.get(template, 0) + avg_pool2d(window[None], splats.pixel)[0]
    for template, total in sums.items():
        colours, painted, inside = total.split([3, 1, 1])
        colour, share = colours / painted.clamp(min=1e-6), painted / inside.clamp(min=1e-6)
        opacity = ((share - 0.4) / 0.3).clamp(0, 1)
        splats.weight[:CHANNELS, template] += torch.cat([colour * opacity, opacity]).to(splats.weight)


def _pixels(picture: Picture, size: int) -> Float[Tensor, "3 R R"]:
    return to_float(torch.from_numpy(to_square(picture.decode(), size).copy())).permute(2, 0, 1)


def _painted(
    target: Float[Tensor, "3 R R"], reference: Float[Tensor, "3 R R"], size: int
) -> Float[Tensor, "5 G G"]:
    """The colour of what the turn painted, 0 elsewhere, a mask of it, and ones; the mean of each place."""
    mask = ((target - reference).abs().amax(dim=0, keepdim=True) > CHANGED).float()
    return adaptive_avg_pool2d(torch.cat([target * mask, mask, torch.ones_like(mask)]), size)
