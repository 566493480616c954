"""Distances between the distributions of true and generated pictures, computed by torch-fidelity.

With Inception weights these are FID (Heusel et al. 2017) and KID (Binkowski et al. 2018). The weights are
torch-fidelity's own, as safetensors: `safetensors.torch.save_file(torch.load(FILE, weights_only=True), OUT)`.
Without them the same distances on the detector's features are called detector-fd and detector-kd. They can
rank models on the detector's own data set, but can't be compared with published FIDs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch_fidelity
from einops import rearrange
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import load_detector, to_input
from cdd_icm.io import load_tensors
from cdd_icm.sources import local_path

EXTRACTOR = "cdd-icm-detector"
HUB = "hf://"


def fidelity(
    true: UInt8[np.ndarray, "N S S 3"],
    generated: UInt8[np.ndarray, "M S S 3"],
    detector: Path,
    inception: bytes | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """{"fid", "kid", "kid_std"} if `inception` weights are given, else {"detector-fd", "detector-kd",
    "detector-kd_std"} with the features of the detector in the folder `detector`. Lower is better.

    Args:
        inception: from `inception_weights`. seed: of KID's random subsets.

    Raises:
        InputError: fewer than two true or generated pictures, whose covariance is undefined.
    """
    if min(len(true), len(generated)) < 2:
        raise InputError("distances between sets of pictures need at least two pictures: use more dialogs")
    options = {
        "input1": PictureDataset(generated),
        "input2": PictureDataset(true),
        "fid": True,
        "kid": True,
        "kid_subset_size": min(1000, max(2, min(len(true), len(generated)) // 2)),
        "rng_seed": seed,
        "cuda": torch.cuda.is_available(),
        "save_cpu_ram": True,  # no loader processes: the pictures are in memory
        "verbose": False,
    }
    if inception is None:
        names = ("detector-fd", "detector-kd", "detector-kd_std")
        options |= {"feature_extractor": EXTRACTOR, "feature_extractor_weights_path": str(detector)}
    else:
        names = ("fid", "kid", "kid_std")
        options["feature_extractor_weights_path"] = io.BytesIO(inception)
    distances = torch_fidelity.calculate_metrics(**options)
    keys = (
        torch_fidelity.KEY_METRIC_FID,
        torch_fidelity.KEY_METRIC_KID_MEAN,
        torch_fidelity.KEY_METRIC_KID_STD,
    )
    return {name: float(distances[key]) for name, key in zip(names, keys, strict=True)}


def inception_weights(source: str) -> bytes:
    """The weights of torch-fidelity's Inception-v3, from a safetensors file or "hf://OWNER/REPOSITORY/FILE".

    torch-fidelity unpickles its weights, so a pickle is made here from the tensors of the safetensors file.

    Raises:
        InputError: the file can't be read or downloaded, or has weights of another network.
    """
    path = _from_hub(source) if source.startswith(HUB) else local_path(source)
    buffer = io.BytesIO()
    torch.save(load_tensors(path), buffer)
    try:
        FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=io.BytesIO(buffer.getvalue())
        )
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source}: not torch-fidelity's Inception-v3 ({reason})") from error
    return buffer.getvalue()


def _from_hub(source: str) -> Path:
    owner, repository, file = (*source.removeprefix(HUB).split("/", 2), "", "")[:3]
    if not file:
        raise InputError(f"{source}: expected {HUB}OWNER/REPOSITORY/FILE")
    try:
        return Path(hf_hub_download(f"{owner}/{repository}", file))
    except (OSError, ValueError, HfHubHTTPError) as error:  # no network, no such file, not allowed
        raise InputError(f"{source}: can't be downloaded ({str(error).splitlines()[0]})") from error


class PictureDataset(Dataset):
    """Pictures in memory as a dataset for torch-fidelity."""

    def __init__(self, pictures: UInt8[np.ndarray, "N S S 3"]):
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> UInt8[Tensor, "3 S S"]:
        return torch.from_numpy(rearrange(self.pictures[index], "h w c -> c h w").copy())


class DetectorFeatures(FeatureExtractorBase):
    """The detector's features as a torch-fidelity feature extractor."""

    def __init__(
        self, name: str, features_list: Sequence[str], feature_extractor_weights_path: str, **_: object
    ):
        super().__init__(name, features_list)
        self.detector = load_detector(Path(feature_extractor_weights_path))

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("trunk",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "trunk"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, pictures: UInt8[Tensor, "B 3 S S"]) -> tuple[Float[Tensor, "B F"]]:
        return (self.detector(to_input(pictures)).features.double(),)


if EXTRACTOR not in FEATURE_EXTRACTORS_REGISTRY:  # already registered if the module is reloaded
    torch_fidelity.register_feature_extractor(EXTRACTOR, DetectorFeatures)
