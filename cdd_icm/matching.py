"""Image-compositional matching (ICM): is this noisy picture the composition of reference and text?"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.distributed
import torch.distributed.nn.functional
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import Downsample2D, ResnetBlock2D
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, pixel_unshuffle


class Matcher(ModelMixin, ConfigMixin):
    """s(x_t, t, f) = exp(tau) <h(x_t, t), W f>, both sides on the unit sphere, exp(tau) learnt and bounded.

    Args:
        image_size: R. query_width: D of the query f. width: channels at the first resolution.
        temperature: 1 / exp(tau) at the start. max_logit_scale: bound of exp(tau).
    """

    @register_to_config
    def __init__(
        self,
        image_size: int = 128,
        query_width: int = 256,
        width: int = 96,
        temperature: float = 0.07,
        max_logit_scale: float = 100.0,
    ):
        super().__init__()
        patch, side, time = image_size // 16, 8, 4 * width
        self.patch = patch
        self.time_proj = Timesteps(width, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(width, time)
        self.stem = nn.Conv2d(3 * patch**2, width, 1)
        self.blocks = nn.ModuleList(
            [
                ResnetBlock2D(in_channels=width, temb_channels=time, groups=16),
                Downsample2D(width, use_conv=True, out_channels=2 * width, name="op"),
                ResnetBlock2D(in_channels=2 * width, temb_channels=time, groups=16),
                ResnetBlock2D(in_channels=2 * width, temb_channels=time, groups=16),
            ]
        )
        # Which place a feature stands in matters as much as what it is, so nothing is averaged over places.
        self.squeeze = nn.Conv2d(2 * width, 32, 1)
        self.image_out = nn.Sequential(nn.LayerNorm(32 * side**2), nn.Linear(32 * side**2, query_width))
        self.query_out = nn.Linear(query_width, query_width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    def embed_image(
        self, noisy: Float[Tensor, "B 3 R R"], timestep: Int[Tensor, " B"]
    ) -> Float[Tensor, "B E"]:
        """h(x_t, t), of unit length."""
        x = self.stem(pixel_unshuffle(noisy, self.patch))  # (B, width, 16, 16)
        temb = self.time_embedding(self.time_proj(timestep).to(x.dtype))
        for block in self.blocks:
            x = block(x) if isinstance(block, Downsample2D) else block(x, temb)
        x = self.image_out(self.squeeze(x).flatten(1))
        return normalize(x.float(), dim=-1)

    def embed_query(self, query: Float[Tensor, "B D"]) -> Float[Tensor, "B E"]:
        """W f, of unit length."""
        return normalize(self.query_out(query).float(), dim=-1)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """exp(tau), at most `max_logit_scale`."""
        return self.log_scale.exp().clamp(max=self.config.max_logit_scale)

    def forward(
        self, noisy: Float[Tensor, "B 3 R R"], timestep: Int[Tensor, " B"], query: Float[Tensor, "B D"]
    ) -> Float[Tensor, " B"]:
        """s(x_t, t, f), item by item."""
        return self.scale * (self.embed_image(noisy, timestep) * self.embed_query(query)).sum(dim=-1)


def log_match(
    matcher: Matcher,
    noisy: Float[Tensor, "B 3 R R"],
    timestep: Int[Tensor, " B"],
    query: Float[Tensor, "B D"],
    other_query: Float[Tensor, "B D"],
) -> Float[Tensor, " B"]:
    """log p_ICM(match | x_t, f) = log sigmoid(s(x_t, t, f) - s(x_t, t, f')): the InfoNCE posterior of the
    query f against one alternative, f' (the same reference with nothing said)."""
    image = matcher.embed_image(noisy, timestep)
    difference = matcher.embed_query(query) - matcher.embed_query(other_query)
    return torch.nn.functional.logsigmoid(matcher.scale * (image * difference).sum(dim=-1))


def gather(x: Tensor) -> Tensor:
    """All processes' rows, in rank order; gradients flow back to the process that each row came from."""
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        rows = torch.cat(torch.distributed.nn.functional.all_gather(x.contiguous()))
        if rows.requires_grad:
            rows.register_hook(Tensor.contiguous)  # gloo sends memory as it lies, whatever the strides say
        return rows
    return x


def inner_product(queries: Float[Tensor, "B E"], images: Float[Tensor, "N E"]) -> Float[Tensor, "B N"]:
    return queries @ images.T


def info_nce(
    queries: Float[Tensor, "B E"],
    images: Float[Tensor, "B *vectors E"],
    scale: Float[Tensor, ""],
    hard_images: Float[Tensor, "H B *vectors E"] | None = None,
    hard_queries: Float[Tensor, "K B E"] | None = None,
    valid: Bool[Tensor, " B"] | None = None,
    hard_valid: Bool[Tensor, "K B"] | None = None,
    hard_images_valid: Bool[Tensor, "H B"] | None = None,
    score: Callable[[Tensor, Tensor], Tensor] = inner_product,
) -> Float[Tensor, ""]:
    """InfoNCE in both directions over all processes' batch (van den Oord et al. 2018, arXiv 1807.03748).

    Row i's positive is image i. Hard images (the reference, another turn) stand against query i alone, hard
    queries (the instruction with its words exchanged) against image i alone. Each process averages over its
    own rows against everybody's columns, so that the mean over processes is the loss of the joined batch,
    in value and gradient.

    Args:
        valid: rows that count; the others (their condition was dropped) serve as negatives only.
        hard_valid: hard queries that differ from the true one.
        hard_images_valid: hard images that are there; not every query has each of them.
        score: of every query (B, E) with every image (N, *vectors, E), before the scale: (B, N); of torch's
            functions alone, since it is mapped over pairs too.
    """

    def one(query: Float[Tensor, " E"], image: Float[Tensor, "*vectors E"]) -> Float[Tensor, ""]:
        return score(query[None], image[None])[0, 0]

    paired = torch.vmap(one)  # item by item: (B, E), (B, *vectors, E) -> (B,)
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    labels = torch.arange(len(queries), device=queries.device) + rank * len(queries)
    queries, images = queries.float(), images.float()
    with torch.autocast(queries.device.type, enabled=False):  # half precision is too coarse for the logits
        rows = [scale * score(queries, gather(images))]
        if hard_images is not None:
            hard = scale * torch.stack([paired(queries, some) for some in hard_images.float()], dim=1)
            if hard_images_valid is not None:
                hard = hard.masked_fill(~hard_images_valid.T, -torch.inf)
            rows.append(hard)
        columns = [scale * score(gather(queries), images).T]
        if hard_queries is not None:
            hard = scale * torch.stack([paired(some, images) for some in hard_queries.float()], dim=1)
            columns.append(hard if hard_valid is None else hard.masked_fill(~hard_valid.T, -torch.inf))
    loss = (
        sum(cross_entropy(torch.cat(side, dim=1), labels, reduction="none") for side in (rows, columns)) / 2
    )
    if valid is None:
        return loss.mean()
    count = gather(valid.float().sum()[None]).sum()
    world = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
    return (loss * valid).sum() * world / count.clamp(min=1)
