"""The image and text towers of an open_clip model, which encode to tokens and pooled vectors."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float, Int
from open_clip.transformer import ResidualAttentionBlock, Transformer, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import normalize

from cdd_icm.config import EncoderConfig, to_plain
from cdd_icm.errors import InputError, first_line
from cdd_icm.io import check_finite, load_tensors
from cdd_icm.model.attention import attention_kernel
from cdd_icm.model.size import without_memory
from cdd_icm.sources import local_path

EMBEDDING_STD = 0.5
"""Standard deviation of token embeddings trained from scratch. With open_clip's 0.02 the embeddings of all
words are nearly equal to the first block, and a small tower learns left and right much later."""


@dataclass
class Encoded:
    """The encoded reference and text. `mask` is True at text tokens and False at padding."""

    image_tokens: Float[Tensor, "B Nv Dv"]
    image_pooled: Float[Tensor, "B E"]
    text_tokens: Float[Tensor, "B Nw Dw"]
    text_pooled: Float[Tensor, "B E"]
    mask: Bool[Tensor, "B Nw"]


class CLIPTowers(ModelMixin, ConfigMixin):
    """Image and text tower of an open_clip model.

    Args:
        model: an open_clip architecture name, or an open_clip model config.
        mean, std: per-channel statistics in [0, 1] that the image tower expects.
    """

    @register_to_config
    def __init__(
        self,
        model: str | dict[str, Any],
        mean: tuple[float, ...] = open_clip.OPENAI_DATASET_MEAN,
        std: tuple[float, ...] = open_clip.OPENAI_DATASET_STD,
    ):
        super().__init__()
        settings = model_settings(model)
        try:
            custom = settings.pop("custom_text", False)
            clip = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings)
            self.image_size: int = settings["vision_cfg"].get("image_size", 224)
            self.image_tokens, self.image_width = _image_shape(clip, self.image_size)
        except InputError:  # of `without_memory`
            raise
        except Exception as error:  # invalid numbers raise all kinds of error, even AssertionError
            raise InputError(f"encoder.model: not an open_clip model config ({first_line(error)})") from None
        for name, part in clip.named_modules():
            if name.endswith("token_embedding"):
                nn.init.normal_(part.weight, std=EMBEDDING_STD)
        # CLIP's contrastive temperature: its own loss is not used here
        clip.logit_scale.requires_grad_(False)
        self.clip = clip
        self.text_width: int = settings["text_cfg"].get("width", 512)
        self.context_length: int = settings["text_cfg"].get("context_length", 77)
        self.vocab_size: int = settings["text_cfg"].get("vocab_size", 49408)
        self.embed_dim: int = settings["embed_dim"]

    @classmethod
    def from_settings(cls, settings: EncoderConfig) -> CLIPTowers:
        """Builds the towers, with pretrained weights if `settings.pretrained` names some; on the meta device,
        without weights.

        Raises:
            InputError: as in `load_pretrained`, or the architecture has batch normalisation and no pretrained
                weights.
        """
        statistics = {}
        if isinstance(settings.model, str) and settings.pretrained is not None:
            tag = open_clip.get_pretrained_cfg(settings.model, settings.pretrained)
            statistics = {name: tag[name] for name in ("mean", "std") if name in tag}
        with without_memory():  # raises if they are too large
            cls(settings.model)
        towers = cls(settings.model, **statistics)
        if settings.pretrained is not None:
            if towers.device.type != "meta":
                towers.load_pretrained(settings.pretrained)
        elif any(isinstance(part, nn.BatchNorm2d) for part in towers.modules()):
            raise InputError(
                f"encoder.model: {settings.model!r} has batch normalisation, whose statistics are not learnt "
                "here; set encoder.pretrained, or choose a ViT or a ConvNeXt"
            )
        towers.freeze_all_but(settings.trainable_blocks)
        return towers

    def freeze_all_but(self, blocks: int | None) -> None:
        """Freezes all but the last `blocks` blocks of each tower; 0 freezes both towers, None nothing.

        Raises:
            InputError: open_clip can't freeze this image tower by blocks, or it has at most `blocks` blocks.
        """
        if blocks == 0:
            self.requires_grad_(False)
        elif blocks is not None:
            try:
                self.clip.lock_image_tower(unlocked_groups=blocks)
            except AssertionError:
                raise InputError(
                    f"encoder.trainable_blocks is {blocks}, but {self.config.model!r} has no blocks that "
                    "can be frozen separately; use 0 or null"
                ) from None
            self.clip.lock_text_tower(unlocked_layers=blocks)
            if all(p.requires_grad for name, p in self.named_parameters() if name != "clip.logit_scale"):
                raise InputError(
                    f"encoder.trainable_blocks is {blocks}, which is all of {self.config.model!r}; use null"
                )

    def train(self, mode: bool = True) -> CLIPTowers:
        """Like `nn.Module.train`, but batch normalisation stays in eval mode, so that a picture's features do
        not depend on the rest of the batch, and transformers use the dimension order in which their attention
        is fastest."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
            elif isinstance(part, Transformer) and isinstance(part.resblocks[0], ResidualAttentionBlock):
                # torch's fused inference kernel needs the batch first. Training can't use it, and without it
                # a leading batch makes torch copy frozen weights for each token.
                part.batch_first = not mode
                for block in part.resblocks:
                    block.attn.batch_first = not mode
        return self

    def load_pretrained(self, pretrained: str) -> None:
        """Loads the weights of an open_clip `pretrained` tag, or of a local safetensors file.

        Raises:
            InputError: `pretrained` is neither a tag of the architecture nor a safetensors file that fits it;
                the tag's weights need another activation; or the hub can't be reached.
        """
        model = self.config.model
        if isinstance(model, str) and open_clip.is_pretrained_cfg(model, pretrained):
            quick = open_clip.get_pretrained_cfg(model, pretrained).get("quick_gelu", False)
            if quick != model_settings(model).get("quick_gelu", False):
                fitting = f"{model}-quickgelu" if quick else model.removesuffix("-quickgelu")
                raise InputError(f"encoder.pretrained: {pretrained} was trained as encoder.model={fitting}")
            try:
                weights = open_clip.create_model(model, pretrained=pretrained).state_dict()
            except Exception as error:  # the hub client's errors have no common base
                raise InputError(
                    f"encoder.pretrained: the weights {pretrained} of {model} can't be downloaded "
                    f"({type(error).__name__}); without a network, give a local .safetensors file"
                ) from None
        elif local_path(pretrained).is_file():
            weights = load_tensors(Path(pretrained))
        else:
            known = open_clip.list_pretrained_tags_by_model(model) if isinstance(model, str) else []
            raise InputError(
                f"encoder.pretrained: {pretrained} is neither a file nor one of the tags {known}"
            )
        check_finite(weights.items(), Path(pretrained))
        try:
            self.clip.load_state_dict(weights)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip()
            raise InputError(
                f"encoder.pretrained: {pretrained} does not fit encoder.model ({reason})"
            ) from None

    def encode_image(
        self, image: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B Nv Dv"], Float[Tensor, "B E"]]:
        """The last block's tokens and the pooled vector of a picture in [-1, 1], resized to the tower's input
        size."""
        if image.shape[-2:] != (self.image_size, self.image_size):
            image = interpolate(image, size=(self.image_size,) * 2, mode="bicubic", antialias=True)
        image = normalize((image + 1) / 2, list(self.config.mean), list(self.config.std))
        with attention_kernel(image.device):
            out = self.clip.forward_intermediates(
                image=image,
                image_indices=1,
                normalize=False,
                normalize_intermediates=True,
                image_output_fmt=_tokens_format(self.clip),
            )
        return _tokens(out), out["image_features"]

    def encode_text(self, ids: Int[Tensor, "B Nw"]) -> tuple[Float[Tensor, "B Nw Dw"], Float[Tensor, "B E"]]:
        """The last block's tokens and the pooled vector of token ids from `tokenize`."""
        with attention_kernel(ids.device):
            out = self.clip.forward_intermediates(
                text=ids, text_indices=1, normalize=False, normalize_intermediates=True
            )
        return out["text_intermediates"][-1], out["text_features"]

    def forward(
        self, image: Float[Tensor, "B 3 H W"], ids: Int[Tensor, "B Nw"], mask: Bool[Tensor, "B Nw"]
    ) -> Encoded:
        """Encodes picture and text, see `encode_image` and `encode_text`."""
        return Encoded(*self.encode_image(image), *self.encode_text(ids), mask)


def model_settings(model: str | dict[str, Any]) -> dict[str, Any]:
    """The open_clip model config of a named architecture, or a copy of the given config.

    Raises:
        InputError: open_clip has no such architecture, or its text tower or vocabulary is not CLIP's own.
    """
    settings = open_clip.get_model_config(model) if isinstance(model, str) else to_plain(model)
    if settings is None:
        raise InputError(f"encoder.model: open_clip has no architecture {model!r}")
    if "hf_model_name" in settings.get("text_cfg", {}):  # transformers would load it and run its code
        raise InputError(f"encoder.model: {model!r} has a text tower from transformers, not open_clip")
    if "hf_tokenizer_name" in settings.get("text_cfg", {}):
        raise InputError(
            f"encoder.model: {model!r} has a tokenizer of its own; choose one with CLIP's vocabulary"
        )
    return settings


def _image_shape(clip: nn.Module, size: int) -> tuple[int, int]:
    """Number and width of the image tower's tokens, found by a forward pass."""
    visual, device = clip.visual, next(clip.visual.parameters()).device
    if device.type == "meta":  # while diffusers loads a folder, parameters but not buffers are on meta
        visual = copy.deepcopy(visual).to(device)
    with torch.no_grad():
        probe = visual.forward_intermediates(
            torch.zeros(1, 3, size, size, device=device),
            indices=1,
            intermediates_only=True,
            output_fmt=_tokens_format(clip),
        )
    return tuple(_tokens(probe).shape[1:])


def _tokens_format(clip: nn.Module) -> str:
    """open_clip's name for the output: tokens of a transformer, else a feature map."""
    return "NLC" if isinstance(clip.visual, VisionTransformer) else "NCHW"


def _tokens(out: Mapping[str, Any]) -> Float[Tensor, "B Nv Dv"]:
    """The last block's tokens; a feature map is flattened row by row."""
    last = out["image_intermediates"][-1]
    return last if last.ndim == 3 else last.flatten(2).transpose(1, 2)
