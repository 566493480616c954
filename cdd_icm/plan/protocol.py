"""What every kind of plan offers to training and drawing: what a turn draws and where, decided first.

A small diffusion model that must settle what goes where all at once, out of noise, mixes and doubles objects.
With a plan the fused condition says that first, a choice is drawn from its distribution, and the UNet paints
it: p(x | r, m) = sum over plans of p(plan | r, m) p(x | r, m, plan), layout before picture (Hong et al. 2018,
arXiv 1801.05091). Whatever a plan consists of is its own kind's business. The others see tensors only: the
UNet a feature map beside its input, the loss some terms, the pipeline a map and which items stay as they are.

A new kind is a class in a folder of its own and one line in `registry.PLANS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cdd_icm.config import Config, SamplingConfig
from cdd_icm.data.batch import Asked, RawBatch, Tokenize, TruthEncoder
from cdd_icm.data.dialog import Dialog
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.diffusion.region import Balance
from cdd_icm.model.conditioning import Conditions
from cdd_icm.model.fusion import Fused

Terms = dict[str, tuple[Float[Tensor, ""], float]]
"""Terms of the joint loss by name, each with its weight."""


@dataclass(frozen=True)
class Sampled:
    """Plans drawn for B pictures."""

    feature_map: Float[Tensor, "B P h h"]
    """See `Plan.feature_map`."""
    no_op: Bool[Tensor, " B"]
    """Where the plan changes nothing: the reference is returned as it is."""


class Plan(ABC):
    """A kind of plan. A subclass is also a diffusers `ModelMixin` and `ConfigMixin`, and is saved in the
    pipeline's folder as `planner/`.

    Its constructor takes, beside what `settings` returns, `width` and `text_width`: D of the fused tokens and
    E of the pooled text. It is registered by diffusers' `register_to_config`.
    """

    map_channels: int
    """P, the channels of the feature map."""
    map_size: int
    """h, its side: a divisor or a multiple of the UNet's, which is R / patch_size."""

    # From the data to a model that can be trained

    @classmethod
    @abstractmethod
    def settings(cls, config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any]:
        """The constructor's arguments but for the widths, as config and training data have them.

        Raises:
            InputError: the data lack what this kind needs, or a setting does not fit them.
        """

    @classmethod
    def augmentation(cls, config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
        """What the config changes of the triplets before they are encoded, or None. It is asked for where
        nothing is planned, too.

        Raises:
            InputError: the data lack what that needs.
        """
        return None

    def initialise(self, config: Config, dialogs: Sequence[Dialog], progress: bool) -> None:
        """Gives the weights of a new run values that the training data tell, where this kind has such.
        `progress` shows a bar."""
        return None

    def training_heads(self, config: Config, image_width: int) -> nn.ModuleDict:
        """Modules that only `loss` needs; they are trained and checkpointed, but not part of the saved model.
        `image_width`: of the image tower's tokens."""
        return nn.ModuleDict()

    @staticmethod
    def uses_all_parameters(config: Config) -> bool:
        """Whether the loss gives every parameter of the plan a gradient; else several processes must look for
        those without."""
        return True

    def map_parameters(self) -> list[nn.Parameter]:
        """The parameters behind the feature map. The UNet's loss trains them: they are frozen with the UNet,
        and their gradient is bounded with the UNet's."""
        return []

    # Training

    @property
    def balance(self) -> Balance:
        """How the error inside the region that a turn changes is weighed against the rest."""
        return "regions"

    @abstractmethod
    def truth_encoder(self, config: Config, dialogs: Sequence[Dialog], tokenize: Tokenize) -> TruthEncoder:
        """What encodes the true plans in loader processes; it holds no weights."""

    @abstractmethod
    def feature_map(self, truth: TensorFields, items: slice) -> Float[Tensor, "b P h h"]:
        """The true plans of some `items` of a batch, as the UNet sees them. Where there is no text it sees
        zeros in their place."""

    @abstractmethod
    def loss(
        self,
        truth: TensorFields,
        conditions: Conditions,
        reference_noise: Float[Tensor, "B 3 R R"],
        heads: Mapping[str, nn.Module],
        encode_words: Callable[[Int[Tensor, "S Nw"]], Float[Tensor, "S Nw D"]],
        config: Config,
    ) -> Terms:
        """The terms that train the plan, those with a weight only.

        Args:
            truth: from the truth encoder. heads: from `training_heads`.
            reference_noise: noise such as the references get, for pictures of the plan's own.
            encode_words: token ids to the text's own tokens, as in `Fused.words`.
        """

    # Drawing

    @abstractmethod
    def noise(self, generator: torch.Generator | None) -> Tensor:
        """The randomness of one picture's plan, on the generator's device; batches of it are stacked."""

    def context(self, histories: Sequence[Sequence[str]]) -> Asked | None:
        """What must be encoded beside each dialog's newest instruction, with the same reference, or None.
        `histories`: the earlier instructions, oldest first."""
        return None

    @abstractmethod
    def sample(
        self,
        condition: Fused,
        reference: Float[Tensor, "B 3 R R"],
        noise: Float[Tensor, "B ..."],
        settings: SamplingConfig,
        histories: Sequence[Sequence[str]],
        context: Fused | None,
    ) -> Sampled:
        """Draws a plan for each picture.

        Args:
            condition: the fused condition. reference: in [-1, 1]. noise: of `noise`, stacked.
            context: what `context` asked for, encoded and fused.
        """

    @classmethod
    def check_data(cls, saved: Mapping[str, Any], dialogs: Sequence[Dialog]) -> str | None:
        """Why a model with the `saved` constructor arguments can't draw `dialogs`, if it can't: they are of
        another data set. Arguments that are damaged say nothing."""
        return None
