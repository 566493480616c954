"""From triplets to tensors: one training batch, and the randomness of one training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import AnnotatedPlan, Config, ObjectiveConfig
from cdd_icm.data.augment import exchange, mirrored
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.picture import to_float
from cdd_icm.data.triplets import PICTURES, Triplet, collate
from cdd_icm.errors import InputError
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import tokenize
from cdd_icm.plan.annotated.grammars.recaption import retell
from cdd_icm.plan.annotated.synthetic_scenes import elsewhere, imagined
from cdd_icm.plan.annotated.vocabulary import drawn_objects, to_look, to_plan


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
    """The instruction with its antonyms exchanged, where the config names any."""
    false_mask: Bool[Tensor, "B Nw"] | None = None
    plan: Int[Tensor, "B C"] | None = None
    """The cells of the objects that the turn draws: see `vocabulary.to_plan`."""
    place: Int[Tensor, "B C"] | None = None
    """Their places among `plan.places` along a side, which the UNet is told."""
    look: Int[Tensor, "B C K"] | None = None
    """How those objects look: see `vocabulary.to_look`."""
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


def retold(raw: Mapping[str, Tensor | list], share: float) -> Mapping[str, Tensor | list]:
    """The share of the samples (by their draws) whose instruction is told anew, see `grammars.recaption`."""
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


def idle_text(draw: int, objective: ObjectiveConfig) -> str | None:
    """The words with which the sample of this draw asks for nothing, or None where it asks for its turn."""
    share = draw / 2**31
    if share >= objective.no_op_share:
        return None
    texts = objective.no_op_texts
    return texts[int(share / objective.no_op_share * len(texts))]


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
        plan = config.plan if isinstance(config.plan, AnnotatedPlan) else None
        if plan and plan.recaption:
            raw = retold(raw, plan.recaption)
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
        if pairs := config.objective.antonym_negatives:
            # Only what is asked now becomes false: the history has happened.
            false = [(exchange(instruction, pairs), history) for instruction, history in asked]
            batch.false_ids, batch.false_mask = self._tokens(false)
        if plan:
            plans = [
                _plans(raw, i, bool(idle[i]), self.classes, self.traits, plan, config.data.image_size)
                for i in range(len(asked))
            ]
            parts = (torch.stack(part) for part in zip(*plans, strict=True))
            batch.plan, batch.place, batch.look, batch.standing = parts
            batch.planned = int((batch.plan >= 0).sum())
            batch.most = int((batch.standing >= 0).sum(dim=1).max())
        if plan and plan.relational:
            if plan.detection_weight:
                batch.shown, batch.shown_standing = self._shown(raw)
            batch.latest = torch.tensor(
                [self.classes.index(things[-1].name) if things else -1 for things in raw["before"]]
            )
        if plan and plan.relational and plan.relational.synthetic_scenes:
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
        """The turns of `synthetic_scenes` imagined dialogs for each item. Of their first ones, beside which
        nothing stands, the pictures teach enough."""
        asked, standing, latest, plan, most = [], [], [], [], 0
        classes, grid = self.classes, self.config.plan.grid
        for draw in draws:
            for number in range(self.config.plan.relational.synthetic_scenes):
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
    settings: AnnotatedPlan,
    image_size: int,
) -> tuple[Int[Tensor, " C"], Int[Tensor, " C"], Int[Tensor, "C K"], Int[Tensor, " C"]]:
    """What item `i` draws in which cells and at which places, how that looks, and what stands in its
    reference."""
    before, after = raw["before"][i], raw["after"][i]
    try:
        if before is None or after is None:
            raise InputError("objects: not annotated; set plan.kind=none to train without a plan")
        if idle:
            before = after
        drawn = drawn_objects(before, after)
        return (
            to_plan(drawn, classes, settings.grid),
            to_plan(drawn, classes, settings.places(image_size)),
            to_look(drawn, classes, traits),
            to_plan(before, classes, settings.grid),
        )
    except InputError as error:
        raise InputError(f"dialog {raw['dialog'][i]}, turn {raw['turn'][i] + 1}: {error}") from None
