"""Which templates stand for a planned object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor


class TemplateTable:
    """Which of T templates are laid where an object is planned: the one of its class in its form, and then
    one for the value of each trait that is in no form.

    A form is a combination of the values of those traits that change the class's whole picture (`forms`, by
    class): for example, a small object facing left shares no pixels with a large one facing right.

    Attributes:
        count: T. forms: how many of them are a class in a form; they come first.
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
        """What `TemplateSplats` takes: of each class its place, or -1, and then the ids of its templates, or
        -1 where a trait is not known."""
        form, strides = (x.to(places.device, non_blocking=True) for x in (self.first, self.strides))
        form, known = form.expand_as(places), torch.ones_like(places, dtype=torch.bool)
        if traits is not None:
            form = form + (traits * strides).sum(dim=-1)
            known = ((traits >= 0) | (strides == 0)).all(dim=-1)
        others = [torch.where(traits[..., k] >= 0, first + traits[..., k], -1) for k, first in self.others]
        return torch.stack([places, torch.where(known, form, -1), *others], dim=-1)
