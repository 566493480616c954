"""The joint model: towers, fusion, UNet and matcher, trained with one loss."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, binary_cross_entropy_with_logits

from cdd_icm.batch import Batch, Draws
from cdd_icm.config import Config
from cdd_icm.diffusion import (
    add_noise,
    cdd_loss,
    changed_region,
    noise_levels,
    snr_weight,
    to_sample,
    training_scheduler,
)
from cdd_icm.encoders import CLIPTowers, Encoded
from cdd_icm.fusion import Fused, GatedFusion
from cdd_icm.matching import Matcher, info_nce
from cdd_icm.unet import ConditionalUNet


def dropped(drop: Float[Tensor, " B"], config: Config) -> tuple[Bool[Tensor, " B"], Bool[Tensor, " B"]]:
    """Which items lose their text, and which their reference. [0, 1) is cut into text, both, reference and
    neither, each as long as its probability in the config."""
    o = config.objective
    text, both = o.drop_text, o.drop_text + o.drop_both
    return drop < both, (drop >= text) & (drop < both + o.drop_reference)


class CDDICM(nn.Module):
    """Conditional denoising diffusion with image-compositional matching (Wang 2023, arXiv 2304.02192)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        size, width = config.data.image_size, config.fusion.width
        self.towers = CLIPTowers.from_settings(config.encoder)
        self.fusion = GatedFusion(
            image_width=self.towers.image_width,
            text_width=self.towers.text_width,
            embed_dim=self.towers.embed_dim,
            **vars(config.fusion),
        )
        self.unet = ConditionalUNet(image_size=size, condition_width=width, **vars(config.unet))
        self.unet.to(memory_format=torch.channels_last)
        self.matcher = Matcher(image_size=size, query_width=width, **vars(config.matcher))
        self.matcher.to(memory_format=torch.channels_last)
        # Trained with the fusion, not needed for drawing: it tells which patches the turn will change.
        self.where = nn.Linear(width, 1)
        self.register_buffer(
            "alphas_cumprod", training_scheduler(config.diffusion).alphas_cumprod, persistent=False
        )

    def condition(self, reference: Tensor, ids: Tensor, mask: Tensor) -> Fused:
        """Reference picture in [-1, 1] and text ids -> fused condition."""
        return self.fusion(self.towers(reference, ids, mask))

    def forward(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """L = L_CDD + lambda L_ICM + mu L_where, and what the log shows.

        Returns:
            `loss` (), the parts `cdd`, `icm`, `where` (), and per item `changed_error` (B,), the squared
            error inside the changed region.
        """
        diffusion, objective = self.config.diffusion, self.config.objective
        alpha, sigma = noise_levels(self.alphas_cumprod, draws.timestep)
        noisy = add_noise(batch.target, draws.noise, alpha, sigma)

        no_text, no_reference = dropped(draws.drop, self.config)
        reference = batch.reference.masked_fill(no_reference[:, None, None, None], 0.0)
        ids = torch.where(no_text[:, None], batch.null_ids, batch.ids)
        mask = torch.where(no_text[:, None], batch.null_mask, batch.mask)
        level = draws.reference_level.masked_fill(no_reference, 0.0)
        noisy_reference = reference + level[:, None, None, None] * draws.reference_noise

        false = batch.false_ids is not None and objective.icm_weight > 0
        if false:  # the true and the false instruction share the picture
            n = len(ids)
            image = [part.repeat(2, *[1] * (part.ndim - 1)) for part in self.towers.encode_image(reference)]
            text = self.towers.encode_text(torch.cat([ids, batch.false_ids]))
            both = self.fusion(Encoded(*image, *text, torch.cat([mask, batch.false_mask])))
            fused, false_query = Fused(*(part[:n] for part in vars(both).values())), both.query[n:]
        else:
            fused = self.condition(reference, ids, mask)

        prediction = self.unet(noisy, draws.timestep, fused, reference, level, noisy_reference)
        sample = to_sample(prediction, noisy, alpha, sigma, diffusion.prediction_type)
        changed = changed_region(batch.reference, batch.target)
        weight = snr_weight(alpha, sigma, diffusion.max_snr_weight)
        cdd, changed_error = cdd_loss(sample, batch.target, changed, weight, diffusion.changed_weight)
        out = {"cdd": cdd.mean(), "changed_error": changed_error.detach()}
        out["loss"] = out["cdd"]

        if objective.where_weight > 0:
            side = math.isqrt(fused.image_tokens.shape[1])
            truth = adaptive_max_pool2d(changed.float(), side).flatten(1)  # (B, Nv)
            logits = self.where(fused.image_tokens)[..., 0].float()  # (B, Nv)
            out["where"] = binary_cross_entropy_with_logits(logits, truth)
            out["loss"] = out["loss"] + objective.where_weight * out["where"]

        if objective.icm_weight > 0:
            pictures = torch.cat([batch.target, batch.reference, batch.other])
            levels = (part.repeat(3, 1, 1, 1) for part in (draws.noise, alpha, sigma))
            images = self.matcher.embed_image(add_noise(pictures, *levels), draws.timestep.repeat(3))
            images = images.unflatten(0, (3, -1))  # (3, B, E)
            out["icm"] = info_nce(
                self.matcher.embed_query(fused.query),
                images[0],
                self.matcher.scale,
                hard_images=images[1:],
                hard_queries=self.matcher.embed_query(false_query)[None] if false else None,
                valid=~(no_text | no_reference),
                hard_valid=(batch.ids != batch.false_ids).any(dim=1)[None] if false else None,
            )
            out["loss"] = out["loss"] + objective.icm_weight * out["icm"]
        return out
