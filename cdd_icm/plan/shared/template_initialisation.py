"""Initialises templates with the mean pictures of the objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, pad

from cdd_icm.data.dialog import Dialog, Picture
from cdd_icm.data.picture import to_float, to_square
from cdd_icm.plan.shared.object_tensors import drawn_objects, to_cells, to_trait_values
from cdd_icm.plan.shared.splats import TemplateSplats
from cdd_icm.plan.shared.template_ids import TemplateTable
from cdd_icm.progress import Progress

CHANNELS = 4
"""Colour and opacity."""
CHANGED = 0.02
"""Difference between target and reference, in [-1, 1], above which a pixel counts as drawn."""


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
    mirrored: bool = False,
) -> None:
    """Adds to the random templates of `splats` the mean picture of each class and form, over `turns` random
    turns of `dialogs`. The first four channels are its mean colour, in [-1, 1], times opacity, and its
    opacity: 0 for pixels that at most 40 % of the turns draw (other objects may have been drawn there),
    rising to 1 at 70 %. Pixels outside of a turn's picture are not counted.

    With `mirrored`, the templates are of unmirrored objects (trait `flip`), and mirrored ones count as they
    look in the mirror.

    Training would learn the same templates, but those of rare objects only after many epochs.
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
        pair = (dialog.turns[turn].picture, dialog.reference(turn))
        seen = _drawn_pixels(*(_pixels(picture, image_size) for picture in pair), splats.size)
        views = [(drawn, seen)]
        if mirrored:
            flipped = [obj for obj in drawn if obj.look.get("flip") == "1"]
            plain = [obj for obj in drawn if obj not in flipped]
            views = [(plain, seen), ([obj.mirrored() for obj in flipped], seen.flip(-1))]
        for objects, pixels in views:
            place = to_cells(objects, classes, splats.size)
            ids = table.ids(place[None], to_trait_values(objects, classes, traits)[None])[0]
            pixels = pad(pixels, (width // 2, width, width // 2, width))
            for row in ids[place >= 0]:
                at, template, *_ = row.tolist()
                if template < 0:  # a trait is not annotated
                    continue
                y, x = divmod(at, splats.size)
                window = pixels[:, y : y + width, x : x + width]
                sums[template] = sums.get(template, 0) + avg_pool2d(window[None], splats.pixel)[0]
    for template, total in sums.items():
        colours, drawn_turns, turns_inside = total.split([3, 1, 1])
        colour = colours / drawn_turns.clamp(min=1e-6)
        share = drawn_turns / turns_inside.clamp(min=1e-6)
        opacity = ((share - 0.4) / 0.3).clamp(0, 1)
        splats.weight[:CHANNELS, template] += torch.cat([colour * opacity, opacity]).to(splats.weight)


def _pixels(picture: Picture, size: int) -> Float[Tensor, "3 R R"]:
    return to_float(torch.from_numpy(to_square(picture.decode(), size).copy())).permute(2, 0, 1)


def _drawn_pixels(
    target: Float[Tensor, "3 R R"], reference: Float[Tensor, "3 R R"], size: int
) -> Float[Tensor, "5 G G"]:
    """The colour of the pixels that the turn draws (0 elsewhere), their mask, and ones, averaged over each
    place."""
    mask = ((target - reference).abs().amax(dim=0, keepdim=True) > CHANGED).float()
    return adaptive_avg_pool2d(torch.cat([target * mask, mask, torch.ones_like(mask)]), size)
