"""Reads from a text what becomes of each class of object in a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cdd_icm.device import full_precision
from cdd_icm.plan.pieces.scene import Scene
from cdd_icm.plan.shared.decoder import FREQUENCIES, DecoderLayer, as_float, position_features
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.word_context import WordContext

WORD_LAYERS = 4
DECODER_LAYERS = 3
MAPS = 32
"""Maps of the picture, of which the places that are neither a row nor a column are made."""
SCALE = 6.0
"""Maps are multiplied by this, which multiplies their effective learning rate."""


@dataclass
class PieceLogits:
    """What B texts ask for: for each class independently, whether it is drawn, in which cell and with which
    traits, and whether an existing one is removed."""

    drawn: Float[Tensor, "B C"]
    removed: Float[Tensor, "B C"]
    cells: Float[Tensor, "B C G2"]
    traits: tuple[Float[Tensor, "B C v"], ...]
    intents: Float[Tensor, "B I"]


class PieceNetwork(nn.Module):
    """A transformer over one token for each class, which tells where and how the class is in the scene, and
    one token for the request itself; they attend to each other and to the words.

    Args:
        vocabulary: number of tokens. classes: C. trait_sizes: the number of values of each of K traits.
        width: D. heads: attention heads. grid: G.
    """

    def __init__(
        self, vocabulary: int, classes: int, trait_sizes: Sequence[int], width: int, heads: int, grid: int
    ):
        super().__init__()
        self.grid, self.trait_sizes = grid, tuple(trait_sizes)
        self.class_embedding = nn.Parameter(torch.randn(classes, width))
        self.request_embedding = nn.Parameter(torch.randn(1, width))
        self.exists_embedding = nn.Parameter(torch.randn(width))
        self.touched_embedding = nn.Parameter(torch.randn(width))
        self.trait_embedding = nn.ParameterList(torch.randn(size, width) for size in trait_sizes)
        self.place_in = nn.Sequential(
            nn.Linear(2 + 4 * FREQUENCIES, width), nn.GELU(), nn.Linear(width, width)
        )
        self.word_embedding = nn.Embedding(vocabulary, width)
        self.word_layers = nn.ModuleList(WordContext(width, heads) for _ in range(WORD_LAYERS))
        self.word_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(DECODER_LAYERS))
        self.norm = nn.LayerNorm(width)
        self.sizes = [1, 1, *self.trait_sizes, grid, grid, MAPS]
        self.class_out = nn.Linear(width, sum(self.sizes))
        self.intent_out = nn.Linear(width, len(INTENTS))
        self.maps = nn.Parameter(0.1 * torch.randn(MAPS, grid**2) / SCALE)
        with torch.no_grad():
            self.class_out.bias[:2] = -3.0  # initially nothing is drawn or removed
            self.class_out.weight[-MAPS:] = 0.0
            self.class_out.bias[-MAPS:] = 0.0

    def no_weight_decay(self) -> set[str]:
        """Embeddings, see `train.optim.decayed`."""
        return {"maps"}

    def forward(self, ids: Int[Tensor, "B Nw"], mask: Bool[Tensor, "B Nw"], scene: Scene) -> PieceLogits:
        words = self.word_embedding(ids)
        for layer in self.word_layers:
            words = layer(words, mask)
        words = self.word_norm(words)
        x = torch.cat([self._classes(scene), self.request_embedding.expand(len(words), -1, -1)], dim=1)
        attended = mask.new_ones(x.shape[:2])
        for layer in self.layers:
            x = layer(x, attended, words, mask)
        x = self.norm(x).float()
        with full_precision(x.device):
            drawn, removed, *traits, columns, rows, maps = as_float(self.class_out, x[:, :-1]).split(
                self.sizes, dim=-1
            )
            cells = (rows[..., None] + columns[..., None, :]).flatten(-2)  # (B, C, G^2)
            return PieceLogits(
                drawn=drawn[..., 0],
                removed=removed[..., 0],
                cells=cells + SCALE * maps @ self.maps.float(),
                traits=tuple(traits),
                intents=as_float(self.intent_out, x[:, -1]),
            )

    def _classes(self, scene: Scene) -> Float[Tensor, "B C D"]:
        """The embeddings of the classes, with what the scene has of each."""
        cells = scene.cells.clamp(min=0)
        at = torch.stack([cells % self.grid, cells // self.grid], dim=-1)
        places = position_features((at + 0.5) / self.grid).to(self.class_embedding.dtype)
        seen = self.exists_embedding + self.place_in(places)
        for k, embedding in enumerate(self.trait_embedding):
            value = scene.traits[..., k]
            seen = seen + embedding[value.clamp(min=0)] * (value >= 0)[..., None]
        touched = self.touched_embedding * scene.touched[..., None]
        return self.class_embedding + seen * scene.exists[..., None] + touched
