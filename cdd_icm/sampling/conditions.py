"""The conditions of the branches of guidance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cdd_icm.config import SamplingConfig
from cdd_icm.diffusion.guidance import branches
from cdd_icm.model.fusion import Fused
from cdd_icm.model.prompt import compose_text
from cdd_icm.sampling.inputs import TurnInputs

if TYPE_CHECKING:
    from cdd_icm.sampling.pipeline import CDDICMPipeline


def encode_branches(
    pipeline: CDDICMPipeline,
    inputs: TurnInputs,
    reference: Float[Tensor, "B 3 R R"],
    settings: SamplingConfig,
) -> tuple[dict[str, Fused], Fused | None]:
    """The condition of each branch of guidance, and the plan's context if it has one, encoded in one batch
    and repeated for each candidate."""
    names = branches(settings.guidance_scale, settings.image_guidance_scale)
    if settings.icm_guidance_scale and "image_only" not in names:
        names = (*names, "image_only")  # the alternative query f'
    full = _texts(pipeline, zip(inputs.instructions, inputs.histories, strict=True))
    empty = [""] * len(reference)
    pictures = [torch.zeros_like(reference) if b == "nothing" else reference for b in names]
    texts = [full if b == "full" else empty for b in names]
    context = None if pipeline.planner is None else pipeline.planner.context(inputs.histories)
    if context is not None:
        pictures.append(reference)
        texts.append(_texts(pipeline, context))
    fused = pipeline.encode(torch.cat(pictures), sum(texts, [])).split(len(reference))
    fused = [part.repeat_interleave(settings.num_candidates) for part in fused]
    return dict(zip(names, fused, strict=False)), fused[-1] if context is not None else None


def later_conditions(
    pipeline: CDDICMPipeline,
    first: Mapping[str, Fused],
    items: Int[Tensor, " b"],
    reference: Float[Tensor, "b 3 R R"],
    texts: Sequence[str],
) -> dict[str, Fused]:
    """The conditions of what some items of the batch draw later, upon the pictures `reference`. The matcher
    still compares with the whole instruction."""
    conditions = {name: fused[items] for name, fused in first.items()}
    conditions["unet_full"] = pipeline.encode(reference, list(texts))
    if "image_only" in conditions:
        conditions["image_only"] = pipeline.encode(reference, [""] * len(items))
    return conditions


def _texts(pipeline: CDDICMPipeline, instructions: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The encoder's texts for instructions with their history."""
    history, speaker = pipeline.config.history, pipeline.config.speaker
    return [compose_text(text, tuple(past), history, speaker) for text, past in instructions]
