"""Whether dialogs are of the data set that a model draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cdd_icm.data.dialog import Dialog, class_names


def unknown_classes(saved: Mapping[str, Any], dialogs: Sequence[Dialog]) -> str | None:
    """The reason why not: none of their classes is among the `classes` of the `saved` constructor arguments.
    None otherwise, as single unknown classes may be of turns that the training data lacks."""
    classes = saved.get("classes")
    if not isinstance(classes, list) or not classes:
        return None
    names = class_names(dialogs)
    if not names or any(name in classes for name in names):
        return None
    return (
        f"its objects, such as {min(names)!r}, are of none of the classes that the model plans, such as "
        f"{classes[0]!r}"
    )
