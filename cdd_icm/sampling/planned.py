"""Where a turn planned to draw, for display, computed again from the turn's settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from cdd_icm.config import SamplingConfig
from cdd_icm.sampling.conditions import encode_branches
from cdd_icm.sampling.inputs import TurnInputs, to_reference
from cdd_icm.sampling.noise import draw_noise
from cdd_icm.sampling.pipeline import CDDICMPipeline


@torch.no_grad()
def planned_places(
    pipeline: CDDICMPipeline,
    image: Image.Image,
    instruction: str,
    history: Sequence[str],
    settings: SamplingConfig,
    generator: torch.Generator,
) -> Float[np.ndarray, "h h"] | None:
    """How strongly the turn's plan marks each place of the picture, in [0, 1], with the parts that it draws
    later; None for a model without a plan. All zero where the plan changes nothing.

    Args:
        settings: of the turn, with one candidate.
        generator: in the state in which the turn was drawn: the plan is the same only then.

    Raises:
        InputError: as `CDDICMPipeline.__call__`.
    """
    if pipeline.planner is None:
        return None
    device = pipeline.execution_device
    inputs = TurnInputs.of(image, instruction, list(history), generator)
    reference = to_reference(image, pipeline.image_size)[None].to(device)
    conditions, context = encode_branches(pipeline, inputs, reference, settings)
    _, noise = draw_noise(reference.shape, 1, generator, pipeline.planner, device)
    plan = pipeline.planner.sample(
        conditions["full"], reference, noise, settings, inputs.instructions, inputs.histories, context
    )
    maps = [part.feature_map for part in (plan, *plan.later) if not part.no_op[0]]
    if not maps:
        return np.zeros((pipeline.planner.map_size,) * 2, np.float32)
    places = torch.stack([part[0].float().norm(dim=0) for part in maps]).sum(dim=0).cpu()  # (h, h)
    return (places / places.amax().clamp(min=1e-8)).numpy()
