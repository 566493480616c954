"""Losses that systems share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cdd_icm.objectives.icm import info_nce
from retrieval.backbones.base import ImageFeatures

if TYPE_CHECKING:
    from retrieval.systems.base import System, TrainingBatch


def in_batch_info_nce(system: System, batch: TrainingBatch) -> dict[str, Tensor]:
    """InfoNCE of queries and targets in both directions over the batch of all processes. Beside the other
    targets, the negatives are, where the batch has them, each query's own reference and the query of its
    reference's caption. Returns `loss` () and `found` (B,), see `System.loss`."""
    n = len(batch.target)
    reference, gallery = batch.reference, batch.target
    if batch.reference_negatives:
        gallery = ImageFeatures.cat([batch.target, batch.reference[:n]])
    if batch.has_caption is not None:
        rows = torch.arange(2 * n, device=batch.has_caption.device)
        reference = reference[rows.clamp(max=n)]  # captions are encoded with the blank reference, number n
    composed = system.encode_query(reference, batch.text).float()  # (B, D), or with captions (2 B, D)
    vectors = system.encode_gallery(gallery).float()  # (B, ..., D), or with references (2 B, ..., D)
    queries, captions = composed[:n], composed[n:]
    negatives, valid = [], []
    if batch.reference_negatives:
        negatives.append(vectors[n:])
        valid.append(torch.ones(n, dtype=torch.bool, device=vectors.device))
    if batch.has_caption is not None:
        if vectors.ndim > captions.ndim:  # as a picture whose vectors all equal the caption's
            captions = captions[:, None].expand_as(vectors[:n])
        negatives.append(captions)
        valid.append(batch.has_caption)
    loss = info_nce(
        queries,
        vectors[:n],
        system.logit_scale,
        hard_images=torch.stack(negatives) if negatives else None,
        hard_images_valid=torch.stack(valid) if valid else None,
        score=system.score,
    )
    with torch.no_grad():
        best = system.score(queries, vectors[:n]).argmax(dim=1)
        found = best == torch.arange(n, device=best.device)
    return {"loss": loss, "found": found.float()}
