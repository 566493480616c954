"""The joint model: towers, fusion, UNet, matcher and plan, trained with one loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from cdd_icm.config import Config
from cdd_icm.data.batch import Batch
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.diffusion.schedule import training_scheduler
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.conditioning import Conditions, encode_conditions
from cdd_icm.model.fusion import Fused, GatedFusion
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.objectives.icm import MatchingBatch
from cdd_icm.objectives.joint import joint_loss, matching_batch
from cdd_icm.plan.registry import plan_kind


class CDDICM(nn.Module):
    """Conditional denoising diffusion with image-compositional matching (Wang 2023, arXiv 2304.02192).

    Args:
        plan: the constructor arguments of the config's kind of plan (`registry.plan_settings`), or None for a
            model without a plan.
    """

    def __init__(self, config: Config, plan: Mapping[str, Any] | None = None):
        super().__init__()
        self.config = config
        size, width = config.data.image_size, config.fusion.width
        self.towers = CLIPTowers.from_settings(config.encoder)
        self.fusion = GatedFusion(
            image_width=self.towers.image_width,
            text_width=self.towers.text_width,
            embed_dim=self.towers.embed_dim,
            **vars(config.fusion),
            gated="gated-fusion" not in config.without,
        )
        self.planner = self.plan_heads = None
        if plan is not None:
            self.planner = plan_kind(config)(width=width, text_width=self.towers.embed_dim, **plan)
            # used in training only
            self.plan_heads = self.planner.training_heads(config, self.towers.image_width)
        self.unet = ConditionalUNet(
            image_size=size,
            condition_width=width,
            map_channels=self.planner.map_channels if self.planner is not None else 0,
            map_size=self.planner.map_size if self.planner is not None else 0,
            patch_size=config.unet.patch_size,
            widths=config.unet.widths,
            layers_per_block=config.unet.layers_per_block,
            attention=config.unet.attention,
            heads=config.unet.heads,
            cross_attention="cross-attention" not in config.without,
            reference="reference-pixels" not in config.without,
        )
        self.matcher = Matcher(image_size=size, query_width=width, **vars(config.matcher))
        self.register_buffer("alphas_cumprod", training_scheduler().alphas_cumprod, persistent=False)
        parts = self.parts()
        for name in config.training.frozen:
            for parameter in parts.get(name, ()):
                parameter.requires_grad_(False)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """The parameters of each part. A part is frozen as a whole; its gradient norm is clipped separately.
        The parameters behind the plan's feature map learn from the UNet's loss and belong to the UNet."""
        parts = {
            name: list(getattr(self, name).parameters()) for name in ("towers", "fusion", "unet", "matcher")
        }
        if self.planner is not None:
            map_parameters = self.planner.map_parameters()
            known = {id(parameter) for parameter in map_parameters}
            parts["unet"] += map_parameters
            parts["planner"] = [p for p in self.planner.parameters() if id(p) not in known]
            parts |= {f"plan_heads.{name}": list(h.parameters()) for name, h in self.plan_heads.items()}
        return parts

    @property
    def _no_split_modules(self) -> list[str]:
        """The module classes that FSDP shards and gathers separately (the name is accelerate's). They are
        only ever called through `forward`, unlike towers, fusion, planner and matcher."""
        blocks = {"ResidualAttentionBlock", "FusionLayer", "ResnetBlock2D", "Transformer2DModel"}
        return sorted(blocks & {type(part).__name__ for part in self.modules()})

    def forward(
        self,
        batch: Batch,
        draws: RandomNumbers,
        text_warmup: bool = False,
        match_only: bool = False,
        micro_batches: tuple[int, Sequence[MatchingBatch]] | None = None,
    ) -> dict[str, Tensor] | MatchingBatch:
        """The joint loss and its terms, see `joint_loss`; with `match_only`, the vectors that ICM compares,
        see `matching_batch`."""
        conditions = encode_conditions(
            self.towers,
            self.fusion,
            batch,
            draws.drop,
            draws.reference_level,
            draws.reference_noise,
            self.config.objective,
        )
        if match_only:
            return matching_batch(self, conditions, batch, draws, text_warmup)
        return joint_loss(self, conditions, batch, draws, text_warmup, micro_batches)

    def encode_words(self, ids: Int[Tensor, "B Nw"]) -> Float[Tensor, "B Nw D"]:
        """The text's tokens before fusion, as in `Fused.words`."""
        return self.fusion.text_in(self.towers.encode_text(ids)[0])

    def without_text(self, conditions: Conditions, batch: Batch) -> Fused:
        """The fused condition of the references and the empty text."""
        tokens, pooled = self.towers.encode_text(batch.null_ids)  # (1, Nw, Dw), (1, E)
        size = len(conditions.reference)
        return self.fusion(
            replace(
                conditions.encoded,
                text_tokens=tokens.expand(size, -1, -1),
                text_pooled=pooled.expand(size, -1),
                mask=batch.null_mask.expand(size, -1),
            )
        )
