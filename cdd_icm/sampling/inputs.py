"""What a pipeline call takes, checked, and what it returns: pictures to and from tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.utils import BaseOutput
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cdd_icm.config import SamplingConfig
from cdd_icm.data.picture import rgb, to_float, to_square
from cdd_icm.errors import InputError, of_type
from cdd_icm.plan.answer import Answer
from cdd_icm.text import check_texts

OUTPUT_TYPES = ("pil", "np", "pt")

TOLERANCE = 0.01
"""How far values of a tensor may be outside of [0, 1], as may happen by resizing."""

ImageInput = Image.Image | np.ndarray | Tensor
Generators = torch.Generator | list[torch.Generator] | None


@dataclass
class CDDICMOutput(BaseOutput):
    """`images`: one picture for each instruction, in the call's `output_type`. `scores`: the matcher's score
    of each candidate, (B, num_candidates), or None with a single candidate. `answers`: what was understood of
    each instruction; None if the model's plan does not tell."""

    images: list[Image.Image] | np.ndarray | Tensor
    scores: Float[Tensor, "B n"] | None = None
    answers: list[Answer] | None = None


@dataclass(frozen=True)
class TurnInputs:
    """The arguments of a call as lists of the same length."""

    images: Sequence[ImageInput]
    instructions: Sequence[str]
    histories: Sequence[Sequence[str]]
    generator: Generators

    @classmethod
    def of(cls, image: Any, instruction: Any, history: Any, generator: Any) -> TurnInputs:
        """
        Raises:
            InputError: an empty instruction, lists of different lengths, or a wrong type.
        """
        of_type(instruction, (str, list, tuple), "instruction", "text or a list of texts")
        if isinstance(instruction, str):
            instruction, history = [instruction], [history or []]
        inputs = cls(
            image if isinstance(image, list | tuple) else [image],
            instruction,
            history or [[]] * len(instruction),
            list(generator) if isinstance(generator, tuple) else generator,
        )
        inputs._check()
        return inputs

    def _check(self) -> None:
        of_type(self.histories, (list, tuple), "history", "a list")
        if not self.instructions:
            raise InputError("instruction: empty list")
        for position, text in enumerate(self.instructions, 1):
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"instruction: number {position} is {text!r}, expected text")
        for g in self.generator if isinstance(self.generator, list) else [self.generator]:
            if not (g is None or isinstance(g, torch.Generator)):
                raise InputError(f"generator: {g!r}, expected a torch.Generator, or a list of them")
        given = {"image": self.images, "history": self.histories}
        if isinstance(self.generator, list):
            given["generator"] = self.generator
        for name, values in given.items():
            if len(values) != len(self.instructions):
                raise InputError(f"{name}: {len(values)} given for {len(self.instructions)} instructions")
        for position, history in enumerate(self.histories, 1):
            if not isinstance(history, list | tuple) or not all(isinstance(text, str) for text in history):
                raise InputError(
                    f"history: number {position} is {history!r}, expected a list of instructions"
                )
        check_texts(self.instructions, "instruction")
        check_texts(self.histories, "history")


@dataclass(frozen=True)
class StepCallback:
    """diffusers' `callback_on_step_end`; does nothing if `call` is None."""

    call: Callable[[Any, int, int, dict], dict | None] | None
    tensors: tuple[str, ...]

    @classmethod
    def of(cls, call: Any, tensors: tuple[str, ...]) -> StepCallback:
        """
        Raises:
            InputError: it is no function, or requests tensors other than the latents.
        """
        if not (call is None or callable(call)):
            of_type(call, (), "callback_on_step_end", "a function")
        of_type(tensors, (list, tuple), "callback_on_step_end_tensor_inputs", "a list of names")
        if isinstance(call, PipelineCallback | MultiPipelineCallbacks):
            tensors = call.tensor_inputs
        if not set(tensors) <= {"latents"}:
            raise InputError(
                f"callback_on_step_end_tensor_inputs: {tensors!r}, expected ('latents',) or none"
            )
        return cls(call, tuple(tensors))

    def __call__(self, pipeline: DiffusionPipeline, step: int, t: Tensor, latents: Tensor) -> Tensor:
        """Calls the callback and returns the latents, which it may have changed. Raises InputError if it
        returns anything else."""
        if self.call is None:
            return latents
        offered = {"latents": latents}
        returned = self.call(pipeline, step, t, {name: offered[name] for name in self.tensors})
        if returned is None:
            return latents
        of_type(returned, dict, "callback_on_step_end: it returned", "a dict or None")
        changed = returned.get("latents", latents)
        of_type(changed, Tensor, "callback_on_step_end: its latents", "a tensor")
        if changed.shape != latents.shape or not changed.is_floating_point():
            raise InputError(
                f"callback_on_step_end: its latents are {changed.dtype} {tuple(changed.shape)}, expected "
                f"float {tuple(latents.shape)}"
            )
        return changed


NO_CALLBACK = StepCallback(None, ())


def to_reference(image: ImageInput, size: int) -> Float[Tensor, "3 R R"]:
    """Converts a picture, as `CDDICMPipeline.__call__` accepts it, to `size` x `size` pixels in [-1, 1].

    Raises:
        InputError: its type, shape or range is not accepted.
    """
    if isinstance(image, Tensor):
        if image.ndim != 3 or image.shape[0] != 3 or not (image.is_floating_point() and image.numel()):
            raise InputError(
                f"image: a tensor {image.dtype} {tuple(image.shape)}, expected float (3, H, W) in [0, 1]"
            )
        low, high = image.amin().item(), image.amax().item()
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # also rejects NaN
            raise InputError(f"image: a tensor of numbers from {low:.3g} to {high:.3g}, expected [0, 1]")
        image = (image.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise InputError(f"image: an array {image.dtype} {image.shape}, expected uint8 (H, W, 3)")
        image = Image.fromarray(image)
    if not isinstance(image, Image.Image):
        raise InputError(f"image: {type(image).__name__}, expected a PIL image, an array or a tensor")
    return to_float(torch.from_numpy(to_square(rgb(image, "image"), size).copy()).permute(2, 0, 1))


def check_output_type(output_type: str) -> None:
    """Raises InputError if it is not in `OUTPUT_TYPES`."""
    if output_type not in OUTPUT_TYPES:
        raise InputError(f"output_type: {output_type!r}, expected one of {', '.join(OUTPUT_TYPES)}")


def to_output(
    pictures: Float[Tensor, "B 3 R R"], output_type: str
) -> list[Image.Image] | np.ndarray | Tensor:
    """Converts pictures in [-1, 1] to `output_type`."""
    unit = (pictures.cpu() + 1) / 2
    if output_type == "pt":
        return unit
    array = unit.permute(0, 2, 3, 1).numpy()
    if output_type == "np":
        return array
    return [Image.fromarray((picture * 255).round().astype(np.uint8)) for picture in array]


def without_scheduler(settings: SamplingConfig) -> dict[str, Any]:
    """The settings that are arguments of `CDDICMPipeline.__call__`."""
    return {name: value for name, value in vars(settings).items() if name != "scheduler"}
