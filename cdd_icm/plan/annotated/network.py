"""The network that predicts the distribution over plans."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cdd_icm.model.attention import Attention
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.annotated.cells import Cells, shared_embedding
from cdd_icm.plan.annotated.class_queries import ClassQueryLayer
from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.annotated.placement import Placement
from cdd_icm.plan.shared.detector import ObjectDetector, existing_cells
from cdd_icm.plan.shared.places import is_present
from cdd_icm.plan.shared.tuning import Tuning
from cdd_icm.plan.shared.word_context import WordContext


class PlanNetwork(nn.Module):
    """Predicts which classes of object the turn draws or moves, in which cell of the grid, and with which
    traits.

    Args:
        classes: C. trait_sizes: the number of values of each trait. The others: see `AnnotatedPlan`.
    """

    def __init__(
        self,
        classes: int,
        trait_sizes: Sequence[int],
        width: int,
        text_width: int,
        heads: int,
        grid: int,
        cell_width: int,
        query_layers: int,
        context_layers: int,
        kernels: int,
        horizon: float | None,
        image_size: int,
        tuning: Tuning,
    ):
        super().__init__()
        self.classes, self.trait_sizes, self.grid, self.tuning = classes, tuple(trait_sizes), grid, tuning
        outputs = 1 + sum(trait_sizes)
        self.relational = kernels > 0
        if kernels:
            self.detector = ObjectDetector(image_size, classes, grid)
            self.placement = Placement(
                classes, width, heads, grid, kernels, context_layers, horizon, tuning.sharpening
            )
        else:
            self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
            self.cells = Cells(width, cell_width, grid)
            self.class_embedding = nn.Parameter(shared_embedding(classes, cell_width))
        self.has_queries = query_layers > 0
        if query_layers:
            self.class_queries = nn.Parameter(torch.randn(classes, width))
            self.word_context = nn.ModuleList(WordContext(width, heads) for _ in range(context_layers))
            self.query_layers = nn.ModuleList(ClassQueryLayer(width, heads) for _ in range(query_layers))
            # shared by all classes, so that the meaning of "left" is learnt once
            self.query_out = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, outputs + 2 * grid + cell_width)
            )
            nn.init.constant_(self.query_out[1].bias[:1], -3.0)  # initially nothing is drawn
        else:
            self.presence = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, classes))
            self.text_out = nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, classes * outputs))

    def no_weight_decay(self) -> set[str]:
        """Embeddings, see `train.optim.decayed`."""
        return {"class_queries"}

    def forward(
        self,
        fused: Fused,
        reference: Float[Tensor, "B 3 R R"] | None = None,
        existing: Int[Tensor, "B C"] | None = None,
        antecedent: Int[Tensor, " B"] | None = None,
        max_objects: int | None = None,
    ) -> PlanLogits:
        """Predicts the plan's logits. All arguments except `fused` are for relational placement only.

        Args:
            reference: in [-1, 1], to detect the existing objects; not used if `existing` is given.
            existing: the cell of each existing class, or -1.
            antecedent: the class that "it" refers to, or -1.
            max_objects: upper bound for the number of existing objects, see `Placement`.
        """
        if self.relational:
            return self._relational_logits(fused, reference, existing, antecedent, max_objects)
        # fusion links words to objects in the picture; here the cells attend to these objects
        tokens = self.norm(fused.image_tokens)  # (B, Nv, D)
        cells = self.cells(fused.image_tokens + self.attention(tokens, tokens))  # (B, d, G, G)
        embedding = self.class_embedding.to(cells.dtype).expand(len(cells), -1, -1)  # (B, C, d)
        if self.has_queries:
            queries = self._queries(fused)  # (B, C, 1 + V + 2 G + d)
            sizes = [1, sum(self.trait_sizes), self.grid, self.grid, embedding.shape[-1]]
            presence, traits, column, row, offset = queries.split(sizes, dim=-1)
            cell = torch.einsum("bdyx,bcd->bcyx", cells, embedding + offset)  # (B, C, G, G)
            cell = cell + row[..., None] + column[..., None, :]
            presence = presence[..., 0]  # (B, C)
        else:
            presence, traits = self._from_text(fused)
            cell = torch.einsum("bdyx,bcd->bcyx", cells, embedding)  # (B, C, G, G)
        return PlanLogits(presence.float(), cell.flatten(2).float(), self._by_trait(traits))

    def drawn_class(self, fused: Fused) -> Int[Tensor, " B"]:
        """The likeliest class that the text draws, or -1 if it draws none."""
        presence, _ = self._from_text(fused)
        likeliest = presence.max(dim=1)
        drawn = is_present(likeliest.values, self.tuning.presence_threshold)
        return torch.where(drawn, likeliest.indices, -1)

    def _relational_logits(
        self,
        fused: Fused,
        reference: Float[Tensor, "B 3 R R"] | None,
        existing: Int[Tensor, "B C"] | None,
        antecedent: Int[Tensor, " B"] | None,
        max_objects: int | None,
    ) -> PlanLogits:
        if existing is None:
            existing = existing_cells(self.detector(reference), self.tuning.expected_objects, antecedent)
        presence, traits = self._from_text(fused)
        if antecedent is None:
            antecedent = existing.new_full((len(existing),), -1)
        cell, sides = self.placement(fused.words, fused.mask, existing, antecedent, max_objects)
        cell = cell[:, None].expand(-1, presence.shape[1], -1)  # (B, C, G^2)
        return PlanLogits(presence.float(), cell, self._by_trait(traits), sides, existing)

    def _queries(self, fused: Fused) -> Float[Tensor, "B C n"]:
        queries = self.class_queries.to(fused.words.dtype).expand(len(fused.words), -1, -1)  # (B, C, D)
        words = fused.words
        for layer in self.word_context:
            words = layer(words, fused.mask)
        for layer in self.query_layers:
            queries = layer(queries, words, fused)
        return self.query_out(queries)

    def _from_text(self, fused: Fused) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B C V"]]:
        """Presence and traits. The pooled text usually names the class; from the fused query alone this is
        learnt much more slowly."""
        outputs = self.text_out(fused.text_pooled).unflatten(1, (self.classes, -1))
        return outputs[..., 0] + self.presence(fused.query), outputs[..., 1:]

    def _by_trait(self, traits: Float[Tensor, "B C V"]) -> tuple[Float[Tensor, "B C v"], ...]:
        return traits.float().split(self.trait_sizes, dim=-1) if self.trait_sizes else ()
