"""Numbers the templates of planned objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor


class TemplateTable:
    """Assigns to each planned object some of T templates: one for its class and form, and one for the value
    of each trait that is not part of a form.

    A form is a combination of values of the traits that change a class's whole appearance (`forms`, by
    class): for example, a small object facing left looks entirely different from a large one facing right.

    Attributes:
        count: T. forms: number of templates for a class and form; these come first.
    """

    def __init__(
        self,
        classes: Sequence[str],
        traits: Mapping[str, Sequence[str]],
        forms: Mapping[str, Sequence[str]],
    ):
        first, strides, count = [], torch.zeros(len(classes), len(traits), dtype=torch.long), 0
        for c, name in enumerate(classes):
            first.append(count)
            size = 1
            for k, (trait, values) in reversed(list(enumerate(traits.items()))):
                if trait in forms.get(name, ()):
                    strides[c, k] = size
                    size *= len(values)
            count += size
        self.first, self.strides, self.forms = torch.tensor(first), strides, count
        self.others: list[tuple[int, int]] = []  # the trait, and its first template
        for k, (trait, values) in enumerate(traits.items()):
            if not any(trait in form for form in forms.values()):
                self.others.append((k, count))
                count += len(values)
        self.count = count

    def ids(self, places: Int[Tensor, "B C"], traits: Int[Tensor, "B C K"] | None) -> Int[Tensor, "B C M"]:
        """The input of `TemplateSplats`: for each class its place, or -1, then the ids of its templates, -1
        if a trait is unknown."""
        form, strides = (x.to(places.device, non_blocking=True) for x in (self.first, self.strides))
        form, known = form.expand_as(places), torch.ones_like(places, dtype=torch.bool)
        if traits is not None:
            form = form + (traits * strides).sum(dim=-1)
            known = ((traits >= 0) | (strides == 0)).all(dim=-1)
        others = [torch.where(traits[..., k] >= 0, first + traits[..., k], -1) for k, first in self.others]
        return torch.stack([places, torch.where(known, form, -1), *others], dim=-1)
