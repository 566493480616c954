"""Annotated turns as tensors: what the loader processes make for the plan's loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cdd_icm.data.batch import RawBatch, Tokenize
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.picture import to_float
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.errors import InputError
from cdd_icm.plan.annotated.grammars.registry import Grammar
from cdd_icm.plan.annotated.synthetic_scenes import shifted, synthetic_dialog
from cdd_icm.plan.annotated.vocabulary import drawn_objects, to_cells, to_trait_values


@dataclass
class SyntheticTurns(TensorFields):
    """Turns without pictures: the existing objects, and a text that adds one (`synthetic_dialog`)."""

    ids: Int[Tensor, "S Nw"]
    mask: Bool[Tensor, "S Nw"]
    existing: Int[Tensor, "S C"]
    antecedent: Int[Tensor, " S"]
    """The class of the object that was added last."""
    cells: Int[Tensor, "S C"]
    max_existing: int
    """How many exist in the fullest scene."""


@dataclass
class AnnotatedTruth(TensorFields):
    """The true plans of a batch, and the objects in its references."""

    cells: Int[Tensor, "B C"]
    """The cell of each object that the turn draws (`vocabulary.to_cells`)."""
    places: Int[Tensor, "B C"]
    """Its place among `plan.fine` times as many along a side, for the feature map."""
    existing: Int[Tensor, "B C"]
    """The cell of each object in the reference."""
    traits: Int[Tensor, "B C K"] | None = None
    """How the drawn objects look (`vocabulary.to_trait_values`)."""
    drawn_objects: int | None = None
    """How many the batch draws in all; None where that was not counted, here and below."""
    max_existing: int | None = None
    """How many exist in the fullest reference."""
    antecedent: Int[Tensor, " B"] | None = None
    """The class of the last existing object, or -1; for placement beside existing objects."""
    shifted: Tensor | None = None  # (B, 3, R, R)
    """The target, shifted and mirrored, to train the detector; in [-1, 1] once it is `on` a device."""
    shifted_existing: Int[Tensor, "B C"] | None = None
    synthetic: SyntheticTurns | None = None

    def on(self, device: torch.device) -> AnnotatedTruth:
        truth = super().on(device)
        return truth if truth.shifted is None else replace(truth, shifted=to_float(truth.shifted))


@dataclass(frozen=True)
class AnnotatedTruthEncoder:
    """Encodes annotated triplets.

    Args:
        grid, places_per_cell, moved_distance: see `AnnotatedPlan` and `Tuning`.
        relational: whether antecedents are encoded. detects: whether shifted pictures are.
        scenes: the objects of pictures, for synthetic dialogs; so many (`synthetic_dialogs`) for each item,
            in the words of `grammar`.
    """

    classes: Sequence[str]
    traits: Mapping[str, Sequence[str]]
    grid: int
    places_per_cell: int
    moved_distance: float
    tokenize: Tokenize
    relational: bool = False
    detects: bool = False
    synthetic_dialogs: int = 0
    scenes: Sequence[Sequence[SceneObject]] = ()
    grammar: Grammar | None = None

    def __call__(self, raw: RawBatch, no_op: Sequence[bool]) -> AnnotatedTruth:
        """
        Raises:
            InputError: a turn has no annotated objects, or one of an unknown class or look.
        """
        items = [self._encoded(raw, i, no_op[i]) for i in range(len(no_op))]
        cells, places, traits, existing = (torch.stack(part) for part in zip(*items, strict=True))
        truth = AnnotatedTruth(
            cells,
            places,
            existing,
            traits,
            drawn_objects=int((cells >= 0).sum()),
            max_existing=int((existing >= 0).sum(dim=1).max()),
        )
        if self.detects:
            truth.shifted, truth.shifted_existing = self._shifted(raw)
        if self.relational:
            truth.antecedent = torch.tensor(
                [self.classes.index(things[-1].name) if things else -1 for things in raw["before"]]
            )
        if self.synthetic_dialogs:
            truth.synthetic = self._synthetic(raw["draw"])
        return truth

    def _encoded(
        self, raw: RawBatch, i: int, no_op: bool
    ) -> tuple[Int[Tensor, " C"], Int[Tensor, " C"], Int[Tensor, "C K"], Int[Tensor, " C"]]:
        """Cells, places and traits of what item `i` draws, and the cells of what exists in its reference."""
        before, after = raw["before"][i], raw["after"][i]
        try:
            if before is None or after is None:
                raise InputError("objects: not annotated; set plan.grid=0 to train without a plan")
            if no_op:
                before = after
            drawn = drawn_objects(before, after, self.moved_distance)
            return (
                to_cells(drawn, self.classes, self.grid),
                to_cells(drawn, self.classes, self.grid * self.places_per_cell),
                to_trait_values(drawn, self.classes, self.traits),
                to_cells(before, self.classes, self.grid),
            )
        except InputError as error:
            raise InputError(f"dialog {raw['dialog'][i]}, turn {raw['turn'][i] + 1}: {error}") from None

    def _shifted(self, raw: RawBatch) -> tuple[Tensor, Int[Tensor, "B C"]]:
        pictures, existing = [], []
        for target, things, draw in zip(raw["target"], raw["after"], raw["draw"], strict=True):
            picture, things = shifted(target, things, self.grid, np.random.default_rng((draw, 3)))
            pictures.append(picture)
            existing.append(to_cells(things, self.classes, self.grid))
        return torch.stack(pictures), torch.stack(existing)

    def _synthetic(self, draws: Sequence[int]) -> SyntheticTurns:
        """Without the first turns, before which nothing exists: of those the pictures teach enough."""
        asked, existing, antecedent, new, max_existing = [], [], [], [], 0
        for draw in draws:
            for number in range(self.synthetic_dialogs):
                rng = np.random.default_rng((draw, 2, number))
                texts, things = synthetic_dialog(self.scenes, self.grammar, rng)
                cells = [to_cells([obj], self.classes, self.grid) for obj in things]
                max_existing = max(max_existing, len(things) - 1)
                for i in range(1, len(things)):
                    asked.append((texts[i], texts[:i]))
                    existing.append(torch.stack(cells[:i]).amax(dim=0))
                    antecedent.append(self.classes.index(things[i - 1].name))
                    new.append(cells[i])
        parts = (torch.stack(existing), torch.tensor(antecedent), torch.stack(new))
        return SyntheticTurns(*self.tokenize(asked), *parts, max_existing)


@dataclass(frozen=True)
class Recaption:
    """Writes a share of the instructions anew from the annotation, by the samples' draws."""

    share: float
    grammar: Grammar
    moved_distance: float

    def __call__(self, raw: RawBatch) -> RawBatch:
        texts = []
        for text, before, after, draw in zip(
            *(raw[name] for name in ("instruction", "before", "after", "draw")), strict=True
        ):
            rng = np.random.default_rng((draw, 1))
            if before is not None and after is not None and rng.random() < self.share:
                drawn = drawn_objects(before, after, self.moved_distance)
                text = self.grammar.write(drawn, before, rng) if drawn else text
            texts.append(text)
        return {**raw, "instruction": texts}
