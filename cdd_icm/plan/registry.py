"""The registry of the kinds of plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cdd_icm.config import Config
from cdd_icm.data.batch import RawBatch
from cdd_icm.data.dialog import Dialog
from cdd_icm.plan.annotated.plan import AnnotatedPlan
from cdd_icm.plan.edits.plan import EditPlan
from cdd_icm.plan.pieces.plan import PiecePlan
from cdd_icm.plan.protocol import Plan

PLANS: dict[str, type[Plan]] = {
    "annotated": AnnotatedPlan,
    "relational": AnnotatedPlan,
    "edits": EditPlan,
    "pieces": PiecePlan,
}
"""The class of each `plan.kind`; its settings are in the config's section `plan`."""


def plan_kind(config: Config) -> type[Plan] | None:
    """The class of the config's `plan.kind`, or None without a plan."""
    return PLANS.get(config.plan.kind)


def plan_settings(config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any] | None:
    """`Plan.settings` of the config's kind of plan, or None without a plan."""
    kind = plan_kind(config)
    return kind.settings(config, dialogs) if kind else None


def augmentation(config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
    """`Plan.augmentation` of the config's kind of plan, or None without a plan."""
    kind = plan_kind(config)
    return kind.augmentation(config, dialogs) if kind else None


def saved_kind(entry: Any) -> type[Plan] | None:
    """The class for an entry [module, class] of a pipeline folder's `model_index.json`, or None."""
    return next((kind for kind in PLANS.values() if entry == [kind.__module__, kind.__name__]), None)
