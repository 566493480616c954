"""Plan before painting: which objects the turn draws, and where, as a distribution that can be sampled.

A small diffusion model that must settle colour, shape and place all at once, out of noise, mixes and doubles
objects. Here the fused condition first says what goes where on a coarse grid, a choice is drawn from that,
and the UNet paints it: p(x | r, m) = sum over plans of p(plan | r, m) p(x | r, m, plan). It is taught by the
annotated objects of the training data (layout before picture: Hong et al. 2018, arXiv 1801.05091).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate, one_hot

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError
from cdd_icm.fusion import Attention, Fused
from cdd_icm.placing import Placing, Reading, Seeing, standing_cells

MOVED = 0.02
"""An object that stands this much further on, as a share of the picture's side, has been moved."""
PRESENT = 0.4
"""A class that is drawn with at least this probability is planned: one that is left out stays missing."""
LIKELY = 0.05
"""A cell this much as likely as the likeliest may be planned with."""
CROWDED, APART = 2.0, 0.11
"""The price of standing where something stands, in shares of the probability (see `median_score`), and how
far from there it lessens, as a share of the picture's side: about as wide as an object of i-CLEVR's."""
CLOSE, BESIDE = 3.0, 0.08
"""The same of the things that one turn draws, in what scores their cells (see `side_by_side`): nearer each
other, as a person and what the hand holds are."""


@dataclass
class PlanLogits:
    """p(plan | reference, text): each class by itself, whether it is drawn and in which cell."""

    presence: Float[Tensor, "B C"]
    cell: Float[Tensor, "B C G2"]
    looks: tuple[Float[Tensor, "B C V"], ...] = ()
    """Of each trait its values, were the class drawn."""
    sides: Float[Tensor, "B C 2"] | None = None
    """Of each class that stands, whether the new object is right of it and below it, see `Placing`."""
    standing: Int[Tensor, "B C"] | None = None
    """In which cell each class stands, or -1, where the planner looks for that."""


class Planner(ModelMixin, ConfigMixin):
    """Which classes of object the turn draws or moves, and in which cell of a grid each.

    A plan is (B, C) integers: the class's cell, counted row by row from the top left, or -1 where the turn
    leaves the class alone. A class comes at most once in a turn, as in CoDraw and i-CLEVR. Where the data
    tells how its objects look, the plan does, too: (B, C, K) integers, the value of each of K traits, or -1.

    Args:
        classes: the names of the C classes. width, text_width: D of the fused tokens, E of the pooled text.
        heads: of the look at the picture. grid: G, cells along a side. place_width: d, the width of a cell's
        features. traits: the values of each trait. forms: of each class the traits that change its whole
        picture, see `Templates`. ask: how many times each class asks the text and the picture about itself
        (`Asking`), as "the sun at the top left, a small tree on the right" needs; 0 for texts that name one
        object. read: how often the words that are asked look at their neighbours before (`Reading`).
        kernels, horizon: of `placing.Placing`, which then says where the one new object goes, in pictures of
        the side `image_size`; no kernels let the fused tokens say it.
    """

    @register_to_config
    def __init__(
        self,
        classes: Sequence[str],
        width: int,
        text_width: int,
        heads: int = 4,
        grid: int = 16,
        place_width: int = 64,
        traits: Mapping[str, Sequence[str]] | None = None,
        forms: Mapping[str, Sequence[str]] | None = None,
        ask: int = 0,
        read: int = 0,
        kernels: int = 0,
        horizon: float | None = None,
        image_size: int = 0,
    ):
        super().__init__()
        self.sizes = tuple(len(values) for values in (traits or {}).values())
        self.templates = Templates(classes, traits or {}, forms or {})
        told = 1 + sum(self.sizes)
        if kernels:
            self.see = Seeing(image_size, len(classes), grid)
            self.placing = Placing(len(classes), width, heads, grid, kernels, read, horizon)
        else:
            self.norm, self.look = nn.LayerNorm(width), Attention(width, heads)
            self.cells = Cells(width, place_width, grid)
            self.class_embedding = nn.Parameter(shared_embedding(len(classes), place_width))
        if ask:
            self.asker = nn.Parameter(torch.randn(len(classes), width))
            self.reading = nn.ModuleList(Reading(width, heads) for _ in range(read))
            self.asking = nn.ModuleList(Asking(width, heads) for _ in range(ask))
            # The same for all classes: what "left" means is learnt once.
            self.answer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, told + 2 * grid + place_width))
            nn.init.constant_(self.answer[1].bias[:1], -3.0)  # at first nothing is drawn
        else:
            self.presence = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, len(classes)))
            self.named = nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, len(classes) * told))

    def to_marks(self, place: Int[Tensor, "B C"], look: Int[Tensor, "B C K"] | None) -> Int[Tensor, "B C M"]:
        """The form in which the UNet sees a plan, see `Templates`."""
        return self.templates.marks(place, look)

    def forward(
        self,
        fused: Fused,
        reference: Float[Tensor, "B 3 R R"] | None = None,
        standing: Int[Tensor, "B C"] | None = None,
        latest: Int[Tensor, " B"] | None = None,
        most: int | None = None,
    ) -> PlanLogits:
        """A planner with kernels needs the reference, in [-1, 1], to look for what stands there, or the cells
        of that, where they are known, and how many at `most`; and which class of it is the `latest`, or
        -1."""
        if self.config.kernels:
            if standing is None:
                standing = standing_cells(self.see(reference), latest)
            presence, looks = self._named(fused)
            if latest is None:
                latest = standing.new_full((len(standing),), -1)
            cell, sides = self.placing(fused.words, fused.mask, standing, latest, most)
            cell = cell[:, None].expand(-1, presence.shape[1], -1)  # (B, C, G^2)
            return PlanLogits(presence.float(), cell, self._split(looks), sides, standing)
        # The fusion finds the words' objects in the picture; a cell then looks at where they are.
        tokens = self.norm(fused.image_tokens)
        cells = self.cells(fused.image_tokens + self.look(tokens, tokens))  # (B, d, G, G)
        place = self.class_embedding.to(cells.dtype).expand(len(cells), -1, -1)  # (B, C, d)
        if self.config.ask:
            answer = self.asker.to(tokens.dtype).expand(len(cells), -1, -1)  # (B, C, D)
            words = fused.words
            for reading in self.reading:
                words = reading(words, fused.mask)
            for asking in self.asking:
                answer = asking(answer, words, fused)
            sizes = [1, sum(self.sizes), self.config.grid, self.config.grid, place.shape[-1]]
            presence, looks, column, row, more = self.answer(answer).split(sizes, dim=-1)
            cell = torch.einsum("bdyx,bcd->bcyx", cells, place + more)
            cell = cell + row[..., None] + column[..., None, :]  # (B, C, G, G)
            presence = presence[..., 0]  # (B, C)
        else:
            presence, looks = self._named(fused)
            cell = torch.einsum("bdyx,bcd->bcyx", cells, place)  # (B, C, G, G)
        return PlanLogits(presence.float(), cell.flatten(2).float(), self._split(looks))

    def drawn(self, fused: Fused) -> Int[Tensor, " B"]:
        """The class that a text draws, the likeliest where it draws several, or -1 where it draws none."""
        presence, _ = self._named(fused)
        likeliest = presence.max(dim=1)
        return torch.where(present(likeliest.values), likeliest.indices, -1)

    def _named(self, fused: Fused) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B C V"]]:
        """Presence and looks. Most often the words name the class; through the query alone that is learnt
        many times slower."""
        named = self.named(fused.text_pooled).unflatten(1, (len(self.config.classes), -1))
        return named[..., 0] + self.presence(fused.query), named[..., 1:]

    def _split(self, looks: Float[Tensor, "B C V"]) -> tuple[Float[Tensor, "B C v"], ...]:
        """By trait."""
        return looks.float().split(self.sizes, dim=-1) if self.sizes else ()


class Asking(nn.Module):
    """Each class attends to the text, then to the picture, and thinks: first it finds its own word, then
    what stands beside that. It reads the text's own tokens: from the fused ones, which are half picture, left
    and right were learnt later."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.text, self.picture = (Attention(width, heads) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, answer: Float[Tensor, "B C D"], words: Float[Tensor, "B Nw D"], fused: Fused
    ) -> Float[Tensor, "B C D"]:
        answer = answer + self.text(self.norms[0](answer), words, fused.mask)
        answer = answer + self.picture(self.norms[1](answer), fused.image_tokens)
        return answer + self.mlp(answer)


def shared_embedding(classes: int, width: int) -> Float[Tensor, "C d"]:
    """Embeddings that are nearly one at the start. "On the left" holds whatever the class; were they random,
    a network would have to learn it for each class by itself, out of a saddle point."""
    return (1 + 0.1 * torch.randn(classes, width)) * width**-0.5


class Cells(nn.Module):
    """Tokens of a patch grid -> features of a grid of cells; a token tells of the cells inside its patch."""

    def __init__(self, width: int, out: int, grid: int):
        super().__init__()
        self.grid, self.out = grid, out
        self.mix = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 4 * out))

    def forward(self, tokens: Float[Tensor, "B Nv D"]) -> Float[Tensor, "B d G G"]:
        side = math.isqrt(tokens.shape[1])
        x = rearrange(self.mix(tokens), "b (y x) (p q d) -> b d (y p) (x q)", y=side, p=2, q=2)
        if 2 * side == self.grid:
            return x
        return interpolate(x, size=(self.grid, self.grid), mode="bilinear")


class Relations(nn.Module):
    """On which side of each object that stands in the reference the turn draws each of its own.

    It is trained with the fusion and not needed for drawing. "Behind the cube on the left" says two signs
    and leaves the rest to chance, so the cell alone is a noisy teacher; the signs, asked for where the cube
    stands, teach the fused tokens to find the words for their own object.
    """

    def __init__(self, classes: int, width: int, grid: int, sign_width: int = 32):
        super().__init__()
        self.grid = grid
        self.cells = Cells(width, 2 * sign_width, grid)
        self.class_embedding = nn.Parameter(shared_embedding(classes, sign_width))

    def forward(
        self, tokens: Float[Tensor, "B Nv D"], standing: Int[Tensor, "B C"]
    ) -> Float[Tensor, "B C C 2"]:
        """Logits of x_new > x_old and y_new > y_old, for the old class and the new one; they mean something
        where the old one stands."""
        cells = self.cells(tokens).flatten(2)  # (B, 2 d, G^2)
        at = standing.clamp(min=0)[:, None].expand(-1, cells.shape[1], -1)  # (B, 2 d, C)
        there = rearrange(cells.gather(2, at), "b (two d) c -> b two d c", two=2).float()
        return torch.einsum("bkdo,nd->bonk", there, self.class_embedding.float())


def relation_loss(
    logits: Float[Tensor, "B C C 2"],
    standing: Int[Tensor, "B C"],
    plan: Int[Tensor, "B C"],
    grid: int,
    valid: Bool[Tensor, " B"],
) -> Float[Tensor, ""]:
    """-log p(signs) over all pairs of a standing and a planned object in different columns (or rows); summed
    and divided as in `plan_loss`."""
    old, new = (torch.stack([cells % grid, cells // grid], dim=-1) for cells in (standing, plan))
    old, new = old[:, :, None], new[:, None]  # (B, C, 1, 2), (B, 1, C, 2)
    pairs = (standing >= 0)[:, :, None] & (plan >= 0)[:, None] & valid[:, None, None]  # (B, C, C)
    counted = pairs[..., None] & (old != new)
    # Weights, as in the losses below: to choose by a mask, a GPU must first know how many it chooses.
    truth, weight = (new > old).float(), counted.float()
    return binary_cross_entropy_with_logits(logits, truth, weight, reduction="sum") / len(plan)


def each_class(sides: Float[Tensor, "B C 2"]) -> Float[Tensor, "B C C 2"]:
    """The sides of a new object of any class as those of each."""
    return sides[:, :, None].expand(-1, -1, sides.shape[1], -1)


def drawn_objects(before: Sequence[SceneObject], after: Sequence[SceneObject]) -> tuple[SceneObject, ...]:
    """The objects of `after` that are new, or stand elsewhere or look otherwise than in `before`."""
    stood = {thing.name: thing for thing in before}

    def same(thing: SceneObject) -> bool:
        was = stood.get(thing.name)
        near = was is not None and max(abs(was.x - thing.x), abs(was.y - thing.y)) <= MOVED
        return near and was.look == thing.look

    return tuple(thing for thing in after if not same(thing))


def to_plan(objects: Sequence[SceneObject], classes: Sequence[str], grid: int) -> Int[Tensor, " C"]:
    """The plan that puts `objects` where they stand; outside the picture the nearest cell counts.

    Raises:
        InputError: an object of another class.
    """
    plan = [-1] * len(classes)
    for thing in objects:
        if thing.name not in classes:
            raise InputError(f"objects: {thing.name!r} is none of the {len(classes)} classes planned with")
        x, y = (min(max(int(value * grid), 0), grid - 1) for value in (thing.x, thing.y))
        plan[classes.index(thing.name)] = y * grid + x
    return torch.tensor(plan)


def to_look(
    objects: Sequence[SceneObject], classes: Sequence[str], traits: Mapping[str, Sequence[str]]
) -> Int[Tensor, "C K"]:
    """How `objects`, of known classes, look: the value of each trait, or -1 where that is not told.

    Raises:
        InputError: a value that no object of the training data has.
    """
    look = torch.full((len(classes), len(traits)), -1)
    for thing in objects:
        for k, (trait, values) in enumerate(traits.items()):
            value = thing.look.get(trait)
            if value is not None and value not in values:
                raise InputError(f"objects: look: {trait}: {value!r} is none of {', '.join(values)}")
            look[classes.index(thing.name), k] = -1 if value is None else values.index(value)
    return look


class Templates:
    """Which of P templates lie where an object is planned: the one of its class in its form, and then one for
    the value of each trait that is in no form.

    A form is a combination of the values of those traits that change the class's whole picture (`forms`, by
    class): of a small thing turned to the left every pixel is another than of a large one turned right.

    Attributes:
        count: P. forms: those of them that are a class in a form; they come first.
    """

    def __init__(
        self,
        classes: Sequence[str],
        traits: Mapping[str, Sequence[str]],
        forms: Mapping[str, Sequence[str]],
    ):
        first, strides, counted = [], torch.zeros(len(classes), len(traits), dtype=torch.long), 0
        for c, name in enumerate(classes):
            first.append(counted)
            size = 1
            for k, (trait, values) in reversed(list(enumerate(traits.items()))):
                if trait in forms.get(name, ()):
                    strides[c, k] = size
                    size *= len(values)
            counted += size
        self.first, self.strides, self.forms = torch.tensor(first), strides, counted
        self.others: list[tuple[int, int]] = []  # the trait, and its first template
        for k, (trait, values) in enumerate(traits.items()):
            if not any(trait in form for form in forms.values()):
                self.others.append((k, counted))
                counted += len(values)
        self.count = counted

    def marks(self, place: Int[Tensor, "B C"], look: Int[Tensor, "B C K"] | None) -> Int[Tensor, "B C M"]:
        """The form in which the UNet sees a plan: of each class its place, or -1, and then which templates
        lie there, or -1 where nobody told how it looks."""
        form, strides = (x.to(place.device, non_blocking=True) for x in (self.first, self.strides))
        form, told = form.expand_as(place), torch.ones_like(place, dtype=torch.bool)
        if look is not None:
            form = form + (look * strides).sum(dim=-1)
            told = ((look >= 0) | (strides == 0)).all(dim=-1)
        others = [torch.where(look[..., k] >= 0, first + look[..., k], -1) for k, first in self.others]
        return torch.stack([place, torch.where(told, form, -1), *others], dim=-1)


def middle_place(plan: Int[Tensor, "B C"], grid: int, fine: int) -> Int[Tensor, "B C"]:
    """The place in the middle of each cell, of `fine` places along a cell's side; -1 stays."""
    y, x = (cell * fine + fine // 2 for cell in (plan // grid, plan % grid))
    return torch.where(plan >= 0, y * (grid * fine) + x, -1)


def plan_loss(
    logits: PlanLogits,
    plan: Int[Tensor, "B C"],
    valid: Bool[Tensor, " B"],
    look: Int[Tensor, "B C K"] | None = None,
) -> Float[Tensor, ""]:
    """-log p(plan | reference, text), summed over the valid items and divided by the size of the batch, so
    that the mean over processes is the loss of the joined batch."""
    drawn = (plan >= 0) & valid[:, None]  # (B, C)
    whether = binary_cross_entropy_with_logits(
        logits.presence, (plan >= 0).float(), weight=valid[:, None].float(), reduction="sum"
    )

    def told(values: Float[Tensor, "B C N"], truth: Int[Tensor, "B C"]) -> Float[Tensor, ""]:
        truth = truth.masked_fill(~drawn, -1)
        return cross_entropy(values.flatten(0, 1), truth.flatten(), ignore_index=-1, reduction="sum")

    how = sum(told(values, look[..., k]) for k, values in enumerate(logits.looks))
    return (whether + told(logits.cell, plan) + how) / len(plan)


def cell_loss(
    logits: Float[Tensor, "B C G G"], standing: Int[Tensor, "B C"], valid: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """-log p(which classes stand in which cells), every cell by itself; summed and divided as in
    `plan_loss`."""
    truth = one_hot(standing + 1, logits.shape[-1] ** 2 + 1)[..., 1:].view_as(logits)
    loss = binary_cross_entropy_with_logits(
        logits.float(),
        truth.float(),
        weight=valid[:, None, None, None].float(),
        reduction="sum",
    )
    return loss / len(standing)


def median_score(
    logits: Float[Tensor, "B C G2"], standing: Int[Tensor, "B C"] | None = None
) -> Float[Tensor, "B C G2"]:
    """Of the `LIKELY` cells, how little far each is from the median column and the median row, and how clear
    of what stands: 0 at best, -inf for the others.

    Wherever something else stands, the object is more probably on the median's side of it than on the other:
    no other choice is less often on the wrong side. How far from it a cell is, in columns and in rows, is
    told by the share of the probability that lies between. But the median of two places, left and right of a
    cylinder, is behind it, where nobody put anything and where nobody would see it: hence likely cells only,
    and a price, `CROWDED` next to something and falling with the distance (`nearness`, `APART` wide).
    """
    grid = math.isqrt(logits.shape[-1])
    cells = logits.softmax(dim=-1).unflatten(-1, (grid, grid))  # (B, C, G, G)
    column, row = (_from_median(cells.sum(dim=dim)) for dim in (-2, -1))
    price = column[..., None, :] + row[..., None]
    if standing is not None:
        near = nearness(standing, grid, APART)  # (B, C, G, G)
        price = price + CROWDED * (near.sum(dim=1, keepdim=True) - near)  # of all but the class itself
    likely = cells >= LIKELY * cells.amax(dim=(-2, -1), keepdim=True)
    return -price.masked_fill(~likely, math.inf).flatten(-2)


def nearness(cells: Int[Tensor, "*n"], grid: int, width: float) -> Float[Tensor, "*n G G"]:
    """A Gaussian around each cell, 1 there and `width` of the picture's side wide; 0 where the cell is -1."""
    index = torch.arange(grid, device=cells.device)
    x, y = ((index - at[..., None]) / (width * grid) for at in (cells % grid, cells // grid))
    near = (-(x[..., None, :] ** 2 + y[..., None] ** 2) / 2).exp()
    return near * (cells >= 0)[..., None, None]


def present(presence: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"]:
    """Which classes are drawn, of the logits of that."""
    return presence.sigmoid() >= PRESENT


def side_by_side(scores: Float[Tensor, "B C G2"], presence: Float[Tensor, "B C"]) -> Int[Tensor, "B C"]:
    """Of each class that is `present`, the surest first, the cell with the highest score, less `CLOSE` times
    the `nearness` to those before it (`BESIDE` wide); -1 for the others. Planned each by itself, the things
    of one turn would hide each other."""
    grid, items = math.isqrt(scores.shape[-1]), torch.arange(len(scores), device=scores.device)
    cells = torch.full_like(presence, -1, dtype=torch.long)
    taken = scores.new_zeros(len(scores), scores.shape[-1])
    drawn, order = present(presence), presence.argsort(dim=-1, descending=True, stable=True)
    for c in order[:, : int(drawn.sum(dim=-1).max())].unbind(dim=1):
        cell = (scores[items, c] - taken).argmax(dim=-1).where(drawn[items, c], -1)
        cells[items, c] = cell
        taken = taken + CLOSE * nearness(cell, grid, BESIDE).flatten(-2)
    return cells


def _from_median(shares: Float[Tensor, "*n G"]) -> Float[Tensor, "*n G"]:
    """How much of the probability lies between each of G and the median; 0 where that is."""
    up_to = shares.cumsum(dim=-1)
    return (up_to - shares - 0.5).relu() + (0.5 - up_to).relu()


def sample_plan(
    logits: PlanLogits,
    gumbel: Float[Tensor, "B C N"],
    temperature: float,
    place: Literal["likeliest", "median"] = "likeliest",
) -> tuple[Int[Tensor, "B C"], Int[Tensor, "B C K"] | None]:
    """The classes that are `present`, each in a cell and with looks from their distributions sharpened by
    `temperature` (0 takes the likeliest), by the Gumbel-max trick: `gumbel` holds standard Gumbel noise, one
    number for each cell and then one for each value of each trait. Without temperature `place` can be the
    cell with the highest `median_score`. Those of one turn keep clear of each other, see `side_by_side`."""
    parts = (logits.cell, *logits.looks)
    noise = gumbel.split([part.shape[-1] for part in parts], dim=-1)
    places, *looks = (part + temperature * n for part, n in zip(parts, noise, strict=True))
    if place == "median" and not temperature:
        places = median_score(logits.cell, logits.standing)
    cells = side_by_side(places, logits.presence)
    return cells, torch.stack([look.argmax(dim=-1) for look in looks], dim=-1) if looks else None
