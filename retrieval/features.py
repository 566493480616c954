"""Features of a model's backbone; those of a frozen one are cached on disk, by content and by its
fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cdd_icm.data import Picture, PictureCache
from cdd_icm.data.cache import default_folder
from cdd_icm.data.picture import to_float
from cdd_icm.data.rows import GrowingRows
from cdd_icm.hashing import content_digest
from cdd_icm.io import check_writable, read_json, writing
from cdd_icm.lock import held
from cdd_icm.progress import Progress
from retrieval.backbones.base import ImageFeatures, TextFeatures
from retrieval.model import RetrievalModel
from retrieval.systems.base import Inputs

BLANK = "blank"
"""The key that stands for no picture: zeros in [-1, 1]."""
BATCH = 64


class FeatureCache:
    """`cache[keys]` has a row of floats for each key, see `GrowingRows`."""

    def __init__(self, folder: Path, name: str, width: int):
        self.file = folder / f"{name}.f32"
        self.rows = GrowingRows(self.file, (width,), np.float32, f"width {width}", "feature cache")

    def add(self, keys: Iterable[str], compute: Callable[[list[str]], Float[Tensor, "n width"]]) -> None:
        """Computes the rows of those `keys`, strings without line breaks, that are missing. Concurrent
        processes wait for each other.

        Raises:
            InputError: the index is damaged, or the disk refuses.
        """
        check_writable(self.file)
        with writing(self.file), held(self.file.with_suffix(".lock")):
            self.rows.map()
            missing = [key for key in dict.fromkeys(keys) if key not in self.rows]
            if not missing:
                return
            with Progress(total=len(missing), desc=self.file.stem, unit="rows") as bar:

                def encode(chunk: Sequence[str]) -> Iterator[bytes]:
                    for first in range(0, len(chunk), BATCH):
                        rows = compute(list(chunk[first : first + BATCH]))
                        yield rows.float().cpu().contiguous().numpy().tobytes()
                        bar.update(len(rows))

                self.rows.append(missing, encode)

    def __getitem__(self, keys: Sequence[str]) -> Float[Tensor, "n width"]:
        return torch.from_numpy(self.rows.values[[self.rows.numbers[key] for key in keys]])


class Features:
    """Features of cached pictures and of texts, computed at every call."""

    def __init__(self, model: RetrievalModel, pictures: PictureCache):
        self.model, self.pictures = model, pictures

    def images(self, keys: Sequence[str], inputs: Inputs) -> ImageFeatures:
        """The parts in `inputs` of pictures given by their keys, or of `BLANK`."""
        return self.model.image_features(self.pixels(keys), inputs)

    def texts(self, texts: Sequence[str]) -> TextFeatures:
        """Features of texts as composed by `prompt.compose_text`."""
        return self.model.backbone.encode_text(self.model.backbone.tokenize(texts))

    def pixels(self, keys: Sequence[str]) -> Float[Tensor, "n 3 R R"]:
        """The preprocessed pictures themselves, in [-1, 1]."""
        return picture_pixels(self.pictures, keys).to(self.model.device)


class FrozenFeatures(Features):
    """Features of a frozen backbone, computed once for pictures and texts that are known beforehand.

    The files are in a folder named after the backbone's fingerprint, so that features of other weights,
    another size or another vocabulary are never mixed up. All data sets share it.

    Args:
        folder: the cache; None is the user's cache folder.
        pictures: contains the pictures of `keys`.
    """

    def __init__(
        self,
        folder: str | Path | None,
        model: RetrievalModel,
        pictures: PictureCache,
        keys: Iterable[str],
        texts: Iterable[str],
    ):
        super().__init__(model, pictures)
        backbone, self.tokens = model.backbone, model.composer.uses_tokens
        root = (Path(folder) if folder is not None else default_folder()) / "features" / backbone.fingerprint
        kind, image, text = "pooled", backbone.width, backbone.width
        if self.tokens:
            kind = "tokens"
            image += backbone.image_tokens * backbone.image_width
            text += backbone.max_text_length * backbone.text_width
        self.image_cache = FeatureCache(root, f"images-{kind}", image)
        self.text_cache = FeatureCache(root, f"texts-{kind}", text)
        self.image_cache.add([BLANK, *keys], self._pack_images)
        wanted = {content_digest(text): text for text in ("", *texts)}
        self.text_cache.add(wanted, lambda some: self._pack_texts([wanted[key] for key in some]))

    def images(
        self, keys: Sequence[str], inputs: Inputs, device: torch.device | None = None
    ) -> ImageFeatures:
        """As `Features.images`, on `device`; None is the model's device, which a loader process can't use."""
        device = device or self.model.device
        pooled = tokens = pixels = None
        if inputs & Inputs.FEATURES:
            rows = self.image_cache[keys].to(device)
            pooled, tokens = self._unpack(rows, self.model.backbone.image_width)
        if Inputs.PIXELS in inputs:
            pixels = picture_pixels(self.pictures, keys).to(device)
        return ImageFeatures(pooled, tokens, pixels)

    def texts(self, texts: Sequence[str], device: torch.device | None = None) -> TextFeatures:
        device = device or self.model.device
        mask = self.model.backbone.tokenize(texts).mask.to(device)
        rows = self.text_cache[[content_digest(text) for text in texts]].to(device)
        return TextFeatures(*self._unpack(rows, self.model.backbone.text_width), mask, tuple(texts))

    @torch.no_grad()
    def _pack_images(self, keys: list[str]) -> Float[Tensor, "n width"]:
        features = self.model.backbone.encode_image(self.pixels(keys))
        return self._pack(features.pooled, features.tokens)

    @torch.no_grad()
    def _pack_texts(self, texts: list[str]) -> Float[Tensor, "n width"]:
        features = super().texts(texts)
        return self._pack(features.pooled, features.tokens)

    def _pack(self, pooled: Tensor, tokens: Tensor) -> Tensor:
        return torch.cat([pooled, tokens.flatten(1)], dim=1) if self.tokens else pooled

    def _unpack(self, rows: Tensor, width: int) -> tuple[Tensor, Tensor | None]:
        dim = self.model.backbone.width
        return rows[:, :dim], rows[:, dim:].unflatten(1, (-1, width)) if self.tokens else None


def trained_frozen(folder: Path) -> bool:
    """Whether the backbone of the model in `folder` was frozen in training, according to its
    `training.json`."""
    file = folder / "training.json"
    if not file.is_file():
        return False
    return read_json(file).get("config", {}).get("encoder", {}).get("trainable_blocks") == 0


def preprocessed(folder: Path | None, model: RetrievalModel, pictures: Iterable[Picture]) -> PictureCache:
    """The pictures as the model's backbone preprocesses them, cached in `folder` (None: the user's cache
    folder).

    Raises:
        InputError: a picture can't be decoded, or the folder can't be written.
    """
    backbone = model.backbone
    return PictureCache.open_or_build(
        folder,
        pictures,
        backbone.image_size,
        preprocess=backbone.preprocess,
        method=backbone.preprocessing,
    )


def picture_pixels(pictures: PictureCache, keys: Sequence[str]) -> Float[Tensor, "n 3 R R"]:
    """Cached pictures in [-1, 1]; zeros for `BLANK`."""
    blank = np.zeros((3, pictures.size, pictures.size), np.uint8)
    stored = np.stack([blank if key == BLANK else pictures[key] for key in keys])
    pixels = to_float(torch.from_numpy(stored))
    pixels[torch.tensor([key == BLANK for key in keys])] = 0.0
    return pixels
