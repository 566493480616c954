"""The training samples, (reference, text, target) of every query, and their batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.utils.data import Dataset

from cdd_icm.data import PictureCache
from retrieval.backbones.base import ImageFeatures, TextFeatures, TextTokens
from retrieval.benchmarks import Benchmark
from retrieval.config import RetrievalConfig
from retrieval.features import BLANK, FrozenFeatures, picture_pixels, preprocessed
from retrieval.model import RetrievalModel

CPU = torch.device("cpu")


class Sample(NamedTuple):
    query: str
    """Its id."""
    reference: str
    """The key of a picture, or `BLANK`."""
    text: str
    target: str
    """The key of a picture."""
    caption: str
    """Empty where the query has none, or where its reference was dropped."""


@dataclass(frozen=True)
class Batch:
    """B samples: pictures and texts, or the features of a frozen backbone. With captions there are B + 1
    references, the last one blank, and 2 B texts: first those of the queries, then the captions."""

    queries: list[str]
    """Their ids."""
    reference: ImageFeatures
    target: ImageFeatures
    text: TextFeatures | TextTokens
    has_caption: Bool[Tensor, " B"] | None = None
    """None: captions are not used."""

    def on(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The same batch in pinned memory, as torch's `DataLoader` asks for it."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        def changed(part):
            tensors = {name: change(value) for name, value in vars(part).items() if isinstance(value, Tensor)}
            return replace(part, **tensors)

        parts = {name: changed(getattr(self, name)) for name in ("reference", "target", "text")}
        return replace(changed(self), **parts)


@dataclass(frozen=True)
class Samples(Dataset):
    """`samples[index, draw]` is a sample of query `index`; `collate` batches several, on the CPU, so that
    loader processes can do it."""

    benchmark: Benchmark
    config: RetrievalConfig
    pictures: PictureCache
    model: RetrievalModel
    features: FrozenFeatures | None

    @classmethod
    def make(cls, benchmark: Benchmark, config: RetrievalConfig, model: RetrievalModel) -> Samples:
        """Decodes the pictures and, for a frozen backbone, computes the features that are not cached yet."""
        data = config.data
        benchmark = replace(benchmark, queries=benchmark.queries[: data.limit])
        used = {
            benchmark.pictures[id].key: benchmark.pictures[id]
            for query in benchmark.queries
            for id in (query.reference, *query.targets[:1])
        }
        folder = Path(data.cache_dir) if data.cache_dir else None
        pictures = preprocessed(folder, model, used.values())
        features = None
        if config.encoder.trainable_blocks == 0:
            texts = [model.prompt(text, q.history) for q in benchmark.queries for text in q.texts]
            if config.objective.caption_negatives:
                texts += [model.caption_prompt(q.caption) for q in benchmark.queries if q.caption]
            features = FrozenFeatures(folder, model, pictures, used, texts)
        return cls(benchmark, config, pictures, model, features)

    def __len__(self) -> int:
        return len(self.benchmark.queries)

    def __getitem__(self, item: tuple[int, int]) -> Sample:
        """`item` is (index, draw): `draw`, 0 to 2^31 - 1, chooses the wording, and whether reference or text
        is dropped."""
        index, draw = item
        query, o = self.benchmark.queries[index], self.config.objective
        text = self.model.prompt(query.texts[draw % len(query.texts)], query.history)
        share = draw / 2**31
        no_text = share < o.drop_text
        no_reference = not no_text and share < o.drop_text + o.drop_reference
        return Sample(
            query=query.id,
            reference=BLANK if no_reference else self.benchmark.pictures[query.reference].key,
            text="" if no_text else text,
            target=self.benchmark.pictures[query.targets[0]].key,
            caption="" if no_reference else self.model.caption_prompt(query.caption),
        )

    def collate(self, samples: Sequence[Sample]) -> Batch:
        queries, references, texts, targets, captions = (
            list(column) for column in zip(*samples, strict=True)
        )
        has_caption = None
        if self.config.objective.caption_negatives:
            references, texts = [*references, BLANK], texts + captions
            has_caption = torch.tensor([caption != "" for caption in captions])
        if self.features is None:
            text = self.model.backbone.tokenize(texts)
            return Batch(queries, self._pixels(references), self._pixels(targets), text, has_caption)
        system = self.model.composer
        reference = self.features.images(references, system.query_inputs | system.gallery_inputs, CPU)
        target = self.features.images(targets, system.gallery_inputs, CPU)
        return Batch(queries, reference, target, self.features.texts(texts, CPU), has_caption)

    def batch(self, items: Sequence[tuple[int, int]]) -> Batch:
        """The batch of some (index, draw)."""
        return self.collate([self[item] for item in items])

    def _pixels(self, keys: Sequence[str]) -> ImageFeatures:
        return ImageFeatures(pixels=picture_pixels(self.pictures, keys))
