"""The kinds of plan: the one place where each is named."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from cdd_icm.config import Config
from cdd_icm.data.batch import RawBatch
from cdd_icm.data.dialog import Dialog
from cdd_icm.errors import InputError
from cdd_icm.plan.annotated.plan import AnnotatedPlan
from cdd_icm.plan.protocol import Plan

PLANS: dict[str, type[Plan]] = {
    "annotated": AnnotatedPlan,
}
"""By `plan.kind` of the config."""


def plan_kind(config: Config) -> type[Plan]:
    """The kind that the config names.

    Raises:
        InputError: there is none of that name; the nearest is named.
    """
    kind = config.plan.kind
    if kind not in PLANS:
        near = difflib.get_close_matches(kind, PLANS, n=1, cutoff=0.0)[0]
        raise InputError(f"plan.kind is {kind!r}; the nearest is {near}")
    return PLANS[kind]


def plan_settings(config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any] | None:
    """`Plan.settings` of the kind that the config names, or None where nothing is planned."""
    return plan_kind(config).settings(config, dialogs) if config.plan.grid else None


def augmentation(config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
    """`Plan.augmentation` of the kind that the config names."""
    return plan_kind(config).augmentation(config, dialogs)


def saved_kind(entry: Any) -> type[Plan] | None:
    """The kind that a pipeline folder's `model_index.json` names as [module, class], or None."""
    return next((kind for kind in PLANS.values() if entry == [kind.__module__, kind.__name__]), None)
