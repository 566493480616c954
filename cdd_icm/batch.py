"""From triplets to tensors: one training batch, and the randomness of one training step."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import Config, DiffusionConfig, ObjectiveConfig, PlanConfig
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.retelling import retell
from cdd_icm.encoders import compose_text, tokenize
from cdd_icm.errors import InputError
from cdd_icm.planning import drawn_objects, to_look, to_plan


@dataclass
class Scenes:
    """Scenes without pictures: what stands, and a text that adds one object, see `imagined`."""

    ids: Int[Tensor, "S Nw"]
    mask: Bool[Tensor, "S Nw"]
    standing: Int[Tensor, "S C"]
    plan: Int[Tensor, "S C"]


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
    idle: Bool[Tensor, " B"]
    """Where the text asks for nothing."""
    false_ids: Int[Tensor, "B Nw"] | None = None
    """The instruction with its opposites exchanged, where the config names any."""
    false_mask: Bool[Tensor, "B Nw"] | None = None
    plan: Int[Tensor, "B C"] | None = None
    """The cells of the objects that the turn draws: see `planning.to_plan`."""
    place: Int[Tensor, "B C"] | None = None
    """Their places among `plan.fine` times as many along a side, which the UNet is told."""
    look: Int[Tensor, "B C K"] | None = None
    """How those objects look: see `planning.to_look`."""
    standing: Int[Tensor, "B C"] | None = None
    """The cells of the reference's objects."""
    scenes: Scenes | None = None


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


def retold(raw: Mapping[str, Tensor | list], share: float) -> Mapping[str, Tensor | list]:
    """The share of the samples (by their draws) whose instruction is told anew, see `data.retelling`."""
    texts = []
    for text, before, after, draw in zip(
        *(raw[k] for k in ("instruction", "before", "after", "draw")), strict=True
    ):
        rng = np.random.default_rng((draw, 1))
        if before is not None and after is not None and rng.random() < share:
            drawn = drawn_objects(before, after)
            text = retell(drawn, before, rng) if drawn else text
        texts.append(text)
    return {**raw, "instruction": texts}


def imagined(objects: Sequence[SceneObject], rng: np.random.Generator) -> tuple[list[str], list[SceneObject]]:
    """The objects in another order, and what a teller says as each is added."""
    things = [objects[i] for i in rng.permutation(len(objects))]
    return [retell([thing], things[:i], rng) for i, thing in enumerate(things)], things


def mirrored(
    raw: Mapping[str, Tensor | list], pairs: tuple[tuple[str, str], ...]
) -> Mapping[str, Tensor | list]:
    """Half of the samples (by their draws) as a mirror shows them: pictures, objects and words alike."""
    # A bit of the draw that chooses neither the idle samples nor, but for dialogs of hundreds of turns, the
    # negative.
    turned = [bool(draw >> 20 & 1) for draw in raw["draw"]]
    at = torch.tensor(turned)[:, None, None, None]
    out = dict(raw)
    for name in ("reference", "target", "other"):
        out[name] = torch.where(at, raw[name].flip(-1), raw[name])
    for name, mirror in (
        ("before", _mirrored_objects),
        ("after", _mirrored_objects),
        ("instruction", lambda text: exchange(text, pairs)),
        ("history", lambda texts: tuple(exchange(text, pairs) for text in texts)),
    ):
        out[name] = [mirror(part) if turn else part for part, turn in zip(raw[name], turned, strict=True)]
    return out


def _mirrored_objects(objects: Sequence[SceneObject] | None) -> tuple[SceneObject, ...] | None:
    return objects if objects is None else tuple(thing.mirrored() for thing in objects)


def idle_text(draw: int, objective: ObjectiveConfig) -> str | None:
    """The words with which the sample of this draw asks for nothing, or None where it asks for its turn."""
    share = draw / 2**31
    if share >= objective.idle_share:
        return None
    texts = objective.idle_texts
    return texts[int(share / objective.idle_share * len(texts))]


def make_batch(
    raw: dict[str, Tensor | list],
    tokenizer: PreTrainedTokenizerBase,
    config: Config,
    device: torch.device,
    classes: tuple[str, ...] = (),
    traits: Mapping[str, tuple[str, ...]] | None = None,
) -> Batch:
    """Tensors on `device` from what `data.collate` gives. `classes` and `traits` are those that are planned
    with.

    Raises:
        InputError: a turn to be planned has no annotated objects, or one of an unknown class or look.
    """
    if config.objective.retell:
        raw = retold(raw, config.objective.retell)
    if config.objective.mirror:
        raw = mirrored(raw, config.objective.mirror)
    pairs, pictures = config.objective.opposites, {n: raw[n] for n in ("reference", "target", "other")}
    idle_texts = [idle_text(draw, config.objective) for draw in raw["draw"]]
    idle = torch.tensor([text is not None for text in idle_texts])
    pictures["reference"] = torch.where(idle[:, None, None, None], raw["target"], raw["reference"])
    asked = [
        (instruction, history) if text is None else (text, (*history, instruction))
        for instruction, history, text in zip(raw["instruction"], raw["history"], idle_texts, strict=True)
    ]
    texts = [compose_text(instruction, history, config.encoder.history) for instruction, history in asked]
    ids, mask = tokenize(tokenizer, texts)
    null_ids, null_mask = tokenize(tokenizer, [""])
    tensors = {"ids": ids, "mask": mask, "null_ids": null_ids, "null_mask": null_mask, "idle": idle}
    if pairs:
        # Only what is asked now becomes false: the history has happened.
        false = [
            compose_text(exchange(instruction, pairs), history, config.encoder.history)
            for instruction, history in asked
        ]
        tensors["false_ids"], tensors["false_mask"] = tokenize(tokenizer, false)
    if config.plan.grid:
        plans = [_plans(raw, i, bool(idle[i]), classes, traits or {}, config.plan) for i in range(len(texts))]
        parts = (torch.stack(part) for part in zip(*plans, strict=True))
        tensors["plan"], tensors["place"], tensors["look"], tensors["standing"] = parts
    scenes = None
    if config.objective.scenes:
        scenes = _scenes(raw, tokenizer, config, classes)
        scenes = Scenes(**{name: part.to(device, non_blocking=True) for name, part in vars(scenes).items()})
    return Batch(
        **{name: to_float(part.to(device, non_blocking=True)) for name, part in pictures.items()},
        **{name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()},
        scenes=scenes,
    )


def _scenes(
    raw: Mapping[str, Tensor | list],
    tokenizer: PreTrainedTokenizerBase,
    config: Config,
    classes: tuple[str, ...],
) -> Scenes:
    """`objective.scenes` of each item, made of what its target shows."""
    texts, standing, plan = [], [], []
    for objects, draw in zip(raw["after"], raw["draw"], strict=True):
        for number in range(config.objective.scenes):
            said, things = imagined(objects, np.random.default_rng((draw, 2, number)))
            texts.append(compose_text(said[-1], said[:-1], config.encoder.history))
            standing.append(to_plan(things[:-1], classes, config.plan.grid))
            plan.append(to_plan(things[-1:], classes, config.plan.grid))
    return Scenes(*tokenize(tokenizer, texts), torch.stack(standing), torch.stack(plan))


def _plans(
    raw: dict[str, Tensor | list],
    i: int,
    idle: bool,
    classes: tuple[str, ...],
    traits: Mapping[str, tuple[str, ...]],
    settings: PlanConfig,
) -> tuple[Int[Tensor, " C"], Int[Tensor, " C"], Int[Tensor, "C K"], Int[Tensor, " C"]]:
    """What item `i` draws in which cells and at which places, how that looks, and what stands in its
    reference."""
    before, after = raw["before"][i], raw["after"][i]
    try:
        if before is None or after is None:
            raise InputError("objects: not annotated; set plan.grid=0 to train without a plan")
        if idle:
            before = after
        drawn = drawn_objects(before, after)
        return (
            to_plan(drawn, classes, settings.grid),
            to_plan(drawn, classes, settings.grid * settings.fine),
            to_look(drawn, classes, traits),
            to_plan(before, classes, settings.grid),
        )
    except InputError as error:
        raise InputError(f"dialog {raw['dialog'][i]}, turn {raw['turn'][i] + 1}: {error}") from None


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
