"""From triplets to tensors: one training batch, and the randomness of one training step."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import Config, DiffusionConfig
from cdd_icm.encoders import compose_text, tokenize


@dataclass
class Batch:
    """One training batch; pictures in [-1, 1]."""

    reference: Float[Tensor, "B 3 R R"]
    target: Float[Tensor, "B 3 R R"]
    other: Float[Tensor, "B 3 R R"]
    """Another turn of the same dialog: a hard negative."""
    ids: Int[Tensor, "B Nw"]
    mask: Bool[Tensor, "B Nw"]
    null_ids: Int[Tensor, "1 Nw"]
    """The empty text."""
    null_mask: Bool[Tensor, "1 Nw"]
    false_ids: Int[Tensor, "B Nw"] | None = None
    """The instruction with its opposites exchanged, where the config names any."""
    false_mask: Bool[Tensor, "B Nw"] | None = None


def to_float(pictures: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def exchange(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Every word (or phrase) of a pair becomes the other one: "on the left" -> "on the right"."""
    partner = {a.lower(): b for pair in pairs for a, b in (pair, pair[::-1])}
    if not partner:
        return text
    longest_first = sorted(partner, key=len, reverse=True)
    pattern = r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b"
    return re.sub(pattern, lambda m: partner[m[0].lower()], text, flags=re.IGNORECASE)


def make_batch(
    raw: dict[str, Tensor | list], tokenizer: PreTrainedTokenizerBase, config: Config, device: torch.device
) -> Batch:
    """Tensors on `device` from what `data.collate` gives."""
    turns, pairs = config.encoder.history, config.objective.opposites
    asked = list(zip(raw["instruction"], raw["history"], strict=True))
    texts = [compose_text(instruction, history, turns) for instruction, history in asked]
    ids, mask = tokenize(tokenizer, texts)
    null_ids, null_mask = tokenize(tokenizer, [""])
    tensors = {"ids": ids, "mask": mask, "null_ids": null_ids, "null_mask": null_mask}
    if pairs:
        # Only what is asked now becomes false: the history has happened.
        false = [compose_text(exchange(instruction, pairs), history, turns) for instruction, history in asked]
        tensors["false_ids"], tensors["false_mask"] = tokenize(tokenizer, false)
    pictures = {name: raw[name].to(device, non_blocking=True) for name in ("reference", "target", "other")}
    return Batch(
        **{name: to_float(picture) for name, picture in pictures.items()},
        **{name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()},
    )


@dataclass
class Draws:
    """The randomness of one batch, made outside the model: sample number i of a run gets the same draws in
    whatever process, batch or micro-batch it is seen."""

    timestep: Int[Tensor, " B"]
    noise: Float[Tensor, "B 3 R R"]
    reference_noise: Float[Tensor, "B 3 R R"]
    reference_level: Float[Tensor, " B"]
    """Standard deviation of the reference's noise."""
    drop: Float[Tensor, " B"]
    """Uniform in [0, 1): which condition is dropped."""

    @classmethod
    def make(cls, config: Config, first: int, n: int, device: torch.device) -> Draws:
        """The draws of samples `first`, ..., `first + n - 1` of the run, counted over all processes."""
        generator = torch.Generator(device)
        items = [_draw(config, generator.manual_seed(_seed(config.seed, i))) for i in range(first, first + n)]
        return cls(*(torch.stack(parts) for parts in zip(*items, strict=True)))


def _draw(config: Config, generator: torch.Generator) -> tuple[Tensor, ...]:
    """The fields of `Draws` for one sample."""
    at = {"generator": generator, "device": generator.device}
    picture = (3, config.data.image_size, config.data.image_size)
    return (
        draw_timestep(torch.rand((), **at), config.diffusion),
        torch.randn(picture, **at),
        torch.randn(picture, **at),
        torch.rand((), **at) * config.diffusion.reference_noise,
        torch.rand((), **at),
    )


def draw_timestep(u: Float[Tensor, "*"], diffusion: DiffusionConfig) -> Int[Tensor, "*"]:
    """A timestep 0..T-1 from u, uniform in [0, 1): T s u / (1 + (s - 1) u) with s = `timestep_shift` (Esser
    et al. 2024, arXiv 2403.03206). With s > 1 the noisy end, where the words decide, is seen more often."""
    s = diffusion.timestep_shift
    t = (diffusion.num_train_timesteps * s * u / (1 + (s - 1) * u)).long()
    return t.clamp(max=diffusion.num_train_timesteps - 1)


def _seed(seed: int, sample: int) -> int:
    """Seeds that have nothing to do with each other, for generators that like their seeds well mixed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{sample}".encode()).digest()[:7], "big")
