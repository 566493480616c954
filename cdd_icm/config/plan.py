"""The kinds of plan: each a section with a `kind` and `RULES` of its own, and an entry in `KINDS`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from cdd_icm.config.base import AtLeastOne, Count, NonNegative, Number, Share, section
from cdd_icm.config.rules import Rule

if TYPE_CHECKING:
    from cdd_icm.config.schema import Config


@section
class NoPlanConfig:
    """Paints from the fused condition alone."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    kind: Literal["none"] = "none"
    """Paints without a plan."""


@section
class RelationalConfig:
    """For texts that place one object by its sides of others (`placement.py`). The planner then has a
    detector of its own, and `detection_weight` and `relation_weight` train that and not towers and fusion."""

    kernels: AtLeastOne = 32
    """Half-planes whose weighted product says where a new object goes beside each existing one."""
    horizon: Annotated[Number, Field(lt=0.5)] | None = None
    """Height in the picture, as a share of its side from the top, at which the ground would end, for pictures
    of things on the ground (`camera.py`); it may lie outside. null where the picture itself is flat."""
    synthetic_scenes: Count = 0
    """Dialogs without pictures beside each sample, which train the placement: the objects of one of the
    training data's pictures, placed and described anew (`synthetic_scenes.py`)."""


def _places_fit(c: Config) -> bool:
    places, side = c.plan.places(c.data.image_size), c.data.image_size // c.unet.patch_size
    return places <= side or (places <= c.data.image_size and places % side == 0)


def _relational(rule: Callable[[Config], bool]) -> Callable[[Config], bool]:
    return lambda c: c.plan.relational is None or rule(c)


ANNOTATED_RULES = (
    Rule("plan.grid", lambda c: c.plan.grid <= c.data.image_size, "at most data.image_size"),
    Rule(
        "plan.grid",
        lambda c: not c.plan.template_turns or c.data.image_size % c.plan.grid == 0,
        "a divisor of data.image_size where plan.template_turns places templates to the pixel",
    ),
    Rule(
        "plan.grid",
        _places_fit,
        "at most data.image_size / unet.patch_size, or a multiple of it",
    ),
    Rule(
        "plan.class_query_layers",
        _relational(lambda c: c.plan.class_query_layers == 0),
        "0 beside plan.relational",
    ),
    Rule(
        "plan.grid",
        _relational(lambda c: c.plan.grid % 2 == 0 and c.data.image_size % (c.plan.grid // 2) == 0),
        "twice a divisor of data.image_size beside plan.relational",
    ),
    Rule(
        "plan.detection_weight",
        _relational(lambda c: c.plan.detection_weight or not c.plan.weight),
        "more than 0 beside plan.relational, whose detector it trains",
    ),
    Rule(
        "plan.relation_weight",
        _relational(lambda c: c.plan.weight or not c.plan.relation_weight),
        "0 beside plan.relational where plan.weight is 0",
    ),
)


@section
class AnnotatedPlanConfig:
    """Plans the objects of a turn on a grid before it paints, taught by data whose objects are annotated."""

    RULES: ClassVar[tuple[Rule, ...]] = ANNOTATED_RULES

    kind: Literal["annotated"] = "annotated"
    """Plans which objects a turn draws, and where; needs data whose objects are annotated."""
    grid: AtLeastOne = 16
    """Cells along a side of the grid on which a turn is planned."""
    weight: NonNegative = 0.1
    """Weight of the plan's log-likelihood in the joint loss."""
    detection_weight: NonNegative = 0.025
    """Weight of the loss that detects the reference's objects from the image tokens."""
    relation_weight: NonNegative = 0.1
    """Weight of the loss that predicts from the fused tokens on which side of the reference's objects the new
    ones go."""
    class_query_layers: Count = 0
    """Layers in which a query for each class attends to text and picture: 2 for data whose turns draw several
    objects, 0 where a text names one."""
    relational: RelationalConfig | None = None
    """Places a new object by its sides of existing ones; null predicts places from the fused tokens."""
    template_attributes: tuple[str, ...] = ()
    """Attributes of an object that change its whole picture, such as its size and the way it faces: each
    class has a template for each combination of the values of those that its objects have."""
    template_reach: Share = 0.3
    """How far from its cell a planned object's template reaches at the UNet's input, as a share of the
    picture's side: half the size of the largest objects."""
    template_pixel: AtLeastOne = 1
    """Side of a template's pixel, in places."""
    template_turns: Count = 0
    """Training turns from which the templates of a run without `init` begin, as the mean of what was painted
    around their objects (`templates.py`): for data of flat pieces that always look the same. They are then
    small pictures of 4 channels, placed to the pixel. 0 learns 32 channels from scratch, placed by cell."""
    recaption: Share = 0.0
    """Share of the samples whose instruction is written anew from the annotation (`grammars`)."""

    @property
    def template_channels(self) -> int:
        """Channels of a template at the UNet's input."""
        return 4 if self.template_turns else 32

    def places(self, image_size: int) -> int:
        """Positions along a side at which the UNet can be told of an object: pixels or cells."""
        return image_size if self.template_turns else self.grid


KINDS = {"none": NoPlanConfig, "annotated": AnnotatedPlanConfig}
"""The registry: the value of `plan.kind`, and its section."""


def any_of(kinds: Mapping[str, type]) -> Any:
    """The type of a section that is of one of these kinds, told apart by its `kind`."""
    return Annotated[reduce(operator.or_, kinds.values()), Field(discriminator="kind")]
