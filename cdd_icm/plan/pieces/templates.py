"""The plan as a feature map: templates of what is drawn, and of what has to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cdd_icm.plan.pieces.scene import Scene
from cdd_icm.plan.shared.splats import TemplateSplats
from cdd_icm.plan.shared.template_ids import TemplateTable

CHANNELS = 4
"""Channels of a template: colour and opacity, see `template_initialisation`."""
MIRROR = "flip"
"""The trait of objects in the mirror, whose templates are the mirrored ones (`SceneObject`)."""


class PieceTemplates(nn.Module):
    """The feature map of B plans, 2 x `CHANNELS`: what is drawn, then what has to go.

    Args:
        classes, traits, forms: see `TemplateTable`. radius, size, pixel: see `TemplateSplats`.
    """

    def __init__(
        self,
        classes: Sequence[str],
        traits: Mapping[str, Sequence[str]],
        forms: Mapping[str, Sequence[str]],
        radius: int,
        size: int,
        pixel: int,
    ):
        super().__init__()
        self.flip = list(traits).index(MIRROR) if MIRROR in traits else None
        self.flipped = list(traits[MIRROR]).index("1") if MIRROR in traits and "1" in traits[MIRROR] else None
        self.kept = [k for k, name in enumerate(traits) if name != MIRROR]
        named = {name: values for name, values in traits.items() if name != MIRROR}
        unmirrored = {name: [trait for trait in form if trait != MIRROR] for name, form in forms.items()}
        self.table = TemplateTable(classes, named, unmirrored)
        self.splats = TemplateSplats(self.table.count, CHANNELS, radius, size, pixel)

    def forward(self, drawn: Scene, gone: Scene, max_objects: int | None = None) -> Float[Tensor, "B 8 h h"]:
        """The map of the objects; here their `cells` are places in the map.

        Args:
            max_objects: upper bound for the number of objects of the batch, drawn or gone; None counts them.
        """
        return torch.cat([self._laid(scene, max_objects) for scene in (drawn, gone)], dim=1)

    def _laid(self, scene: Scene, max_objects: int | None) -> Float[Tensor, "B 4 h h"]:
        ids = self.table.ids(scene.cells, scene.traits[..., self.kept])  # (B, C, M)
        return self.splats(ids, max_objects, self._mirrored(scene.traits))

    def _mirrored(self, traits: Int[Tensor, "B C K"]) -> Bool[Tensor, "B C"] | None:
        return None if self.flipped is None else traits[..., self.flip] == self.flipped
