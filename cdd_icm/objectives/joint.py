"""The joint loss: the weighted sum of all objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cdd_icm.config import Config
from cdd_icm.data.batch import Batch
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.diffusion.parameterisation import add_noise
from cdd_icm.diffusion.region import CHANGED_WEIGHT, Balance, changed_region, composite
from cdd_icm.diffusion.schedule import noise_levels, snr_weight
from cdd_icm.model.conditioning import Conditions
from cdd_icm.model.fusion import Fused
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.objectives.cdd import cdd_loss
from cdd_icm.objectives.icm import MatchingBatch, with_cached_micro_batches
from cdd_icm.objectives.mask import mask_loss
from cdd_icm.plan.protocol import Plan, Terms


class JointModel(Protocol):
    """The parts of the model that the loss uses."""

    config: Config
    unet: ConditionalUNet
    matcher: Matcher
    planner: Plan | None
    plan_heads: Mapping[str, nn.Module] | None
    alphas_cumprod: Float[Tensor, " T"]

    def encode_words(self, ids: Int[Tensor, "B Nw"]) -> Float[Tensor, "B Nw D"]:
        """From token ids to the text's tokens before fusion."""

    def without_text(self, conditions: Conditions, batch: Batch) -> Fused:
        """The fused condition of the references and the empty text."""


def joint_loss(
    model: JointModel,
    conditions: Conditions,
    batch: Batch,
    draws: RandomNumbers,
    text_warmup: bool = False,
    micro_batches: tuple[int, Sequence[MatchingBatch]] | None = None,
) -> dict[str, Tensor]:
    """L = L_CDD + L_mask + the plan's terms + lambda L_ICM.

    Args:
        text_warmup: train the UNet, and for a model with a plan the matcher, on the first item only (see
            `objective.text_warmup_samples`).
        micro_batches: if the batch is one of several micro-batches of a step, its number among them and the
            vectors that ICM compares of each.

    Returns:
        `loss` (); those of the terms `mask`, `icm` and of `Plan.loss` that have a weight, each ();
        and for each item that the UNet denoised, (n,): `cdd`, its L_CDD; `changed_error`, the squared error
        inside the changed region; and `level`, its timestep as a share of T.
    """
    objective = model.config.objective
    items = slice(1) if text_warmup else slice(None, None, objective.cdd_every)
    changed = changed_region(batch.reference, batch.target)  # (B, 1, R, R)
    out, terms = _denoising(model, conditions, batch, draws, changed, items)
    if model.planner is not None:
        noise = draws.reference_level[:, None, None, None] * draws.reference_noise  # (B, 3, R, R)
        terms |= model.planner.loss(
            batch.plan, conditions, noise, model.plan_heads, model.encode_words, model.config
        )
    if objective.icm_weight > 0:
        vectors = matching_batch(model, conditions, batch, draws, text_warmup)
        if micro_batches is not None:
            vectors = with_cached_micro_batches(vectors, *micro_batches)
        terms["icm"] = vectors.loss(model.matcher.scale), objective.icm_weight
    out["loss"] = out["cdd"].mean()  # ()
    for name, (value, weight) in terms.items():
        out[name] = value  # ()
        out["loss"] = out["loss"] + weight * value  # ()
    return out


def _denoising(
    model: JointModel,
    conditions: Conditions,
    batch: Batch,
    draws: RandomNumbers,
    changed: Float[Tensor, "B 1 R R"],
    items: slice,
) -> tuple[dict[str, Tensor], Terms]:
    """L_CDD of the n selected `items` with values for the log, and the term L_mask."""
    objective = model.config.objective
    balance: Balance = "regions" if model.planner is None else model.planner.balance
    alpha, sigma = (x[items] for x in noise_levels(model.alphas_cumprod, draws.timestep))  # (n, 1, 1, 1)
    noisy = add_noise(batch.target[items], draws.noise[items], alpha, sigma)  # (n, 3, R, R)
    fused = conditions.fused
    if model.planner is not None and model.planner.replaces_text:
        fused = model.without_text(conditions, batch)
    fused = fused if objective.cdd_trains_fusion else fused.detach()
    plan_map = None
    if model.planner is not None:
        plan_map = model.planner.feature_map(batch.plan, items)  # (n, P, h, h)
        plan_map = plan_map.masked_fill(conditions.no_text[items, None, None, None], 0.0)
    # The network predicts the picture. Not epsilon: at zero terminal SNR it says nothing about the picture.
    sample, mask_logits = model.unet(
        noisy,
        draws.timestep[items],
        fused[items],
        conditions.noisy_reference[items],
        conditions.reference_level[items],
        plan_map,
    )  # (n, 3, R, R), (n, 1, R, R)
    sample = composite(sample, mask_logits, conditions.reference[items])  # (n, 3, R, R)
    weight = snr_weight(alpha, sigma, model.config.diffusion.max_snr_weight)  # (n, 1, 1, 1)
    cdd, changed_error = cdd_loss(
        sample,
        batch.target[items],
        changed[items],
        weight,
        CHANGED_WEIGHT[balance],
        balance,
    )  # (n,) each
    level = draws.timestep[items] / len(model.alphas_cumprod)  # (n,)
    terms: Terms = {}
    if mask_logits is not None:
        # not the dilated region of L_CDD: with a wider mask the network would have to draw the background
        tight = changed_region(batch.reference[items], batch.target[items], threshold=0.06, grow=3)
        mask_losses = mask_loss(mask_logits, tight, balance)  # (n,)
        terms["mask"] = mask_losses.mean(), 1.0
    return {"cdd": cdd, "changed_error": changed_error.detach(), "level": level}, terms


def matching_batch(
    model: JointModel, conditions: Conditions, batch: Batch, draws: RandomNumbers, text_warmup: bool = False
) -> MatchingBatch:
    """The vectors that ICM compares of n items: the query with the target, and as hard negatives the
    reference and another picture, all with the same noise. n is 1 in the text warm-up of a model with a
    plan."""
    items = slice(1) if text_warmup and model.planner is not None else slice(None)
    alpha, sigma = noise_levels(model.alphas_cumprod, draws.timestep[items])  # (n, 1, 1, 1)
    pictures = torch.cat([part[items] for part in (batch.target, batch.reference, batch.other)])
    levels = (part.repeat(3, 1, 1, 1) for part in (draws.noise[items], alpha, sigma))
    noisy = add_noise(pictures, *levels)  # (3 n, 3, R, R)
    images = model.matcher.embed_image(noisy, draws.timestep[items].repeat(3))  # (3 n, E)
    return MatchingBatch(
        queries=model.matcher.embed_query(conditions.fused.query[items]),  # (n, E)
        images=images.unflatten(0, (3, -1)),  # (3, n, E)
        valid=(conditions.complete & ~batch.no_op)[items],  # (n,)
    )
