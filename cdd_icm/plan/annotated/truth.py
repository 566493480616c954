"""Encodes annotated turns as tensors, in the loader processes, for the plan's loss."""

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
from cdd_icm.plan.annotated.synthetic_scenes import synthetic_dialog
from cdd_icm.plan.shared.object_tensors import drawn_objects, to_cells, to_trait_values
from cdd_icm.plan.shared.shifted import shifted


@dataclass
class SyntheticTurns(TensorFields):
    """Turns of synthetic dialogs: the existing objects, and a text that adds one (see `synthetic_dialog`)."""

    ids: Int[Tensor, "S Nw"]
    mask: Bool[Tensor, "S Nw"]
    existing: Int[Tensor, "S C"]
    antecedent: Int[Tensor, " S"]
    """The class of the object that was added in the previous turn."""
    cells: Int[Tensor, "S C"]
    max_existing: int
    """The largest number of existing objects in a turn."""


@dataclass
class AnnotatedTruth(TensorFields):
    """The true plans of a batch, and the objects in its references."""

    cells: Int[Tensor, "B C"]
    """The cell of each class that the turn draws, or -1 (`vocabulary.to_cells`)."""
    places: Int[Tensor, "B C"]
    """Its place in the feature map, whose side is `places_per_cell` times the grid's."""
    existing: Int[Tensor, "B C"]
    """The cell of each class in the reference, or -1."""
    traits: Int[Tensor, "B C K"] | None = None
    """The traits of the drawn objects (`vocabulary.to_trait_values`)."""
    drawn_objects: int | None = None
    """The number of objects that the batch draws; None if unknown."""
    max_existing: int | None = None
    """The largest number of objects in a reference; None if unknown."""
    antecedent: Int[Tensor, " B"] | None = None
    """The class of the last existing object, or -1; for relational placement."""
    shifted: Tensor | None = None  # (B, 3, R, R)
    """The shifted and mirrored target, to train the detector; uint8, and in [-1, 1] after `on`."""
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
        relational: whether to encode antecedents. detects: whether to encode shifted pictures.
        synthetic_dialogs: number of synthetic dialogs per item, with objects of `scenes` and texts of
            `grammar`.
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
                [self.classes.index(objects[-1].name) if objects else -1 for objects in raw["before"]]
            )
        if self.synthetic_dialogs:
            truth.synthetic = self._synthetic(raw["draw"])
        return truth

    def _encoded(
        self, raw: RawBatch, i: int, no_op: bool
    ) -> tuple[Int[Tensor, " C"], Int[Tensor, " C"], Int[Tensor, "C K"], Int[Tensor, " C"]]:
        """Cells, places and traits of the objects that item `i` draws, and the cells of those in its
        reference."""
        before, after = raw["before"][i], raw["after"][i]
        try:
            if before is None or after is None:
                raise InputError("objects: not annotated; set plan.kind=none to train without a plan")
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
        for target, objects, draw in zip(raw["target"], raw["after"], raw["draw"], strict=True):
            picture, objects = shifted(target, objects, self.grid, np.random.default_rng((draw, 3)))
            pictures.append(picture)
            existing.append(to_cells(objects, self.classes, self.grid))
        return torch.stack(pictures), torch.stack(existing)

    def _synthetic(self, draws: Sequence[int]) -> SyntheticTurns:
        """Turns of synthetic dialogs, without the first ones, whose placement does not depend on other
        objects."""
        instructions, existing, antecedent, new, max_existing = [], [], [], [], 0
        for draw in draws:
            for number in range(self.synthetic_dialogs):
                rng = np.random.default_rng((draw, 2, number))
                texts, objects = synthetic_dialog(self.scenes, self.grammar, rng)
                cells = [to_cells([obj], self.classes, self.grid) for obj in objects]
                max_existing = max(max_existing, len(objects) - 1)
                for i in range(1, len(objects)):
                    instructions.append((texts[i], texts[:i]))
                    existing.append(torch.stack(cells[:i]).amax(dim=0))
                    antecedent.append(self.classes.index(objects[i - 1].name))
                    new.append(cells[i])
        parts = (torch.stack(existing), torch.tensor(antecedent), torch.stack(new))
        return SyntheticTurns(*self.tokenize(instructions), *parts, max_existing)


@dataclass(frozen=True)
class Recaption:
    """Replaces a random share of the instructions with texts that `grammar` writes from the annotation."""

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
