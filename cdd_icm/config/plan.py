"""The kinds of plan: each a section with a `kind` and `RULES` of its own, and an entry in `KINDS`."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from cdd_icm.config.base import AtLeastOne, Count, Number, Share, section
from cdd_icm.config.rules import Rule

if TYPE_CHECKING:
    from cdd_icm.config.schema import Config


@section
class NoPlanConfig:
    """Paints from the fused condition alone."""

    RULES: ClassVar[tuple[Rule, ...]] = ()

    kind: Literal["none"] = "none"
    """Paints without a plan."""


def _places_fit(c: Config) -> bool:
    places, side = c.plan.places(c.data.image_size), c.data.image_size // c.unet.patch_size
    return places <= side or (places <= c.data.image_size and places % side == 0)


GRID_RULES = (
    Rule("plan.grid", lambda c: c.plan.grid <= c.data.image_size, "at most data.image_size"),
    Rule("plan.grid", _places_fit, "at most data.image_size / unet.patch_size, or a multiple of it"),
)


@section
class AnnotatedPlanConfig:
    """Plans the objects of a turn on a grid before it paints, taught by data whose objects are annotated."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "plan.grid",
            lambda c: not c.plan.template_turns or c.data.image_size % c.plan.grid == 0,
            "a divisor of data.image_size where plan.template_turns places templates to the pixel",
        ),
        *GRID_RULES,
    )

    kind: Literal["annotated"] = "annotated"
    """Plans which objects a turn draws, and where; needs data whose objects are annotated."""
    grid: AtLeastOne = 16
    """Cells along a side of the grid on which a turn is planned."""
    template_attributes: tuple[str, ...] = ()
    """Attributes of an object that change its whole picture, such as its size and the way it faces: each
    class has a template for each combination of the values of those that its objects have."""
    template_turns: Count = 0
    """Training turns from which the templates of a run without `init` begin, as the mean of what was painted
    around their objects (`template_initialisation.py`): for data of flat pieces that always look the same.
    They are then small pictures of 4 channels, placed to the pixel. 0 learns 32 channels from scratch, placed
    by cell."""
    recaption: Share = 0.0
    """Share of the samples whose instruction is written anew from the annotation (`grammars`)."""

    detection_weight: ClassVar[float] = 0.05
    """Weight of the loss that detects the reference's objects from the image tokens."""
    relation_weight: ClassVar[float] = 1.0
    """Weight of the loss that predicts from the fused tokens on which side of the reference's objects the new
    ones go."""
    template_reach: ClassVar[float] = 0.345
    """How far from its cell a planned object's template reaches at the UNet's input, as a share of the
    picture's side: half the size of CoDraw's largest objects."""

    @property
    def template_channels(self) -> int:
        """Channels of a template at the UNet's input."""
        return 4 if self.template_turns else 32

    def template_pixel(self, image_size: int) -> int:
        """Side of a template's pixel, in places: a picture is 64 of them wide."""
        return max(1, image_size // 64) if self.template_turns else 1

    def places(self, image_size: int) -> int:
        """Positions along a side at which a template can be placed: pixels or cells."""
        return image_size if self.template_turns else self.grid


@section
class RelationalPlanConfig:
    """A plan for texts that place one object by its sides of others (`placement.py`). It detects the objects
    of the reference itself, and its losses do not train towers and fusion."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "plan.grid",
            lambda c: c.plan.grid % 2 == 0 and c.data.image_size % (c.plan.grid // 2) == 0,
            "twice a divisor of data.image_size",
        ),
        *GRID_RULES,
    )

    kind: Literal["relational"] = "relational"
    """Plans one object a turn, by its sides of existing ones; needs data whose objects are annotated."""
    grid: AtLeastOne = 16
    """Cells along a side of the grid on which a turn is planned."""
    horizon: Annotated[Number, Field(lt=0.5)] | None = None
    """Height in the picture, as a share of its side from the top, at which the ground would end, for pictures
    of things on the ground (`camera.py`); it may lie outside. null where the picture itself is flat."""
    synthetic_scenes: Count = 0
    """Dialogs without pictures beside each sample, which train the placement: the objects of one of the
    training data's pictures, placed and described anew (`synthetic_scenes.py`)."""
    recaption: Share = 0.0
    """Share of the samples whose instruction is written anew from the annotation (`grammars`)."""

    detection_weight: ClassVar[float] = 0.2
    """Weight of the loss of the planner's detector."""
    relation_weight: ClassVar[float] = 2.0
    """Weight of the loss of the relations between new and existing objects."""
    template_attributes: ClassVar[tuple[str, ...]] = ()
    template_channels: ClassVar[int] = 32
    template_reach: ClassVar[float] = 0.0
    template_turns: ClassVar[int] = 0

    def template_pixel(self, image_size: int) -> int:
        """Side of a template's pixel, in places."""
        return 1

    def places(self, image_size: int) -> int:
        """Positions along a side at which a template can be placed: cells."""
        return self.grid


@section
class EditPlanConfig:
    """A plan for dialogs that add, remove, move and change objects, in any words (`plan/edits`)."""

    RULES: ClassVar[tuple[Rule, ...]] = RelationalPlanConfig.RULES

    kind: Literal["edits"] = "edits"
    """Plans what becomes of each object, and which are added; needs data whose objects are annotated."""
    grid: AtLeastOne = 32
    """Cells along a side of the grid on which a turn is planned."""
    horizon: Annotated[Number, Field(lt=0.5)] | None = None
    """As in `plan.kind: relational`."""
    synthetic_turns: Count = 0
    """Requests without pictures beside each sample, in many wordings (`worlds.py`)."""
    reversed: Share = 0.0
    """Share of the samples whose turn is taken back, with a text written for it."""

    detection_weight: ClassVar[float] = 0.2

    def places(self, image_size: int) -> int:
        """Positions along a side at which an object can be placed: cells."""
        return self.grid


@section
class PiecePlanConfig:
    """A plan for flat pieces, at most one of each class in a picture, that dialogs add, remove, move and
    change, in any words (`plan/pieces`)."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("plan.grid", lambda c: c.data.image_size % c.plan.grid == 0, "a divisor of data.image_size"),
        Rule(
            "plan.grid",
            lambda c: c.plan.grid % 2 == 0 and c.data.image_size % (c.plan.grid // 2) == 0,
            "twice a divisor of data.image_size",
        ),
        *GRID_RULES,
    )

    kind: Literal["pieces"] = "pieces"
    """Plans what becomes of each class of piece; needs data whose objects are annotated."""
    grid: AtLeastOne = 32
    """Cells along a side of the grid on which a turn is planned."""
    template_attributes: tuple[str, ...] = ()
    """As in `plan.kind: annotated`; objects in the mirror (`flip`) have mirrored templates in any case."""
    requests: Count = 0
    """Requests without pictures beside each sample, in many wordings (`requests.py`)."""
    edits: Share = 0.0
    """Share of the samples that are edits of the data's scenes, painted (`edits.py`)."""

    detection_weight: ClassVar[float] = 0.2
    template_turns: ClassVar[int] = 12_000
    template_reach: ClassVar[float] = AnnotatedPlanConfig.template_reach

    def template_pixel(self, image_size: int) -> int:
        """Side of a template's pixel, in places: a picture is 64 of them wide."""
        return max(1, image_size // 64)

    def places(self, image_size: int) -> int:
        """Positions along a side at which a template can be placed: pixels."""
        return image_size


KINDS = {
    "none": NoPlanConfig,
    "annotated": AnnotatedPlanConfig,
    "relational": RelationalPlanConfig,
    "edits": EditPlanConfig,
    "pieces": PiecePlanConfig,
}
"""The registry: the value of `plan.kind`, and its section."""


def any_of(kinds: Mapping[str, type]) -> Any:
    """The type of a section that is of one of these kinds, told apart by its `kind`."""
    return Annotated[reduce(operator.or_, kinds.values()), Field(discriminator="kind")]
