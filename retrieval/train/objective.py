"""The objective of retrieval: in-batch InfoNCE of queries and targets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cdd_icm.objectives.icm import info_nce
from retrieval.config import ObjectiveConfig
from retrieval.systems import ImageFeatures, TextFeatures
from retrieval.systems.model import RetrievalModel
from retrieval.train.samples import Batch, Tokens


class Objective(nn.Module):
    """InfoNCE of queries and targets over all processes' batch."""

    def __init__(self, model: RetrievalModel, config: ObjectiveConfig):
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` (), and `found` (B,), whether each query's own target scores best in this process's
        batch."""
        composer, n = self.model.composer, len(batch.target)
        text = batch.text
        if isinstance(text, Tokens):
            tokens, pooled = self.model.towers.encode_text(text.ids)
            text = TextFeatures(pooled, tokens, text.mask)
        reference, gallery = batch.reference, [batch.target]
        if self.config.reference_negatives:
            gallery.append(batch.reference[:n])
        if batch.reference.pooled is None:
            if composer.embeds_pixels:
                reference = self.model.see(batch.reference.pixels)
                pictures = ImageFeatures(pixels=torch.cat([some.pixels for some in gallery]))
            else:  # each picture goes through the tower once
                encoded = self.model.see(torch.cat([batch.target.pixels, batch.reference.pixels]))
                reference = encoded[n:]
                pictures = encoded[: n * len(gallery)]
        else:
            pictures = joined(gallery)
        if batch.has_caption is not None:
            rows = torch.arange(2 * n, device=batch.has_caption.device)
            reference = reference[rows.clamp(max=n)]  # every caption gets the blank one, number n
        composed = composer.compose(reference, text).float()
        vectors = composer.embed(pictures).float()
        queries, captions = composed[:n], composed[n:]
        hard, valid = [], []
        if self.config.reference_negatives:
            hard.append(vectors[n:])
            valid.append(torch.ones(n, dtype=torch.bool, device=vectors.device))
        if batch.has_caption is not None:
            if vectors.ndim > captions.ndim:  # as a picture whose vectors are all the caption's
                captions = captions[:, None].expand_as(vectors[:n])
            hard.append(captions)
            valid.append(batch.has_caption)
        loss = info_nce(
            queries,
            vectors[:n],
            composer.logit_scale,
            hard_images=torch.stack(hard) if hard else None,
            hard_images_valid=torch.stack(valid) if valid else None,
            score=composer.score,
        )
        with torch.no_grad():
            best = composer.score(queries, vectors[:n]).argmax(dim=1)
            found = best == torch.arange(n, device=best.device)
        return {"loss": loss, "found": found.float()}


def joined(parts: Sequence[ImageFeatures]) -> ImageFeatures:
    """Several batches of pictures as one."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return ImageFeatures(*(None if some[0] is None else torch.cat(some) for some in columns))
