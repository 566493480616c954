"""The matcher's score of a drawn picture, as a sentence that anybody understands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image

from cdd_icm.model.prompt import compose_text
from cdd_icm.sampling.inputs import to_reference
from cdd_icm.sampling.pipeline import CDDICMPipeline


def has_matcher(pipeline: CDDICMPipeline) -> bool:
    """Whether the model's matcher was trained, so that its scores mean something."""
    return bool(dict(pipeline.config.objective).get("icm_weight", 1))


@torch.no_grad()
def match_scores(
    pipeline: CDDICMPipeline,
    pictures: Sequence[Image.Image],
    reference: Image.Image,
    instruction: str,
    history: Sequence[str],
) -> list[float]:
    """The score s of each clean picture for the composition of the reference and the instruction, as
    `CDDICMOutput.scores`. The model has a trained matcher."""
    device, size = pipeline.execution_device, pipeline.image_size
    text = compose_text(instruction, tuple(history), pipeline.config.history, pipeline.config.speaker)
    query = pipeline.encode(to_reference(reference, size)[None].to(device), [text]).query
    drawn = torch.stack([to_reference(picture, size) for picture in pictures]).to(device)
    clean = torch.zeros(len(drawn), dtype=torch.long, device=device)
    query = query.expand(len(drawn), -1)
    return pipeline.matcher(drawn.to(pipeline.matcher.dtype), clean, query).float().tolist()


def against_before(after: float, before: float) -> str:
    """A sentence about the picture's score and that of the picture before it. The scores are logits of
    InfoNCE, so that of two pictures one fits with the probability sigmoid(after - before)."""
    share = 1 / (1 + math.exp(min(50.0, before - after)))
    if share >= 0.5:
        return (
            f"ICM, the matcher: the new picture fits the sentence better than the one before "
            f"({_percent(share)} sure)."
        )
    return (
        f"ICM, the matcher: the picture before fits the sentence better than the new one "
        f"({_percent(1 - share)} sure). Look at it, or draw again with another seed."
    )


def in_words(score: float, best: float) -> str:
    """How a candidate's score compares with the best one's."""
    ratio = math.exp(min(0.0, score - best))
    if ratio == 1:
        return "best match"
    return "about as good" if ratio >= 0.6 else "weaker match" if ratio >= 0.1 else "much weaker match"


def _percent(share: float) -> str:
    return "over 99 %" if share > 0.99 else f"{round(100 * share)} %"
