"""The detector-localizer of the evaluation: which classes of object are in a picture, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from einops import rearrange, reduce
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu
from torchvision.models import inception_v3
from torchvision.models.feature_extraction import create_feature_extractor

import cdd_icm
from cdd_icm.data.dialog import Dialog, SceneObject, class_names
from cdd_icm.data.picture import to_float
from cdd_icm.errors import InputError
from cdd_icm.io import read_json
from cdd_icm.lock import unchanged
from cdd_icm.sampling.folder import check_weights
from cdd_icm.sources import check_links, local_path

THRESHOLD = 0.5
"""A class is present if its probability is above this (as in GeNeVA)."""

Trunk = Literal["residual", "inception_v3"]

DEPTH_LEVELS = 2.0
"""CoDraw's depths 0, 1, 2 are divided by this, so that every coordinate lies in [0, 1]."""


@dataclass
class Detections:
    """The classes present in N pictures. `coordinates` are (x, y) or (x, y, depth), each in [0, 1], from the
    top left corner and the nearest depth; they are undefined for classes that are not present."""

    present: Bool[np.ndarray, "N C"]
    coordinates: Float[np.ndarray, "N C K"]


def class_of(obj: SceneObject, traits: Mapping[str, str]) -> str:
    """The object's class for a detector with the `class_traits` `traits`: "small blue cube" with {"size":
    "large"}. Each trait is one word, so that `name_of` can take it away."""
    values = (obj.look.get(trait, default) for trait, default in traits.items())
    return " ".join([*("-".join(value.split()) for value in values), obj.name])


def name_of(class_name: str, traits: Mapping[str, str]) -> str:
    """The name of the objects of such a class, without the traits: "blue cube"."""
    return class_name.split(" ", len(traits))[-1]


def look_classes(dialogs: Iterable[Dialog], traits: Mapping[str, str]) -> set[str]:
    """The classes of all annotated objects, see `class_of`."""
    return {
        class_of(obj, traits) for dialog in dialogs for turn in dialog.turns for obj in turn.objects or ()
    }


def annotated(
    scenes: Iterable[Sequence[SceneObject]],
    classes: Sequence[str],
    traits: Mapping[str, str],
    coordinates: int,
    where: str,
) -> Detections:
    """The annotation in the format of the output of a detector of these `classes` and `class_traits`; only
    the first of several objects of a class is used. `where` names the data in errors.

    Raises:
        InputError: an object's class is not in `classes`.
    """
    scenes = list(scenes)
    column = {name: index for index, name in enumerate(classes)}
    present = np.zeros((len(scenes), len(classes)), bool)
    places = np.zeros((len(scenes), len(classes), coordinates), np.float32)
    for row, scene in enumerate(scenes):
        for obj in reversed(scene):
            name = class_of(obj, traits)
            if name not in column:
                raise InputError(f"{where}: objects: the detector does not know the class {name!r}")
            present[row, column[name]] = True
            place = (obj.x, obj.y, obj.depth / DEPTH_LEVELS)
            places[row, column[name]] = place[:coordinates]
    return Detections(present, places)


@dataclass
class DetectorOutput:
    """`logits`: of presence. `coordinates`: in [0, 1]. `heat`: for each class, log-probabilities over the
    cells. `features`: the trunk's last feature map, averaged over the picture."""

    logits: Float[Tensor, "B C"]
    coordinates: Float[Tensor, "B C K"]
    heat: Float[Tensor, "B C cells"]
    features: Float[Tensor, "B F"]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(outputs)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Conv2d(inputs, outputs, 1, stride) if inputs != outputs or stride > 1 else nn.Identity()
        )

    def forward(self, x: Float[Tensor, "B I h w"]) -> Float[Tensor, "B O h2 w2"]:
        y = relu(self.norm_1(self.conv_1(x)))
        return relu(self.norm_2(self.conv_2(y)) + self.shortcut(x))


class InceptionTrunk(nn.Module):
    """An Inception-v3 (Szegedy et al. 2016, arXiv 1512.00567) without pretrained weights, as in GeNeVA's
    detector.

    Its convolutions are unpadded, so the picture is padded to align the map at stride 8 with the cells.
    """

    MAPS = ("Mixed_5d", "Mixed_6e", "Mixed_7c")  # 288, 768 and 2048 channels at strides 8, 16 and 32

    def __init__(self, width: int):
        super().__init__()
        network = inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=True)
        self.network = create_feature_extractor(network, [*self.MAPS])
        self.fine = nn.Conv2d(288, width, 1)
        self.middle = nn.Conv2d(768, width, 1)

    def forward(self, images: Float[Tensor, "B 3 S S"]) -> tuple[Tensor, Tensor]:
        """The map at stride 8 plus that at stride 16, (B, width, S/8, S/8), and the map at stride 32."""
        maps = self.network(pad(images, (10, 9, 10, 9), mode="replicate"))
        fine, middle, deep = (maps[name] for name in self.MAPS)
        fine = self.fine(fine)
        return fine + interpolate(self.middle(middle), fine.shape[-2:]), deep


class Detector(ModelMixin, ConfigMixin):
    """Predicts a heat map for each class: its log-sum-exp is the logit of presence, its centre of mass the
    position.

    The trunk is a small residual network with strides 4, 8 and 16, or an Inception-v3 as in GeNeVA. The heat
    maps are at stride 8, with upsampled coarser features added. GeNeVA's heads are dense layers; heat maps,
    which localise by construction, train in minutes.

    Args:
        classes: class names, in the order of the outputs.
        coordinates: 2 for (x, y), 3 for (x, y, depth).
        image_size: side S of the pictures, a multiple of 16.
        widths: channels at strides 4, 8 and 16; with an Inception-v3 only the second is used, for the heads.
        blocks: number of residual blocks at each stride; not used with an Inception-v3.
        trunk: the network below the heads.
        class_traits: by trait of an object's look that is part of its class, the value of objects for which
            it is not annotated; see `class_of`.

    Raises:
        ValueError: unknown trunk, or `class_traits` that are not texts.
    """

    @register_to_config
    def __init__(
        self,
        classes: Sequence[str],
        coordinates: int = 2,
        image_size: int = 128,
        widths: tuple[int, int, int] = (64, 128, 256),
        blocks: tuple[int, int, int] = (1, 2, 2),
        trunk: Trunk = "residual",
        class_traits: dict[str, str] | None = None,
    ):
        super().__init__()
        if not all(isinstance(text, str) for pair in dict(class_traits or {}).items() for text in pair):
            raise ValueError(f"class_traits is {class_traits!r}, expected a text for each trait")
        if trunk == "inception_v3":
            self.inception = InceptionTrunk(widths[1])
        elif trunk == "residual":
            self.stem = nn.Sequential(
                nn.PixelUnshuffle(4),
                nn.Conv2d(48, widths[0], 3, padding=1, bias=False),
                nn.BatchNorm2d(widths[0]),
                nn.ReLU(),
            )
            self.stages = nn.ModuleList(
                nn.Sequential(
                    ResidualBlock(widths[max(stage - 1, 0)], widths[stage], stride=2 if stage else 1),
                    *(ResidualBlock(widths[stage], widths[stage]) for _ in range(blocks[stage] - 1)),
                )
                for stage in range(3)
            )
        else:
            raise ValueError(f"trunk is {trunk!r}, expected one of {', '.join(get_args(Trunk))}")
        self.context = nn.Conv2d(2048 if trunk == "inception_v3" else widths[2], widths[1], 1)
        self.mix = ResidualBlock(widths[1], widths[1])
        self.heat = nn.Conv2d(widths[1], len(classes), 1)
        self.place = nn.Conv2d(widths[1], len(classes) * coordinates, 1)
        nn.init.constant_(self.heat.bias, -8.0)  # most classes are absent from most pictures
        centres = (torch.arange(image_size // 8) + 0.5) * 8 / image_size
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        grid = torch.stack([x, y, torch.full_like(x, 0.5)][:coordinates], dim=-1)
        self.register_buffer("grid", rearrange(grid, "h w k -> (h w) k"), persistent=False)

    @property
    def class_traits(self) -> Mapping[str, str]:
        """As in the config; empty for a detector whose classes are the objects' names."""
        return self.config.class_traits or {}

    def forward(self, images: Float[Tensor, "B 3 S S"]) -> DetectorOutput:
        """`images` in [-1, 1]."""
        fine, deep = self._maps(images)
        x = self.mix(fine + interpolate(self.context(deep), fine.shape[-2:]))
        heat = rearrange(self.heat(x), "b c h w -> b c (h w)").float()
        # each cell's prediction of the object's centre relative to its own, in cells
        offset = rearrange(self.place(x), "b (c k) h w -> b c (h w) k", c=heat.shape[1]).float()
        position = self.grid + offset / x.shape[-1]  # (B, C, cells, K)
        attention = heat.softmax(dim=-1)
        return DetectorOutput(
            logits=heat.logsumexp(dim=-1),
            # not a matrix product, which autocast would compute in half precision
            coordinates=(attention[..., None] * position).sum(dim=2),
            heat=heat.log_softmax(dim=-1),
            features=reduce(deep.float(), "b f h w -> b f", "mean"),
        )

    def _maps(self, images: Float[Tensor, "B 3 S S"]) -> tuple[Tensor, Tensor]:
        """The trunk's map at stride 8, (B, W1, S/8, S/8), and its coarsest one, (B, F, h, w)."""
        if self.config.trunk == "inception_v3":
            return self.inception(images)
        fine = self.stages[1](self.stages[0](self.stem(images)))
        return fine, self.stages[2](fine)  # (B, W2, S/16, S/16)

    @torch.no_grad()
    def detect(self, pictures: UInt8[np.ndarray, "N S S 3"], batch_size: int = 64) -> Detections:
        """Detects the classes in RGB pictures, 0..255, of the detector's image size.

        Raises:
            InputError: the pictures have another size.
        """
        self.eval()
        outputs = [self(images) for images in self._batches(pictures, batch_size)]
        return Detections(
            torch.cat([output.logits.sigmoid() > THRESHOLD for output in outputs]).cpu().numpy(),
            torch.cat([output.coordinates for output in outputs]).cpu().numpy(),
        )

    def _batches(self, pictures: UInt8[np.ndarray, "N S S 3"], batch_size: int) -> Iterable[Tensor]:
        side = self.config.image_size
        if pictures.shape[1:] != (side, side, 3):
            raise InputError(
                f"pictures of shape {pictures.shape[1:]}: this detector needs ({side}, {side}, 3)"
            )
        for start in range(0, len(pictures), batch_size):
            batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch_size]))
            yield to_input(rearrange(batch.to(self.device), "b h w c -> b c h w"))


def load_detector(folder: Path) -> Detector:
    """The detector saved in `folder`, in float32 on the CPU.

    Raises:
        InputError: there is no detector, or its weights don't fit its config.
    """
    if not local_path(folder).is_dir():  # diffusers would look for the name on the hub
        raise InputError(f"{folder}: no such folder")
    check_links(folder)
    with unchanged(folder):
        check_weights(folder, Detector)
        return Detector.from_pretrained(
            folder, torch_dtype=torch.float32, use_safetensors=True, local_files_only=True
        )


def shipped_detector(dialogs: Sequence[Dialog]) -> Path:
    """The folder in data/pretrained of the detector that knows all classes of these dialogs: of those whose
    traits the dialogs tell, the one with the most.

    Raises:
        InputError: there is no such detector, or the dialogs are not annotated.
    """
    told = {trait for d in dialogs for turn in d.turns for obj in turn.objects or () for trait in obj.look}
    shipped = [each for each in _shipped() if each.traits.keys() <= told]
    fit = [each for each in shipped if look_classes(dialogs, each.traits) <= each.classes]
    return _chosen(fit, class_names(dialogs))


def shipped_detector_for(names: Set[str]) -> Path:
    """`shipped_detector` for these classes.

    Raises:
        InputError: there is no such detector, or no class is given.
    """
    return _chosen([each for each in _shipped() if names <= each.classes], names)


class _Shipped(NamedTuple):
    folder: Path
    classes: Set[str]
    traits: Mapping[str, str]


PRETRAINED = Path(cdd_icm.__file__).parents[1] / "data" / "pretrained"


def _shipped() -> Iterable[_Shipped]:
    for file in sorted(PRETRAINED.glob("detector_*/config.json")):
        config = read_json(file)
        yield _Shipped(file.parent, set(config["classes"]), config.get("class_traits") or {})


def _chosen(fit: Sequence[_Shipped], names: Set[str]) -> Path:
    if not names:
        raise InputError(
            "the data has no annotated classes to choose a shipped detector by: give --detector DIR"
        )
    if not fit:
        raise InputError(
            f"{PRETRAINED}: no shipped detector knows the class {min(names)!r} and the data's "
            f"{len(names) - 1} others: give --detector DIR"
        )
    return max(fit, key=lambda each: len(each.traits)).folder


def to_input(pictures: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B 3 S S"]:
    """Converts pixels from 0..255 to [-1, 1], in channels-last memory layout."""
    return to_float(pictures).to(memory_format=torch.channels_last)
