"""`RetrievalModel`: towers, tokenizer and a composer, from a folder to vectors and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cdd_icm.config import check_speaker, to_plain
from cdd_icm.data import to_square
from cdd_icm.data.picture import rgb, to_float
from cdd_icm.errors import InputError
from cdd_icm.hashing import tensor_digest
from cdd_icm.io import load_tensors, read_json, replacing
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.fusion import GatedFusion
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.prompt import TURN_MARK, compose_text
from cdd_icm.model.tokenizer import tokenize
from cdd_icm.sampling.folder import check_folder
from retrieval.systems import COMPOSERS, ImageFeatures, TextFeatures

Pictures = UInt8[Tensor, "B 3 H W"] | Sequence[Image.Image]


class RetrievalModel(nn.Module):
    """Finds pictures by a reference picture and what to change about it.

    Args:
        composer: a key of `COMPOSERS`. options: keywords of that class.
        image_size: R, the side of the pictures in pixels. history: how many earlier instructions are read.
        speaker: the mark that its texts begin with (see `prompt.compose_text`).
    """

    def __init__(
        self,
        towers: CLIPTowers,
        tokenizer: PreTrainedTokenizerBase,
        composer: str,
        options: Mapping[str, Any],
        image_size: int,
        history: int = 0,
        speaker: str = "",
    ):
        super().__init__()
        check_speaker(speaker)
        self.towers, self.tokenizer = towers, tokenizer
        self.composer = COMPOSERS[composer](**options)
        self.composer_name, self.options = composer, to_plain(dict(options))
        self.image_size, self.history, self.speaker = image_size, history, speaker

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> RetrievalModel:
        """The model in a local folder, on the CPU and ready to be asked: one that `save_pretrained` wrote, or
        a pipeline that draws, whose matcher finds what it would have drawn.

        Raises:
            InputError: no such folder, a file that is missing or damaged, or weights that don't fit their
                config; the message names the file.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        if (folder / "model_index.json").is_file():
            return _from_pipeline(folder)
        file = folder / "config.json"
        config = read_json(file)
        if config.get("_class_name") != "RetrievalModel":
            raise InputError(
                f"{file}: _class_name is {config.get('_class_name')!r}, expected 'RetrievalModel'"
            )
        tensors = load_tensors(folder / "model.safetensors")
        tokenizer = _read_tokenizer(folder / "tokenizer")
        try:
            towers = CLIPTowers(**config["towers"])
            settings = {name: config[name] for name in ("composer", "options", "image_size", "history")}
            model = cls(towers, tokenizer, **settings, speaker=config.get("speaker", ""))
        except Exception as error:  # open_clip and diffusers raise whatever a wrong value leads to
            raise InputError(f"{file}: no RetrievalModel can be made of it ({_line(error)})") from error
        model.load_weights(tensors, folder / "model.safetensors")
        return model.eval().requires_grad_(False)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes `config.json`, `model.safetensors` and `tokenizer/`, whole and in place of an earlier
        folder.

        Raises:
            InputError: the disk refuses.
        """
        with replacing(Path(folder)) as unfinished:
            unfinished.mkdir()
            tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
            save_file(tensors, unfinished / "model.safetensors")
            self.tokenizer.save_pretrained(unfinished / "tokenizer")
            (unfinished / "config.json").write_text(json.dumps(self.settings, indent=1) + "\n")

    @property
    def settings(self) -> dict[str, Any]:
        """What `config.json` says: all but the weights and the vocabulary."""
        towers = {name: to_plain(self.towers.config[name]) for name in ("model", "mean", "std")}
        return {
            "_class_name": "RetrievalModel",
            "composer": self.composer_name,
            "options": self.options,
            "image_size": self.image_size,
            "history": self.history,
            "towers": towers,
            **({"speaker": self.speaker} if self.speaker else {}),
        }

    @property
    def width(self) -> int:
        """E, the length of a vector."""
        return self.composer.width or self.towers.embed_dim

    @property
    def fingerprint(self) -> str:
        """Hex digest of weights, config and vocabulary: models with the same give the same vectors."""
        return content_hash(self, self.settings, self.tokenizer)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @torch.no_grad()
    def encode_gallery(self, pictures: Pictures) -> Float[Tensor, "B *vectors E"]:
        """Unit vectors, float32, of pictures in 0..255, one each or, with `multi-vector`, several; of another
        size, they are squeezed to the model's square.

        Raises:
            InputError: a picture that can't be one.
        """
        pixels = self.to_pixels(pictures)
        features = ImageFeatures(pixels=pixels) if self.composer.embeds_pixels else self.see(pixels)
        return self.composer.embed(features).float()

    @torch.no_grad()
    def encode_query(
        self,
        pictures: Pictures | None,
        texts: Sequence[str] | None,
        history: Sequence[Sequence[str]] | None = None,
    ) -> Float[Tensor, "B E"]:
        """Unit vectors, float32, of "this picture, but ..."; a query may lack its pictures or its texts.

        Args:
            history: each query's earlier instructions, oldest first.

        Raises:
            InputError: neither pictures nor texts, lists of different lengths, a picture that can't be one.
        """
        if pictures is None and texts is None:
            raise InputError("a query needs a picture or a text")
        given = {"pictures": pictures, "texts": texts, "histories": history}
        counts = {name: len(of) for name, of in given.items() if of is not None}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise InputError(f"{said}: expected as many of each")
        n = next(iter(counts.values()))
        history = history if history is not None else [()] * n
        if pictures is None:
            pixels = torch.zeros(n, 3, self.image_size, self.image_size, device=self.device)
        else:
            pixels = self.to_pixels(pictures)
        if texts is None:
            read = [""] * n
        else:
            read = [self.text(text, past) for text, past in zip(texts, history, strict=True)]
        return self.composer.compose(self.see(pixels), self.read(read)).float()

    def to_pixels(self, pictures: Pictures) -> Float[Tensor, "B 3 R R"]:
        """Pictures in 0..255 as the model sees them: its size, in [-1, 1], on its device."""
        size = self.image_size
        if not isinstance(pictures, Tensor):
            arrays = [to_square(rgb(picture, "picture"), size) for picture in pictures]
            pictures = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        elif pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise InputError(
                f"pictures: {pictures.dtype} {tuple(pictures.shape)}, expected uint8 (B, 3, H, W)"
            )
        elif pictures.shape[-2:] != (size, size):
            arrays = [to_square(picture, size) for picture in pictures.permute(0, 2, 3, 1).cpu().numpy()]
            pictures = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        return to_float(pictures.to(self.device, non_blocking=True))

    def text(self, text: str, history: Sequence[str]) -> str:
        """What is read of a text and the instructions before it."""
        return compose_text(text, tuple(history), self.history, self.speaker)

    def caption(self, caption: str) -> str:
        """What is read of a caption, which may be a text that `compose_text` made of what was said."""
        newest, *earlier = caption.split(TURN_MARK)
        return compose_text(newest, earlier[::-1], len(earlier), self.speaker)

    def see(self, pixels: Float[Tensor, "B 3 R R"]) -> ImageFeatures:
        """What the image tower sees in pictures in [-1, 1]."""
        tokens, pooled = self.towers.encode_image(pixels.to(self.towers.dtype))
        return ImageFeatures(pooled, tokens, pixels)

    def read(self, texts: Sequence[str]) -> TextFeatures:
        """What the text tower sees in texts that `text` or `caption` made."""
        ids, mask = (part.to(self.device) for part in tokenize(self.tokenizer, list(texts)))
        tokens, pooled = self.towers.encode_text(ids)
        return TextFeatures(pooled, tokens, mask)

    def load_weights(self, tensors: dict[str, Tensor], source: Path) -> None:
        """Raises InputError where a tensor is missing, too many, or of another shape."""
        try:
            self.load_state_dict(tensors)
        except RuntimeError as error:
            raise InputError(f"{source}: doesn't fit its config ({_line(error, 1)})") from error


def content_hash(
    module: nn.Module, settings: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None = None
) -> str:
    """Hex digest of a module's tensors, its settings and the vocabulary that it reads."""
    header = json.dumps(to_plain(dict(settings)), sort_keys=True)
    if tokenizer is not None:
        backend = json.loads(tokenizer.backend_tokenizer.to_str())  # padding there is the last call's
        read = {"model": backend["model"], "normalizer": backend["normalizer"]}
        header += json.dumps([read, tokenizer.model_max_length], sort_keys=True)
    return tensor_digest(sorted(module.state_dict().items()), header)


def _from_pipeline(folder: Path) -> RetrievalModel:
    check_folder(folder)
    index = read_json(folder / "model_index.json")
    options = {"use_safetensors": True, "torch_dtype": torch.float32}
    kinds = {"towers": CLIPTowers, "fusion": GatedFusion, "matcher": Matcher}
    try:
        parts = {name: kind.from_pretrained(folder / name, **options) for name, kind in kinds.items()}
    except OSError as error:  # such as weights that are there in a `variant` alone
        raise InputError(f"{folder}: {_line(error)}") from error
    towers = parts.pop("towers")
    keywords = {
        name: {key: value for key, value in part.config.items() if not key.startswith("_")}
        for name, part in parts.items()
    }
    tokenizer = _read_tokenizer(folder / "tokenizer")
    size = parts["matcher"].config.image_size
    reads = {"history": index.get("history", 1), "speaker": index.get("speaker", "")}
    model = RetrievalModel(towers, tokenizer, "matching", keywords, size, **reads)
    for name, part in parts.items():
        getattr(model.composer, name).load_state_dict(part.state_dict())
    return model.eval().requires_grad_(False)


def _read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    read_json(folder / "tokenizer_config.json")
    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception as error:  # its loaders have no common error
        raise InputError(f"{folder}: no tokenizer can be loaded from here ({_line(error)})") from error


def _line(error: Exception, number: int = 0) -> str:
    """One line of what an error says."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[min(number, len(lines) - 1)] if lines else type(error).__name__
