"""The interface of a plan, which decides what a turn draws and where before the UNet draws it.

A small diffusion model that decides the layout while it denoises mixes up and duplicates objects. With a plan
the layout is sampled first, from a distribution predicted from the fused condition, and the UNet is
conditioned on it: p(x | r, m) = sum over plans of p(plan | r, m) p(x | r, m, plan), as in layout-to-image
generation (Hong et al. 2018, arXiv 1801.05091). The content of a plan is private to its kind. All other
modules see tensors only: the UNet a feature map beside its input, the loss weighted terms, the pipeline a map
and which items do not change.

A new kind of plan is a class in a folder of its own and one line in `registry.PLANS`.
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
from cdd_icm.data.batch import Instructions, RawBatch, Tokenize, TruthEncoder
from cdd_icm.data.dialog import Dialog
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.diffusion.region import Balance
from cdd_icm.model.conditioning import Conditions
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.answer import Answer

Terms = dict[str, tuple[Float[Tensor, ""], float]]
"""Terms of the joint loss by name, each with its value and weight."""


@dataclass(frozen=True)
class SampledPlans:
    """The sampled plans of B pictures."""

    feature_map: Float[Tensor, "B P h h"]
    """See `Plan.feature_map`."""
    no_op: Bool[Tensor, " B"]
    """Items whose plan changes nothing; their reference is returned unchanged."""
    texts: list[str] | None = None
    """The plans in words, which the UNet sees in place of the instructions; None if it sees these."""
    answers: Sequence[Answer] | None = None
    """What was understood of each instruction; None if the kind of plan does not tell."""
    later: Sequence[SampledPlans] = ()
    """What is drawn afterwards, each upon the pictures of the ones before, with `texts`; `no_op` are items
    that are finished."""

    def answers_of_best(self, scores: Float[Tensor, "b n"] | None) -> list[Answer] | None:
        """The answers to b instructions, each with the highest-scored of its n candidates; None for one."""
        if self.answers is None or scores is None:
            return None if self.answers is None else list(self.answers)
        n = scores.shape[1]
        return [self.answers[i * n + best] for i, best in enumerate(scores.argmax(dim=1).tolist())]


class Plan(ABC):
    """The base class of plans. A subclass is also a diffusers `ModelMixin` and `ConfigMixin`, and is saved as
    `planner/` in the pipeline's folder.

    Its constructor is decorated with diffusers' `register_to_config`. It takes the entries of `settings`, and
    `width` and `text_width`: D of the fused tokens and E of the pooled text.
    """

    map_channels: int
    """P, the channels of the feature map."""
    map_size: int
    """h, the side of the feature map: a divisor or a multiple of R / patch_size, the UNet's own side."""

    # Setup

    @classmethod
    @abstractmethod
    def settings(cls, config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any]:
        """The constructor's arguments except the widths, from the config and the training data.

        Raises:
            InputError: the data lacks what this kind needs, or does not fit a setting.
        """

    @classmethod
    def augmentation(cls, config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
        """A function that changes triplets before they are encoded, or None.

        Raises:
            InputError: the data lacks what the augmentation needs.
        """
        return None

    def initialise(self, config: Config, dialogs: Sequence[Dialog], progress: bool) -> None:
        """Initialises weights of a new run from the training data, if this kind does so; `progress` shows a
        bar."""
        return None

    def training_heads(self, config: Config, image_width: int) -> nn.ModuleDict:
        """Modules for `loss` only: they are trained and checkpointed but not saved with the model.

        Args:
            image_width: width of the image tower's tokens.
        """
        return nn.ModuleDict()

    def map_parameters(self) -> list[nn.Parameter]:
        """The parameters that make the feature map. They are trained by the UNet's loss, frozen with the
        UNet, and clipped together with it."""
        return []

    # Training

    def reworded(self, truth: TensorFields) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]] | None:
        """Token ids and mask of the true plans in the plan's own words, which the UNet sees in place of the
        instructions; None if it sees these."""
        return None

    @property
    def balance(self) -> Balance:
        """How the error inside the region that a turn changes is weighed against the rest."""
        return "regions"

    @abstractmethod
    def truth_encoder(self, config: Config, dialogs: Sequence[Dialog], tokenize: Tokenize) -> TruthEncoder:
        """The encoder of true plans for the loader processes; it has no weights."""

    @abstractmethod
    def feature_map(self, truth: TensorFields, items: slice) -> Float[Tensor, "b P h h"]:
        """The true plans of the selected `items` as the UNet's input. The caller zeroes items without
        text."""

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
        """The loss terms of the plan that have a weight.

        Args:
            truth: true plans from the truth encoder. heads: from `training_heads`.
            reference_noise: noise like that on the references, for further pictures that the plan encodes.
            encode_words: from token ids to the text's tokens before fusion, as in `Fused.words`.
        """

    # Sampling

    @abstractmethod
    def noise(self, generator: torch.Generator | None) -> Tensor:
        """The random numbers for one picture's plan, on the generator's device; the caller stacks them."""

    def context(self, histories: Sequence[Sequence[str]]) -> Instructions | None:
        """Further texts to encode with each dialog's reference, or None.

        Args:
            histories: the earlier instructions of each dialog, oldest first.
        """
        return None

    @abstractmethod
    def sample(
        self,
        condition: Fused,
        reference: Float[Tensor, "B 3 R R"],
        noise: Float[Tensor, "B ..."],
        settings: SamplingConfig,
        instructions: Sequence[str],
        histories: Sequence[Sequence[str]],
        context: Fused | None,
    ) -> SampledPlans:
        """Samples a plan for each picture.

        Args:
            condition: the fused condition. reference: in [-1, 1]. noise: from `noise`, stacked.
            instructions, histories: what each dialog asks for now, and has asked for, oldest first.
            context: the texts of `context`, encoded and fused with the reference.
        """

    @classmethod
    def check_data(cls, saved: Mapping[str, Any], dialogs: Sequence[Dialog]) -> str | None:
        """The reason why `dialogs` are not of the data set that a model with the `saved` constructor
        arguments draws, or None. Damaged arguments give None."""
        return None
