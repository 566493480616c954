"""What must hold between several keys of a config, as one table; a kind of plan has one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from cdd_icm.errors import InputError

if TYPE_CHECKING:
    from cdd_icm.config.schema import Config, ObjectiveConfig, SamplingConfig


class Rule(NamedTuple):
    """`key` (such as "fusion.heads") is refused where `holds` is false of the config; the message ends in
    what is `expected` of it."""

    key: str
    holds: Callable[[Any], bool]
    expected: str | Callable[[Any], str]


def check(config: Any, rules: Iterable[Rule]) -> None:
    """Raises InputError, which names key, value and expectation, at the first rule that does not hold."""
    for key, holds, expected in rules:
        if not holds(config):
            value = config
            for name in key.split("."):
                value = getattr(value, name)
            wanted = expected if isinstance(expected, str) else expected(config)
            raise InputError(f"{key} is {value!r}, expected {wanted}")


def _step(c: Config) -> int:
    """The multiple of pixels that UNet needs."""
    return c.unet.patch_size * 2 ** (len(c.unet.widths) - 1)


def _trained(c: Config) -> set[str]:
    parts = {"fusion", "unet", "matcher"}
    parts |= {"planner"} if c.plan.kind != "none" else set()
    return parts | ({"towers"} if c.encoder.trainable_blocks != 0 else set())


RULES = (
    Rule(
        "training.frozen",
        lambda c: _trained(c) - set(c.training.frozen),
        lambda c: f"some part left to train: {', '.join(sorted(_trained(c)))}",
    ),
    Rule(
        "objective.augmentations",
        lambda c: not (c.data.streams and "join" in c.objective.augmentations),
        "no join where the data is streamed",
    ),
    Rule("fusion.heads", lambda c: c.fusion.width % c.fusion.heads == 0, "a divisor of fusion.width"),
    Rule(
        "data.image_size",
        lambda c: c.data.image_size % 16 == 0 and c.data.image_size % _step(c) == 0,
        lambda c: f"a multiple of 16 (matcher) and of {_step(c)} (unet.patch_size, unet.widths)",
    ),
    Rule(
        "training.gradient_accumulation",
        lambda c: c.training.batch_size % c.training.gradient_accumulation == 0,
        lambda c: f"a divisor of training.batch_size, {c.training.batch_size}",
    ),
    Rule(
        "objective.cdd_every",
        lambda c: c.training.batch_size // c.training.gradient_accumulation % c.objective.cdd_every == 0,
        "a divisor of training.batch_size / training.gradient_accumulation",
    ),
)


def check_trained(sampling: SamplingConfig, objective: ObjectiveConfig) -> None:
    """Raises InputError where `sampling` asks for what `objective` left out of the training."""
    for name, off, needs, why in (
        ("guidance_scale", 1, "condition_dropout", "guidance needs that dropout"),
        ("image_guidance_scale", 1, "condition_dropout", "guidance needs that dropout"),
        ("icm_guidance_scale", 0, "icm_weight", "the matcher is not trained"),
        ("icm_guidance_scale", 0, "condition_dropout", "its alternative is the empty text"),
        ("num_candidates", 1, "icm_weight", "the matcher that chooses is not trained"),
    ):
        value = getattr(sampling, name)
        if value != off and not getattr(objective, needs):
            raise InputError(
                f"sampling.{name} is {value!r}, expected {off} where objective.{needs} is 0: {why}"
            )
