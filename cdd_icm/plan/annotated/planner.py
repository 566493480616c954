"""Plan before painting: which objects the turn draws, and where, as a distribution that can be sampled.

A small diffusion model that must settle colour, shape and place all at once, out of noise, mixes and doubles
objects. Here the fused condition first says what goes where on a coarse grid, a choice is drawn from that,
and the UNet paints it: p(x | r, m) = sum over plans of p(plan | r, m) p(x | r, m, plan). It is taught by the
annotated objects of the training data (layout before picture: Hong et al. 2018, arXiv 1801.05091).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float, Int
from torch import Tensor, nn

from cdd_icm.model.attention import Attention
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.annotated.cells import Cells, shared_embedding
from cdd_icm.plan.annotated.class_queries import Asking
from cdd_icm.plan.annotated.decoding import present
from cdd_icm.plan.annotated.detector import Seeing, standing_cells
from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.annotated.placement import Placing
from cdd_icm.plan.annotated.vocabulary import Templates
from cdd_icm.plan.annotated.word_context import Reading


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
        kernels, horizon: of `Placing`, which then says where the one new object goes, in pictures of
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

    def no_weight_decay(self) -> set[str]:
        """Embeddings, for `train.optim.decayed`."""
        return {"asker"}

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
