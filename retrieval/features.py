"""What a model's towers see; of frozen towers kept on the disk by content and model fingerprint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from cdd_icm.data import PictureCache
from cdd_icm.data.cache import default_folder
from cdd_icm.data.picture import to_float
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import check_writable, read_json, replacing, writing
from cdd_icm.model.tokenizer import tokenize
from retrieval.systems import ImageFeatures, TextFeatures
from retrieval.systems.model import RetrievalModel, content_hash

BLANK = "blank"
"""The key of no picture: zeros in [-1, 1]."""
BATCH = 64


class FeatureCache:
    """`cache[keys]` is a row of floats a key. Rows only ever join the file; the index is replaced as a whole
    once the rows that it names are on the disk, so what it names is complete whenever the writer dies."""

    def __init__(self, folder: Path, name: str, width: int):
        self.file, self.index, self.width = folder / f"{name}.f32", folder / f"{name}.json", width
        self._map()

    def add(self, keys: Iterable[str], compute: Callable[[list[str]], Float[Tensor, "n width"]]) -> None:
        """Computes what is missing of `keys`. Processes that come at the same time wait for each other.

        Raises:
            InputError: the index is damaged, or the disk refuses.
        """
        check_writable(self.file)
        with writing(self.file), FileLock(self.index.with_suffix(".lock")):
            self._map()
            missing = [key for key in dict.fromkeys(keys) if key not in self.rows]
            if not missing:
                return
            bar = tqdm(total=len(missing), desc=self.file.stem, unit="rows")
            with bar, open(self.file, "ab") as file:
                file.truncate(4 * self.width * len(self.rows))  # what a killed writer left after its index
                for start in range(0, len(missing), BATCH * 16):
                    chunk = missing[start : start + BATCH * 16]
                    for first in range(0, len(chunk), BATCH):
                        rows = compute(chunk[first : first + BATCH])
                        file.write(rows.float().cpu().contiguous().numpy().tobytes())
                        bar.update(len(rows))
                    file.flush()
                    os.fsync(file.fileno())
                    self.rows |= {key: len(self.rows) + i for i, key in enumerate(chunk)}
                    with replacing(self.index) as unfinished:
                        unfinished.write_text(json.dumps({"width": self.width, "keys": list(self.rows)}))
            self._map()

    def __getitem__(self, keys: Sequence[str]) -> Float[Tensor, "n width"]:
        return torch.from_numpy(self.values[[self.rows[key] for key in keys]])

    def _map(self) -> None:
        keys: list[str] = []
        if self.index.exists() and self.file.exists():
            said = read_json(self.index)
            if said.get("width") != self.width or not isinstance(said.get("keys"), list):
                raise InputError(f"{self.index}: damaged index of the feature cache; delete it")
            keys = said["keys"][: self.file.stat().st_size // (4 * self.width)]
        self.rows = {key: row for row, key in enumerate(keys)}
        shape = (len(keys), self.width)
        # an empty file can't be mapped
        self.values = np.memmap(self.file, np.float32, "r", shape=shape) if keys else np.empty(shape, "f4")


class Features:
    """What a model's towers see of cached pictures and of texts, whenever it is asked for."""

    def __init__(self, model: RetrievalModel, pictures: PictureCache):
        self.model, self.pictures = model, pictures

    def images(self, keys: Sequence[str]) -> ImageFeatures:
        """Of pictures by their keys, or `BLANK`."""
        return self.model.see(self.pixels(keys))

    def texts(self, texts: Sequence[str]) -> TextFeatures:
        """Of texts that `prompt.compose_text` made."""
        return self.model.read(texts)

    def pixels(self, keys: Sequence[str]) -> Float[Tensor, "n 3 R R"]:
        """The pictures themselves, in [-1, 1]."""
        return picture_pixels(self.pictures, keys).to(self.model.device)


class FrozenFeatures(Features):
    """The same of frozen towers and of pictures and texts that are known beforehand: computed once.

    The files lie in a folder that is named by the towers' fingerprint: other weights, another size or another
    vocabulary never meet. Data sets share it.

    Args:
        folder: of the cache; None is the user's.
        pictures: holds the pictures of `keys`.
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
        towers, self.tokens = model.towers, model.composer.uses_tokens
        settings = {"towers": model.settings["towers"], "image_size": model.image_size}
        fingerprint = content_hash(towers, settings, model.tokenizer)
        root = (Path(folder) if folder is not None else default_folder()) / "features" / fingerprint
        kind, image, text = "pooled", towers.embed_dim, towers.embed_dim
        if self.tokens:
            kind = "tokens"
            image += towers.image_tokens * towers.image_width
            text += model.tokenizer.model_max_length * towers.text_width
        self.image_cache = FeatureCache(root, f"images-{kind}", image)
        self.text_cache = FeatureCache(root, f"texts-{kind}", text)
        self.image_cache.add([BLANK, *keys], self._pack_images)
        wanted = {content_digest(text): text for text in ("", *texts)}
        self.text_cache.add(wanted, lambda some: self._pack_texts([wanted[key] for key in some]))

    def images(self, keys: Sequence[str], device: torch.device | None = None) -> ImageFeatures:
        """On `device`; None is the model's, which a loader process can't use."""
        rows = self.image_cache[keys].to(device or self.model.device)
        return ImageFeatures(*self._unpack(rows, self.model.towers.image_width))

    def texts(self, texts: Sequence[str], device: torch.device | None = None) -> TextFeatures:
        mask = tokenize(self.model.tokenizer, list(texts))[1]
        device = device or self.model.device
        rows = self.text_cache[[content_digest(text) for text in texts]].to(device)
        return TextFeatures(*self._unpack(rows, self.model.towers.text_width), mask.to(device))

    @torch.no_grad()
    def _pack_images(self, keys: list[str]) -> Float[Tensor, "n width"]:
        seen = self.model.see(self.pixels(keys))
        return self._pack(seen.pooled, seen.tokens)

    @torch.no_grad()
    def _pack_texts(self, texts: list[str]) -> Float[Tensor, "n width"]:
        read = self.model.read(texts)
        return self._pack(read.pooled, read.tokens)

    def _pack(self, pooled: Tensor, tokens: Tensor) -> Tensor:
        return torch.cat([pooled, tokens.flatten(1)], dim=1) if self.tokens else pooled

    def _unpack(self, rows: Tensor, width: int) -> tuple[Tensor, Tensor | None]:
        dim = self.model.towers.embed_dim
        return rows[:, :dim], rows[:, dim:].unflatten(1, (-1, width)) if self.tokens else None


def trained_frozen(folder: Path) -> bool:
    """Whether the towers of the model in `folder` were frozen in training, as its `training.json` says."""
    file = folder / "training.json"
    if not file.is_file():
        return False
    return read_json(file).get("config", {}).get("encoder", {}).get("trainable_blocks") == 0


def picture_pixels(pictures: PictureCache, keys: Sequence[str]) -> Float[Tensor, "n 3 R R"]:
    """Cached pictures in [-1, 1]; zeros for `BLANK`."""
    gray = np.zeros((3, pictures.size, pictures.size), np.uint8)
    stored = np.stack([gray if key == BLANK else pictures[key] for key in keys])
    pixels = to_float(torch.from_numpy(stored))
    pixels[torch.tensor([key == BLANK for key in keys])] = 0.0
    return pixels
