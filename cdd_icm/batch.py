"""From triplets to tensors: one training batch, and the randomness of one training step."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import Config, DiffusionConfig, ObjectiveConfig, PlanConfig
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.retelling import crowded, retell
from cdd_icm.data.triplets import Triplet, collate
from cdd_icm.encoders import compose_text, tokenize
from cdd_icm.errors import InputError
from cdd_icm.planning import drawn_objects, to_look, to_plan

PICTURES = ("reference", "target", "other")


@dataclass
class Scenes:
    """Turns without pictures: what stands, and a text that adds one object, see `imagined`."""

    ids: Int[Tensor, "S Nw"]
    mask: Bool[Tensor, "S Nw"]
    standing: Int[Tensor, "S C"]
    latest: Int[Tensor, " S"]
    """The class of what came last."""
    plan: Int[Tensor, "S C"]
    most: int
    """How many stand where most do."""


@dataclass
class Batch:
    """One training batch. Its pictures are uint8, 0..255, as loader processes make it, and in [-1, 1] once it
    is `on` the device that trains."""

    turns: list[tuple[str, int]]
    """The id of each item's dialog and the number of its turn, from 0."""
    reference: Tensor  # (B, 3, R, R)
    target: Tensor
    other: Tensor
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
    planned: int | None = None
    """How many they are in all."""
    standing: Int[Tensor, "B C"] | None = None
    """The cells of the reference's objects."""
    most: int | None = None
    """How many stand where most do."""
    latest: Int[Tensor, " B"] | None = None
    """The class of the last of those, or -1."""
    shown: Tensor | None = None  # (B, 3, R, R)
    """A picture of the data, see `elsewhere`, where the planner learns to look for what stands."""
    shown_standing: Int[Tensor, "B C"] | None = None
    scenes: Scenes | None = None

    def on(self, device: torch.device) -> Batch:
        """The same batch on `device`, pictures in [-1, 1]."""
        batch = self._each(lambda part: part.to(device, non_blocking=True))
        pictures = {name: to_float(getattr(batch, name)) for name in PICTURES}
        if batch.shown is not None:
            pictures["shown"] = to_float(batch.shown)
        return replace(batch, **pictures)

    def pin_memory(self) -> Batch:
        """The same batch where a GPU fetches it fastest; torch's `DataLoader` asks for that."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with all its tensors changed."""

        def changed(part: Batch | Scenes) -> Batch | Scenes:
            tensors = {name: change(value) for name, value in vars(part).items() if isinstance(value, Tensor)}
            return replace(part, **tensors)

        scenes = None if self.scenes is None else changed(self.scenes)
        return replace(changed(self), scenes=scenes)


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


def imagined(
    scenes: Sequence[Sequence[SceneObject]], rng: np.random.Generator
) -> tuple[list[str], list[SceneObject]]:
    """A dialog that nobody drew: the objects of one of the `scenes` in another order, the first where the
    first of a scene stands and the others where others stand, and what a teller says as each is added. What
    finds no free place in eight tries is left out."""

    def scene() -> Sequence[SceneObject]:
        return scenes[rng.integers(len(scenes))]

    things: list[SceneObject] = []
    for thing in rng.permutation(np.array(scene(), dtype=object)):
        for _ in range(8):
            there = scene()
            there = there[rng.integers(len(there)) if things else 0]
            moved = replace(thing, x=there.x, y=there.y)
            if not crowded(moved, things):
                things.append(moved)
                break
    return [retell([thing], things[:i], rng) for i, thing in enumerate(things)], things


def elsewhere(
    picture: UInt8[Tensor, "3 R R"], things: Sequence[SceneObject], grid: int, rng: np.random.Generator
) -> tuple[UInt8[Tensor, "3 R R"], list[SceneObject]]:
    """A picture and its objects in a mirror or not, and moved by up to an eighth of its side, by whole cells
    of the grid; its edge is drawn out, and what leaves it is left out."""
    if rng.random() < 0.5:
        picture, things = picture.flip(-1), [thing.mirrored() for thing in things]
    most, side = grid // 8, picture.shape[-1]
    cell = side // grid
    right, down = (int(shift) for shift in rng.integers(-most, most + 1, size=2))
    padded = np.pad(picture.numpy(), ((0, 0), (most * cell,) * 2, (most * cell,) * 2), mode="edge")
    top, left = ((most - shift) * cell for shift in (down, right))
    moved = [replace(thing, x=thing.x + right / grid, y=thing.y + down / grid) for thing in things]
    kept = [thing for thing in moved if 0 <= thing.x < 1 and 0 <= thing.y < 1]
    return torch.from_numpy(padded[:, top : top + side, left : left + side].copy()), kept


def mirrored(
    raw: Mapping[str, Tensor | list], pairs: tuple[tuple[str, str], ...]
) -> Mapping[str, Tensor | list]:
    """Half of the samples (by their draws) as a mirror shows them: pictures, objects and words alike."""
    # A bit of the draw that chooses neither the idle samples nor, but for dialogs of hundreds of turns, the
    # negative.
    turned = [bool(draw >> 20 & 1) for draw in raw["draw"]]
    at = torch.tensor(turned)[:, None, None, None]
    out = dict(raw)
    for name in PICTURES:
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


class Collator:
    """What a data loader collates with: triplets -> `Batch`, on the CPU.

    Args:
        classes, traits: those that are planned with. scenes: the objects of pictures, for `imagined`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        config: Config,
        classes: tuple[str, ...] = (),
        traits: Mapping[str, tuple[str, ...]] | None = None,
        scenes: Sequence[Sequence[SceneObject]] = (),
    ):
        self.tokenizer, self.config = tokenizer, config
        self.classes, self.traits, self.scenes = classes, dict(traits or {}), scenes

    def __call__(self, items: Sequence[Triplet]) -> Batch:
        """
        Raises:
            InputError: a turn to be planned has no annotated objects, or one of an unknown class or look.
        """
        config, raw = self.config, collate(items)
        if config.objective.retell:
            raw = retold(raw, config.objective.retell)
        if config.objective.mirror:
            raw = mirrored(raw, config.objective.mirror)
        idle_texts = [idle_text(draw, config.objective) for draw in raw["draw"]]
        idle = torch.tensor([text is not None for text in idle_texts])
        reference = torch.where(idle[:, None, None, None], raw["target"], raw["reference"])
        asked = [
            (instruction, history) if text is None else (text, (*history, instruction))
            for instruction, history, text in zip(raw["instruction"], raw["history"], idle_texts, strict=True)
        ]
        ids, mask = self._tokens(asked)
        null_ids, null_mask = tokenize(self.tokenizer, [""])
        batch = Batch(
            turns=list(zip(raw["dialog"], raw["turn"], strict=True)),
            reference=reference,
            target=raw["target"],
            other=raw["other"],
            ids=ids,
            mask=mask,
            null_ids=null_ids,
            null_mask=null_mask,
            idle=idle,
        )
        if pairs := config.objective.opposites:
            # Only what is asked now becomes false: the history has happened.
            false = [(exchange(instruction, pairs), history) for instruction, history in asked]
            batch.false_ids, batch.false_mask = self._tokens(false)
        if config.plan.grid:
            plans = [
                _plans(raw, i, bool(idle[i]), self.classes, self.traits, config.plan)
                for i in range(len(asked))
            ]
            parts = (torch.stack(part) for part in zip(*plans, strict=True))
            batch.plan, batch.place, batch.look, batch.standing = parts
            batch.planned = int((batch.plan >= 0).sum())
            batch.most = int((batch.standing >= 0).sum(dim=1).max())
        if config.plan.kernels:
            if config.plan.see_weight:
                batch.shown, batch.shown_standing = self._shown(raw)
            batch.latest = torch.tensor(
                [self.classes.index(things[-1].name) if things else -1 for things in raw["before"]]
            )
        if config.objective.scenes:
            batch.scenes = self._scenes(raw["draw"])
        return batch

    def _tokens(
        self, asked: Sequence[tuple[str, Sequence[str]]]
    ) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]:
        """Of instructions, each with its history."""
        encoder = self.config.encoder
        texts = [compose_text(text, past, encoder.history, encoder.speaker) for text, past in asked]
        return tokenize(self.tokenizer, texts)

    def _shown(self, raw: Mapping[str, Tensor | list]) -> tuple[Tensor, Int[Tensor, "B C"]]:
        """The targets `elsewhere`."""
        pictures, standing, grid = [], [], self.config.plan.grid
        for target, things, draw in zip(raw["target"], raw["after"], raw["draw"], strict=True):
            picture, things = elsewhere(target, things, grid, np.random.default_rng((draw, 3)))
            pictures.append(picture)
            standing.append(to_plan(things, self.classes, grid))
        return torch.stack(pictures), torch.stack(standing)

    def _scenes(self, draws: Sequence[int]) -> Scenes:
        """The turns of `objective.scenes` imagined dialogs for each item. Of their first ones, beside which
        nothing stands, the pictures teach enough."""
        asked, standing, latest, plan, most = [], [], [], [], 0
        classes, grid = self.classes, self.config.plan.grid
        for draw in draws:
            for number in range(self.config.objective.scenes):
                texts, things = imagined(self.scenes, np.random.default_rng((draw, 2, number)))
                cells = [to_plan([thing], classes, grid) for thing in things]
                most = max(most, len(things) - 1)
                for i in range(1, len(things)):
                    asked.append((texts[i], texts[:i]))
                    standing.append(torch.stack(cells[:i]).amax(dim=0))
                    latest.append(classes.index(things[i - 1].name))
                    plan.append(cells[i])
        parts = (torch.stack(standing), torch.tensor(latest), torch.stack(plan))
        return Scenes(*self._tokens(asked), *parts, most)


def _plans(
    raw: Mapping[str, Tensor | list],
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
        uniform = torch.empty(n, 3, device=device)
        normal = torch.empty(n, 2, 3, config.data.image_size, config.data.image_size, device=device)
        for i in range(n):
            generator.manual_seed(_seed(config.seed, first + i))
            uniform[i].uniform_(generator=generator)
            normal[i].normal_(generator=generator)
        time, level, drop = uniform.unbind(dim=1)
        noise, reference_noise = normal.unbind(dim=1)
        return cls(
            timestep=draw_timestep(time, config.diffusion),
            noise=noise,
            reference_noise=reference_noise,
            reference_level=level * config.diffusion.reference_noise,
            drop=drop,
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
