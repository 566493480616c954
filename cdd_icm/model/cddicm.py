"""The joint model: towers, fusion, UNet and matcher, trained with one loss."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, binary_cross_entropy_with_logits, cross_entropy

from cdd_icm.config import Config, NoPlan
from cdd_icm.data.batch import Batch, Scenes
from cdd_icm.diffusion.noise import Draws
from cdd_icm.diffusion.parameterisation import add_noise, to_sample
from cdd_icm.diffusion.region import CHANGED_WEIGHT, changed_region, composite
from cdd_icm.diffusion.schedule import noise_levels, snr_weight, training_scheduler
from cdd_icm.model.backbone import CLIPTowers, Encoded
from cdd_icm.model.fusion import GatedFusion
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.objectives.cdd import cdd_loss
from cdd_icm.objectives.icm import info_nce
from cdd_icm.objectives.mask import mask_loss
from cdd_icm.plan.annotated.cells import Cells
from cdd_icm.plan.annotated.losses import cell_loss, plan_loss
from cdd_icm.plan.annotated.planner import Planner
from cdd_icm.plan.annotated.relations import Relations, each_class, relation_loss
from cdd_icm.plan.annotated.vocabulary import Templates

WORD_CONTEXT_LAYERS = 2
"""How often the words that class queries or placement attend to look at their neighbours before."""


def dropped(drop: Float[Tensor, " B"], config: Config) -> tuple[Bool[Tensor, " B"], Bool[Tensor, " B"]]:
    """Which items lose their text, and which their reference. [0, 1) is cut into text, both, reference and
    neither: a half, a quarter and a quarter of `condition_dropout`, and the rest."""
    share = config.objective.condition_dropout
    text, both = share / 2, share / 2 + share / 4
    return drop < both, (drop >= text) & (drop < both + share / 4)


class CDDICM(nn.Module):
    """Conditional denoising diffusion with image-compositional matching (Wang 2023, arXiv 2304.02192)."""

    def __init__(
        self,
        config: Config,
        classes: tuple[str, ...] = (),
        traits: Mapping[str, tuple[str, ...]] | None = None,
        forms: Mapping[str, tuple[str, ...]] | None = None,
    ):
        """`classes` and `traits`: what a plan may hold, the object classes of the data and the values of each
        trait of their looks; `forms`: see `vocabulary.Templates`."""
        super().__init__()
        plan = None if isinstance(config.plan, NoPlan) else config.plan
        self.config, self.classes = config, classes if plan else ()
        self.traits = dict(traits or {}) if plan else {}
        size, width = config.data.image_size, config.fusion.width
        self.towers = CLIPTowers.from_settings(config.encoder)
        self.fusion = GatedFusion(
            image_width=self.towers.image_width,
            text_width=self.towers.text_width,
            embed_dim=self.towers.embed_dim,
            **vars(config.fusion),
        )
        places = plan.places(size) if plan else 0
        templates = (
            {
                "plan_planes": Templates(self.classes, self.traits, forms or {}).count,
                "plan_reach": round(plan.template_reach * places / plan.template_pixel),
                "plan_channels": plan.template_channels,
                "plan_grid": places,
                "plan_step": plan.template_pixel,
            }
            if plan
            else {}
        )
        self.unet = ConditionalUNet(
            image_size=size,
            condition_width=width,
            composite=config.unet.reference,
            **templates,
            **vars(config.unet),
        )
        self.matcher = Matcher(image_size=size, query_width=width, **vars(config.matcher))
        relational = plan.relational if plan else None
        self.planner = (
            Planner(
                self.classes,
                width,
                self.towers.embed_dim,
                config.fusion.heads,
                plan.grid,
                traits=self.traits,
                forms=forms,
                ask=plan.class_query_layers,
                read=WORD_CONTEXT_LAYERS if plan.class_query_layers or relational else 0,
                kernels=relational.kernels if relational else 0,
                horizon=relational.horizon if relational else None,
                image_size=size,
            )
            if plan
            else None
        )
        # A planner with kernels does both of these for itself.
        taught = plan and not relational
        # Trained with the fusion, not needed for drawing: it tells on which side of what the new objects go.
        self.relations = Relations(len(self.classes), width, plan.grid) if taught else None
        # Trained with the towers, not needed for drawing: it tells which objects the reference shows.
        self.see = Cells(self.towers.image_width, len(self.classes), plan.grid) if taught else None
        if taught:
            nn.init.constant_(self.see.mix[-1].bias, -6.0)  # at first nothing stands anywhere
        # Trained with the fusion, not needed for drawing: it tells which patches the turn will change.
        self.where = nn.Linear(width, 1)
        self.register_buffer("alphas_cumprod", training_scheduler().alphas_cumprod, persistent=False)
        for name in config.training.frozen:
            if getattr(self, name) is not None:
                getattr(self, name).requires_grad_(False)

    @property
    def _no_split_modules(self) -> list[str]:
        """The classes of parts that FSDP gathers one at a time, under the name by which accelerate asks. Each
        is called by its forward, as towers, fusion, planner and matcher are not always."""
        blocks = {"ResidualAttentionBlock", "FusionLayer", "ResnetBlock2D", "Transformer2DModel"}
        return sorted(blocks & {type(part).__name__ for part in self.modules()})

    def forward(self, batch: Batch, draws: Draws, words: bool = False) -> dict[str, Tensor]:
        """L = L_CDD + L_mask + lambda L_ICM + mu L_where + the plan's terms, and what the log shows. In
        the text warm-up, `words`, UNet and matcher see the first item only (`text_warmup_samples`).

        Returns:
            `loss` (), of its parts `mask`, `icm`, `where`, `plan`, `relation`, `see`, `scene` () those that
            have a weight, and for each item that the UNet denoised `cdd` (n,), its part of the loss,
            `changed_error` (n,), the squared error inside the changed region, and `level` (n,), its noise
            level as a share of the schedule.
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
        whole = ~(no_text | no_reference)

        false = batch.false_ids is not None and objective.icm_weight > 0
        encoded = self.towers(reference, ids, mask)
        if false:  # the true and the false instruction share the picture
            n = len(ids)
            image = [
                part.repeat(2, *[1] * (part.ndim - 1))
                for part in (encoded.image_tokens, encoded.image_pooled)
            ]
            text = [
                torch.cat(parts)
                for parts in zip(
                    (encoded.text_tokens, encoded.text_pooled),
                    self.towers.encode_text(batch.false_ids),
                    strict=True,
                )
            ]
            both = self.fusion(Encoded(*image, *text, torch.cat([mask, batch.false_mask])))
            fused, false_query = both[:n], both.query[n:]
        else:
            fused = self.fusion(encoded)

        plan = None
        if self.planner is not None:
            told = batch.place.masked_fill(no_text[:, None], -1)
            plan = self.planner.to_marks(told, batch.look)
        painted = slice(1) if words else slice(None, None, objective.cdd_every)
        changed = changed_region(batch.reference, batch.target)
        weight = snr_weight(alpha, sigma, diffusion.max_snr_weight)
        shown = fused if objective.cdd_trains_fusion else fused.detach()
        prediction, mask_logits = self.unet(
            *(part[painted] for part in (noisy, draws.timestep, shown, noisy_reference, level)),
            plan=None if plan is None else plan[painted],
            planned=batch.planned,
        )
        at = (part[painted] for part in (noisy, alpha, sigma))
        sample = to_sample(prediction, *at, diffusion.prediction_type)
        sample = composite(sample, mask_logits, reference[painted])
        cdd, changed_error = cdd_loss(
            sample,
            *(part[painted] for part in (batch.target, changed, weight)),
            CHANGED_WEIGHT[diffusion.changed_balance],
            diffusion.changed_balance,
        )
        level = draws.timestep[painted] / len(self.alphas_cumprod)
        out = {"cdd": cdd, "changed_error": changed_error.detach(), "level": level}
        out["loss"] = cdd.mean()

        if mask_logits is not None:
            # Not the dilated region of L_CDD: in a wider mask's rim the network would paint the background.
            tight = changed_region(batch.reference[painted], batch.target[painted], threshold=0.06, grow=3)
            out["mask"] = mask_loss(mask_logits, tight, diffusion.changed_balance).mean()
            out["loss"] = out["loss"] + out["mask"]

        if objective.change_weight > 0:
            side = math.isqrt(fused.image_tokens.shape[1])
            truth = adaptive_max_pool2d(changed.float(), side).flatten(1)  # (B, Nv)
            logits = self.where(fused.image_tokens)[..., 0].float()  # (B, Nv)
            out["where"] = binary_cross_entropy_with_logits(logits, truth)
            out["loss"] = out["loss"] + objective.change_weight * out["where"]

        if self.planner is not None:
            settings = self.config.plan
            planned = None
            if settings.weight > 0:
                planned = self.planner(fused, standing=batch.standing, latest=batch.latest, most=batch.most)
                out["plan"] = plan_loss(planned, batch.plan, whole, batch.look)
                out["loss"] = out["loss"] + settings.weight * out["plan"]
            if settings.relation_weight > 0:
                if settings.relational:
                    relations = each_class(planned.sides)
                else:
                    relations = self.relations(fused.image_tokens, batch.standing)
                out["relation"] = relation_loss(relations, batch.standing, batch.plan, settings.grid, whole)
                out["loss"] = out["loss"] + settings.relation_weight * out["relation"]
            if settings.detection_weight > 0:
                if settings.relational:
                    noise = draws.reference_level[:, None, None, None] * draws.reference_noise
                    seen = self.planner.see(batch.shown + noise)
                    out["see"] = cell_loss(seen, batch.shown_standing, torch.ones_like(no_reference))
                else:
                    seen = self.see(encoded.image_tokens)
                    out["see"] = cell_loss(seen, batch.standing, ~no_reference)
                out["loss"] = out["loss"] + settings.detection_weight * out["see"]
            if batch.scenes is not None:
                dialogs = settings.relational.synthetic_scenes * len(batch.ids)
                out["scene"] = self._scene_loss(batch.scenes, dialogs)
                out["loss"] = out["loss"] + out["scene"]

        if objective.icm_weight > 0:
            matched = slice(1) if words and self.planner is not None else slice(None)
            pictures = torch.cat([part[matched] for part in (batch.target, batch.reference, batch.other)])
            levels = (part[matched].repeat(3, 1, 1, 1) for part in (draws.noise, alpha, sigma))
            images = self.matcher.embed_image(add_noise(pictures, *levels), draws.timestep[matched].repeat(3))
            images = images.unflatten(0, (3, -1))  # (3, B, E)
            out["icm"] = info_nce(
                self.matcher.embed_query(fused.query[matched]),
                images[0],
                self.matcher.scale,
                hard_images=images[1:],
                hard_queries=self.matcher.embed_query(false_query[matched])[None] if false else None,
                valid=(whole & ~batch.idle)[matched],
                hard_valid=(batch.ids != batch.false_ids).any(dim=1)[None, matched] if false else None,
            )
            out["loss"] = out["loss"] + objective.icm_weight * out["icm"]
        return out

    def _scene_loss(self, scenes: Scenes, dialogs: int) -> Float[Tensor, ""]:
        """The plan's and the relations' terms of the turns of so many imagined dialogs, each with its weight;
        summed over the turns of a dialog."""
        settings = self.config.plan
        words = self.fusion.text_in(self.towers.encode_text(scenes.ids)[0])
        cells, sides = self.planner.placing(words, scenes.mask, scenes.standing, scenes.latest, scenes.most)
        place = cross_entropy(cells, scenes.plan.amax(dim=1))
        valid = torch.ones_like(scenes.plan[:, 0], dtype=torch.bool)
        relation = relation_loss(each_class(sides), scenes.standing, scenes.plan, settings.grid, valid)
        turn = settings.weight * place + settings.relation_weight * relation
        return turn * (len(scenes.ids) / dialogs)
