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


def gather(x: Tensor) -> Tensor:
    """All processes' rows, in rank order; gradients flow back to the process that each row came from."""
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        rows = torch.cat(torch.distributed.nn.functional.all_gather(x.contiguous()))
        if rows.requires_grad:
            rows.register_hook(Tensor.contiguous)  # gloo sends memory as it lies, whatever the strides say
        return rows
    return x


def inner_product(queries: Float[Tensor, "B E"], images: Float[Tensor, "N E"]) -> Float[Tensor, "B N"]:
    return queries @ images.T


def info_nce(
    queries: Float[Tensor, "B E"],
    images: Float[Tensor, "B *vectors E"],
    scale: Float[Tensor, ""],
    hard_images: Float[Tensor, "H B *vectors E"] | None = None,
    hard_queries: Float[Tensor, "K B E"] | None = None,
    valid: Bool[Tensor, " B"] | None = None,
    hard_valid: Bool[Tensor, "K B"] | None = None,
    hard_images_valid: Bool[Tensor, "H B"] | None = None,
    score: Callable[[Tensor, Tensor], Tensor] = inner_product,
) -> Float[Tensor, ""]:
    """InfoNCE in both directions over all processes' batch (van den Oord et al. 2018, arXiv 1807.03748).

    Row i's positive is image i. Hard images (the reference, another turn) stand against query i alone, hard
    queries (the instruction with its words exchanged) against image i alone. Each process averages over its
    own rows against everybody's columns, so that the mean over processes is the loss of the joined batch,
    in value and gradient.

    Args:
        valid: rows that count; the others (their condition was dropped) serve as negatives only.
        hard_valid: hard queries that differ from the true one.
        hard_images_valid: hard images that are there; not every query has each of them.
        score: of every query (B, E) with every image (N, *vectors, E), before the scale: (B, N); of torch's
            functions alone, since it is mapped over pairs too.
    """

    def one(query: Float[Tensor, " E"], image: Float[Tensor, "*vectors E"]) -> Float[Tensor, ""]:
        return score(query[None], image[None])[0, 0]

    paired = torch.vmap(one)  # item by item: (B, E), (B, *vectors, E) -> (B,)
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    labels = torch.arange(len(queries), device=queries.device) + rank * len(queries)
    queries, images = queries.float(), images.float()
    with torch.autocast(queries.device.type, enabled=False):  # half precision is too coarse for the logits
        rows = [scale * score(queries, gather(images))]
        if hard_images is not None:
            hard = scale * torch.stack([paired(queries, some) for some in hard_images.float()], dim=1)
            if hard_images_valid is not None:
                hard = hard.masked_fill(~hard_images_valid.T, -torch.inf)
            rows.append(hard)
        columns = [scale * score(gather(queries), images).T]
        if hard_queries is not None:
            hard = scale * torch.stack([paired(some, images) for some in hard_queries.float()], dim=1)
            columns.append(hard if hard_valid is None else hard.masked_fill(~hard_valid.T, -torch.inf))
    loss = (
        sum(cross_entropy(torch.cat(side, dim=1), labels, reduction="none") for side in (rows, columns)) / 2
    )
    if valid is None:
        return loss.mean()
    count = gather(valid.float().sum()[None]).sum()
    world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
    return (loss * valid).sum() * world / count.clamp(min=1)


@dataclass(frozen=True)
class Matching:
    """What InfoNCE compares of B samples: unit vectors, and which of them count (see `info_nce`)."""

    queries: Float[Tensor, "B E"]
    images: Float[Tensor, "1+H B E"]
    """The targets, then the hard images."""
    valid: Bool[Tensor, " B"]
    hard_queries: Float[Tensor, "K B E"] | None = None
    hard_valid: Bool[Tensor, "K B"] | None = None

    def loss(self, scale: Float[Tensor, ""]) -> Float[Tensor, ""]:
        return info_nce(
            self.queries,
            self.images[0],
            scale,
            hard_images=self.images[1:],
            hard_queries=self.hard_queries,
            valid=self.valid,
            hard_valid=self.hard_valid,
        )


def among_micro_batches(own: Matching, number: int, cached: Sequence[Matching]) -> Matching:
    """The samples of all n micro-batches of a step, for the loss of micro-batch `number`, whose own vectors
    replace the cached ones. Each micro-batch has the negatives of the whole batch, and the mean of the n
    losses has the value and the gradient of one large batch (GradCache: Gao et al. 2021, arXiv 2101.06983;
    open_clip's `accum_freq`).

    Args:
        own: with gradient. cached: of all micro-batches, computed without gradient beforehand.
    """
    n = len(cached)

    def joined(name: str, dim: int) -> Tensor | None:
        parts = [getattr(matching, name) for matching in cached]
        mine = getattr(own, name)
        if mine is None:
            return None
        if mine.is_floating_point():
            # no other micro-batch gives these vectors a gradient, and the mean divides this one by n
            mine = mine.detach() + n * (mine - mine.detach())
        return torch.cat([*parts[:number], mine, *parts[number + 1 :]], dim=dim)

    dims = {"queries": 0, "images": 1, "valid": 0, "hard_queries": 1, "hard_valid": 1}
    return Matching(**{name: joined(name, dim) for name, dim in dims.items()})
