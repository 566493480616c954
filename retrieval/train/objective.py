"""The training objective: the system's loss over the backbone's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from retrieval.backbones.base import ImageFeatures, TextTokens
from retrieval.config import ObjectiveConfig
from retrieval.model import RetrievalModel
from retrieval.systems.base import Inputs, TrainingBatch
from retrieval.train.samples import Batch


class Objective(nn.Module):
    """`System.loss` of a batch, whose features are computed unless it comes with cached ones."""

    def __init__(self, model: RetrievalModel, config: ObjectiveConfig):
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` (), `found` (B,) and the other values of `System.loss`."""
        reference, target, text = batch.reference, batch.target, batch.text
        if isinstance(text, TextTokens):
            text = self.model.backbone.encode_text(text)
            reference, target = self._image_features(reference.pixels, target.pixels)
        return self.model.composer.loss(
            TrainingBatch(reference, target, text, self.config.reference_negatives, batch.has_caption)
        )

    def _image_features(self, reference: Tensor, target: Tensor) -> tuple[ImageFeatures, ImageFeatures]:
        system = self.model.composer
        if not system.gallery_inputs & Inputs.FEATURES:
            return self.model.image_features(reference, system.query_inputs), ImageFeatures(pixels=target)
        # in one batch, which is faster
        inputs = system.query_inputs | system.gallery_inputs
        features = self.model.image_features(torch.cat([target, reference]), inputs)
        return features[len(target) :], features[: len(target)]
