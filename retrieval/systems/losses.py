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
    """InfoNCE of queries and targets over all processes' batch, in both directions; the wrong answers are the
    other targets and, as the batch says, each query's own reference and its caption's query."""
    n = len(batch.target)
    reference, gallery = batch.reference, batch.target
    if batch.reference_negatives:
        gallery = ImageFeatures.cat([batch.target, batch.reference[:n]])
    if batch.has_caption is not None:
        rows = torch.arange(2 * n, device=batch.has_caption.device)
        reference = reference[rows.clamp(max=n)]  # every caption gets the blank one, number n
    composed = system.encode_query(reference, batch.text).float()  # (B, D), or with captions (2 B, D)
    vectors = system.encode_gallery(gallery).float()  # (B, ..., D), or with references (2 B, ..., D)
    queries, captions = composed[:n], composed[n:]
    negatives, valid = [], []
    if batch.reference_negatives:
        negatives.append(vectors[n:])
        valid.append(torch.ones(n, dtype=torch.bool, device=vectors.device))
    if batch.has_caption is not None:
        if vectors.ndim > captions.ndim:  # a picture all of whose vectors are the caption's
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
