"""The classes and traits of the training data's objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError


@dataclass(frozen=True)
class Vocabulary:
    """The object classes of the training data, the values of each trait, and for each class the traits that
    change its whole appearance (see `template_ids.TemplateTable`); all in alphabetical order."""

    classes: tuple[str, ...]
    traits: Mapping[str, tuple[str, ...]]
    forms: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, objects: Sequence[SceneObject], form_traits: Sequence[str], source: str) -> Vocabulary:
        """The vocabulary of the training data's objects.

        Raises:
            InputError: one of `form_traits` is not a trait of the objects; the message names `source`.
        """
        values: dict[str, set[str]] = defaultdict(set)
        for obj in objects:
            for trait, value in obj.look.items():
                values[trait].add(value)
        traits = {trait: tuple(sorted(values[trait])) for trait in sorted(values)}
        for trait in form_traits:
            if trait not in traits:
                known = ", ".join(traits) or "none"
                raise InputError(f"plan.template_attributes: {trait!r}: the objects of {source} have {known}")
        forms: dict[str, set[str]] = defaultdict(set)
        for obj in objects:
            forms[obj.name].update(trait for trait in form_traits if trait in obj.look)
        return cls(tuple(sorted(forms)), traits, {name: tuple(sorted(form)) for name, form in forms.items()})
