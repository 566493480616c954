"""`RetrievalModel`: a backbone and a system, which is loaded, encodes queries and pictures, and is saved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from cdd_icm.config import check_speaker, to_plain
from cdd_icm.data.picture import rgb, to_float
from cdd_icm.errors import InputError, of_type
from cdd_icm.hub import load_tokenizer
from cdd_icm.io import load_tensors, read_json, replacing
from cdd_icm.lock import unchanged
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.fusion import GatedFusion
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.size import without_memory
from cdd_icm.model.tokenizer import as_built, vocabulary_digest
from cdd_icm.push import Kind, Upload, prepare, send
from cdd_icm.sampling.folder import check_folder
from cdd_icm.sources import check_links, local_path
from cdd_icm.text import check_text
from retrieval import backbones
from retrieval.backbones.base import Backbone, ImageFeatures
from retrieval.backbones.clip import CLIPBackbone
from retrieval.fingerprint import content_hash
from retrieval.systems import registry
from retrieval.systems.base import Inputs

USAGE = """\
## Use

```
hf download {repo_id} --local-dir model
cdd-retrieval index PICTURES --store store.db --model model
cdd-retrieval search --store store.db --model model --image PICTURE --text "..."
```

From Python: `retrieval.RetrievalModel.from_pretrained("model")`. The class is part of the package `cdd-icm`.
"""

Pictures = UInt8[Tensor, "B 3 H W"] | Sequence[Image.Image]


class RetrievalModel(nn.Module):
    """Finds pictures by a reference picture and what to change about it. Several threads may use one model.

    Args:
        composer: the system's name in `registry.SYSTEMS`. options: keyword arguments of its class.
        history: how many earlier instructions are encoded with a text.
        speaker: the tag that its texts begin with (see `prompt.compose_text`).
    """

    def __init__(
        self,
        backbone: Backbone,
        composer: str,
        options: Mapping[str, Any],
        history: int = 0,
        speaker: str = "",
    ):
        super().__init__()
        check_speaker(speaker)
        self.backbone, self.towers = backbone, backbone.module
        with without_memory():  # raises if it is too large
            registry.build(composer, options)
        self.composer = registry.build(composer, options)
        self.composer_name, self.options = composer, to_plain(dict(options))
        self.history, self.speaker = history, speaker

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> RetrievalModel:
        """The model in a local folder, on the CPU and in evaluation mode: one that `save_pretrained` wrote,
        or a generator's pipeline, whose fusion encoder and matcher are the system `matching`.

        Raises:
            InputError: no such folder, a link out of it, a missing or damaged file, or weights that don't fit
                their config; the message names the file.
        """
        folder = local_path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        with unchanged(folder):
            return _from_pipeline(folder) if (folder / "model_index.json").is_file() else cls._read(folder)

    @classmethod
    def _read(cls, folder: Path) -> RetrievalModel:
        file = folder / "config.json"
        config = read_json(file)
        if config.get("_class_name") != "RetrievalModel":
            raise InputError(
                f"{file}: _class_name is {config.get('_class_name')!r}, expected 'RetrievalModel'"
            )
        check_links(folder)
        tensors = load_tensors(folder / "model.safetensors")
        tokenizer = load_tokenizer(folder / "tokenizer")
        try:
            kind = backbones.find(registry.find(config["composer"]).backbone)
            backbone = kind.from_settings(config["towers"], config["image_size"], tokenizer)
            settings = {name: config[name] for name in ("composer", "options", "history")}
            model = cls(backbone, **settings, speaker=config.get("speaker", ""))
        except Exception as error:  # open_clip and diffusers raise errors of any kind
            raise InputError(f"{file}: no RetrievalModel can be built from it ({_line(error)})") from error
        backbone.check_tokenizer(folder / "tokenizer", config.get("vocabulary"))
        model.load_weights(tensors, folder / "model.safetensors")
        return model.eval().requires_grad_(False)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes `config.json`, `model.safetensors` and `tokenizer/`; an earlier folder is replaced
        atomically.

        Raises:
            InputError: the disk refuses.
        """
        with replacing(Path(folder)) as unfinished:
            unfinished.mkdir()
            tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
            save_file(tensors, unfinished / "model.safetensors")
            tokenizer = as_built(self.backbone.tokenizer)
            tokenizer.save_pretrained(unfinished / "tokenizer")
            vocabulary = vocabulary_digest(tokenizer)
            settings = {**self.settings, "vocabulary": vocabulary}
            (unfinished / "config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    def push_to_hub(
        self,
        repo_id: str,
        *,
        license: str | None = None,
        readme: str | Path | None = None,
        commit_message: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        create_pr: bool = False,
        dry_run: bool = False,
    ) -> str | Upload:
        """Uploads the model to the Hugging Face Hub in one commit, and returns its address.

        Args:
            repo_id: "owner/name". license: its SPDX identifier in lower case; needed where the card has none.
            readme: the file with the card.
            dry_run: contacts nobody, and returns what would be uploaded.

        Raises:
            InputError: see `cdd_icm.push.prepare` and `send`.
        """
        with TemporaryDirectory() as place:
            folder = Path(place) / "model"
            self.save_pretrained(folder)
            readme = None if readme is None else Path(readme)
            upload = prepare(folder, repo_id, RETRIEVAL, license, readme)
            return upload if dry_run else send(upload, private, commit_message, token, create_pr)

    @property
    def settings(self) -> dict[str, Any]:
        """The content of `config.json`, beside the digest of the vocabulary."""
        return {
            "_class_name": "RetrievalModel",
            "composer": self.composer_name,
            "options": self.options,
            "image_size": self.image_size,
            "history": self.history,
            "towers": self.backbone.settings,
            **({"speaker": self.speaker} if self.speaker else {}),
        }

    @property
    def image_size(self) -> int:
        """R, the side in pixels of a preprocessed picture."""
        return self.backbone.image_size

    @property
    def width(self) -> int:
        """E, the length of a vector."""
        return self.composer.width or self.backbone.width

    @property
    def vectors(self) -> int:
        """How many vectors a picture has."""
        return self.composer.vectors

    @property
    def fingerprint(self) -> str:
        """Hex digest of weights, config and vocabulary: the same digest means the same vectors."""
        return content_hash(self, self.settings, self.backbone.tokenizer)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @torch.no_grad()
    def encode_gallery(self, pictures: Pictures) -> Float[Tensor, "B *vectors E"]:
        """Unit vectors, float32, of pictures in 0..255: one each or, with `multi-vector`, several. Pictures
        whose size differs from the model's are preprocessed.

        Raises:
            InputError: an invalid picture.
        """
        features = self.image_features(self.to_pixels(pictures), self.composer.gallery_inputs)
        return self.composer.encode_gallery(features).float()

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
            InputError: neither pictures nor texts, lists of different lengths, or an invalid picture.
        """
        if pictures is None and texts is None:
            raise InputError("a query needs a picture or a text")
        given = {"pictures": pictures, "texts": texts, "histories": history}
        for name, values in given.items():
            of_type([] if values is None else values, (list, tuple, Tensor), name, "a list")
        for text in [*(texts or ()), *(text for past in history or () for text in past)]:
            of_type(text, str, "texts", "texts")
            check_text(text, "texts")
        counts = {name: len(values) for name, values in given.items() if values is not None}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise InputError(f"{listed}: expected the same number of each")
        n = next(iter(counts.values()))
        history = history if history is not None else [()] * n
        if pictures is None:
            pixels = torch.zeros(n, 3, self.image_size, self.image_size, device=self.device)
        else:
            pixels = self.to_pixels(pictures)
        if texts is None:
            prompts = [""] * n
        else:
            prompts = [self.prompt(text, past) for text, past in zip(texts, history, strict=True)]
        features = self.image_features(pixels, self.composer.query_inputs)
        text = self.backbone.encode_text(self.backbone.tokenize(prompts))
        return self.composer.encode_query(features, text).float()

    def preprocess(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "R R 3"]:
        """A decoded picture at the model's size; see `Backbone.preprocess`."""
        return self.backbone.preprocess(picture)

    def to_pixels(self, pictures: Pictures) -> Float[Tensor, "B 3 R R"]:
        """Preprocesses pictures in 0..255 to [-1, 1], on the model's device."""
        size = self.image_size
        of_type(pictures, (list, tuple, Tensor), "pictures", "a list of pictures or a tensor")
        if not isinstance(pictures, Tensor):
            arrays = [self.preprocess(rgb(picture, "picture")) for picture in pictures]
            pictures = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        elif pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise InputError(
                f"pictures: {pictures.dtype} {tuple(pictures.shape)}, expected uint8 (B, 3, H, W)"
            )
        elif pictures.shape[-2:] != (size, size):
            arrays = [self.preprocess(picture) for picture in pictures.permute(0, 2, 3, 1).cpu().numpy()]
            pictures = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        return to_float(pictures.to(self.device, non_blocking=True))

    def image_features(self, pixels: Float[Tensor, "B 3 R R"], inputs: Inputs) -> ImageFeatures:
        """The parts in `inputs` of preprocessed pictures in [-1, 1]; the backbone runs only where it is
        needed."""
        return (
            self.backbone.encode_image(pixels) if inputs & Inputs.FEATURES else ImageFeatures(pixels=pixels)
        )

    def prompt(self, text: str, history: Sequence[str]) -> str:
        """The text that is encoded for an instruction with its `history`, oldest first."""
        return compose_text(text, tuple(history), self.history, self.speaker)

    def caption_prompt(self, caption: Sequence[str]) -> str:
        """The text that is encoded for a caption: texts, oldest first, that together describe a picture."""
        *earlier, newest = caption or [""]
        return compose_text(newest, earlier, len(earlier), self.speaker)

    def load_weights(self, tensors: dict[str, Tensor], source: Path) -> None:
        """Raises InputError where a tensor is missing, unexpected or of another shape."""
        try:
            self.load_state_dict(tensors)
        except RuntimeError as error:
            raise InputError(f"{source}: doesn't fit its config ({_line(error, 1)})") from error


def _check(folder: Path) -> None:
    """Raises InputError if the folder is no model that `save_pretrained` wrote."""
    if (folder / "model_index.json").is_file():
        raise InputError(f"{folder}: a pipeline, which `cdd-icm push` uploads")
    RetrievalModel.from_pretrained(folder)


RETRIEVAL = Kind(
    _check,
    {
        "library_name": "cdd-icm",
        "pipeline_tag": "image-feature-extraction",
        "tags": ["cdd-icm", "composed-image-retrieval"],
    },
    USAGE,
)
"""How a retrieval model is uploaded to a hub."""


def _from_pipeline(folder: Path) -> RetrievalModel:
    index, tokenizer = check_folder(folder)
    options = {"use_safetensors": True, "torch_dtype": torch.float32}
    kinds = {"towers": CLIPTowers, "fusion": GatedFusion, "matcher": Matcher}
    try:
        parts = {name: kind.from_pretrained(folder / name, **options) for name, kind in kinds.items()}
    except OSError as error:  # such as weights that exist only as a `variant`
        raise InputError(f"{folder}: {_line(error)}") from error
    towers = parts.pop("towers")
    keywords = {
        name: {key: value for key, value in part.config.items() if not key.startswith("_")}
        for name, part in parts.items()
    }
    backbone = CLIPBackbone(towers, tokenizer, parts["matcher"].config.image_size)
    prompt = {"history": index.get("history", 1), "speaker": index.get("speaker", "")}
    model = RetrievalModel(backbone, registry.PIPELINE_SYSTEM, keywords, **prompt)
    for name, part in parts.items():
        getattr(model.composer, name).load_state_dict(part.state_dict())
    return model.eval().requires_grad_(False)


def _line(error: Exception, number: int = 0) -> str:
    """One line of an error's message."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[min(number, len(lines) - 1)] if lines else type(error).__name__
