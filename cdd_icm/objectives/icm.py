"""The ICM objective: InfoNCE in both directions over all processes' batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed
import torch.distributed.nn.functional
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from cdd_icm.device import full_precision


def gather(x: Tensor) -> Tensor:
    """Concatenates the rows of all processes in rank order; gradients flow back to each row's process."""
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        rows = torch.cat(torch.distributed.nn.functional.all_gather(x.contiguous()))
        if rows.requires_grad:
            rows.register_hook(Tensor.contiguous)  # gloo ignores strides
        return rows
    return x


def inner_product(queries: Float[Tensor, "B E"], images: Float[Tensor, "N E"]) -> Float[Tensor, "B N"]:
    """The default score of `info_nce`."""
    return queries @ images.T


def info_nce(
    queries: Float[Tensor, "B E"],
    images: Float[Tensor, "B *vectors E"],
    scale: Float[Tensor, ""],
    hard_images: Float[Tensor, "H B *vectors E"] | None = None,
    valid: Bool[Tensor, " B"] | None = None,
    hard_images_valid: Bool[Tensor, "H B"] | None = None,
    score: Callable[[Tensor, Tensor], Tensor] = inner_product,
) -> Float[Tensor, ""]:
    """InfoNCE in both directions over all processes' batch (van den Oord et al. 2018, arXiv 1807.03748).

    The positive of query i is image i. Hard images (the reference, another turn) are negatives of query i
    only. Each process averages over its own rows against the columns of all processes; the mean over
    processes has the value and gradient of the loss of the joined batch.

    Args:
        valid: rows that count; the others, whose condition was dropped, are negatives only.
        hard_images_valid: hard images that exist; queries may have fewer than H.
        score: maps queries (B, E) and images (N, *vectors, E) to scores (B, N), before scaling. It must work
            with `torch.vmap`.
    """

    def score_pair(query: Float[Tensor, " E"], image: Float[Tensor, "*vectors E"]) -> Float[Tensor, ""]:
        return score(query[None], image[None])[0, 0]

    paired = torch.vmap(score_pair)  # (B, E), (B, *vectors, E) -> (B,)
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    labels = torch.arange(len(queries), device=queries.device) + rank * len(queries)
    queries, images = queries.float(), images.float()
    with full_precision(queries.device):  # half precision is too coarse for the logits
        rows = [scale * score(queries, gather(images))]
        if hard_images is not None:
            hard = scale * torch.stack([paired(queries, hard_set) for hard_set in hard_images.float()], dim=1)
            if hard_images_valid is not None:
                hard = hard.masked_fill(~hard_images_valid.T, -torch.inf)
            rows.append(hard)
        columns = scale * score(gather(queries), images).T
    logits = (torch.cat(rows, dim=1), columns)
    loss = sum(cross_entropy(side, labels, reduction="none") for side in logits) / 2
    if valid is None:
        return loss.mean()
    count = gather(valid.float().sum()[None]).sum()
    world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
    return (loss * valid).sum() * world / count.clamp(min=1)


@dataclass(frozen=True)
class MatchingBatch:
    """The unit vectors of B samples that InfoNCE compares, and which of them are valid (see `info_nce`)."""

    queries: Float[Tensor, "B E"]
    images: Float[Tensor, "1+H B E"]
    """The targets, then the hard images."""
    valid: Bool[Tensor, " B"]

    def loss(self, scale: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """L_ICM, see `info_nce`."""
        return info_nce(
            self.queries,
            self.images[0],
            scale,
            hard_images=self.images[1:],
            valid=self.valid,
        )


def with_cached_micro_batches(
    own: MatchingBatch, number: int, cached: Sequence[MatchingBatch]
) -> MatchingBatch:
    """The vectors of all n micro-batches of a step, with those of micro-batch `number` replaced by its `own`.
    Each micro-batch thus has the negatives of the whole batch, and the mean of the n losses has the value and
    gradient of one large batch (GradCache: Gao et al. 2021, arXiv 2101.06983; open_clip's `accum_freq`).

    Args:
        own: with gradient. cached: for all micro-batches, computed in advance without gradient.
    """
    n = len(cached)

    def joined(name: str, dim: int) -> Tensor:
        parts = [getattr(batch, name) for batch in cached]
        own_part = getattr(own, name)
        if own_part.is_floating_point():
            # only this micro-batch's loss has their gradient, and the mean over micro-batches divides it by n
            own_part = own_part.detach() + n * (own_part - own_part.detach())
        return torch.cat([*parts[:number], own_part, *parts[number + 1 :]], dim=dim)

    dims = {"queries": 0, "images": 1, "valid": 0}
    return MatchingBatch(**{name: joined(name, dim) for name, dim in dims.items()})
