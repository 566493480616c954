"""Reads from a text what becomes of each existing object, and which objects are added where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from cdd_icm.device import full_precision
from cdd_icm.plan.edits.half_planes import FUNCTIONS, HalfPlanes
from cdd_icm.plan.edits.requests import MAX_ADDED, MAX_OBJECTS, Placed, Scene
from cdd_icm.plan.shared.decoder import FREQUENCIES as PLACE_FREQUENCIES
from cdd_icm.plan.shared.decoder import DecoderLayer, as_float, position_features
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.word_context import WordContext

WORD_LAYERS = 4
DECODER_LAYERS = 4
MAPS = 32
"""Maps of the picture of which parts of it, such as "at the back", are made."""
PAIR_WIDTH = 96
SCALE = 6.0
"""Weights of maps and half-planes are multiplied by this, which multiplies their effective learning rate."""


@dataclass
class EditLogits:
    """What B texts ask for; the m entries are the n existing objects and N that may be added."""

    actions: Float[Tensor, "B n 3"]
    aspects: Float[Tensor, "B n a"]
    """Whether a changed object's class, each of its K traits, and its place differ; a = K + 2."""
    added: Float[Tensor, "B N"]
    classes: Float[Tensor, "B m C"]
    traits: tuple[Float[Tensor, "B m v"], ...]
    intents: Float[Tensor, "B I"]
    states: Float[Tensor, "B m D"]
    """Hidden states, from which `EditNetwork.places` reads where objects go."""


class EditNetwork(nn.Module):
    """A transformer over the scene's objects, N objects that may be added, and one token for the request
    itself, which attend to each other and to the words.

    Args:
        vocabulary: number of tokens. classes: C. trait_sizes: the number of values of each of K traits.
        width: D.
        heads: attention heads. grid: G. horizon: see `to_ground`.
    """

    def __init__(
        self,
        vocabulary: int,
        classes: int,
        trait_sizes: Sequence[int],
        width: int,
        heads: int,
        grid: int,
        horizon: float | None,
    ):
        super().__init__()
        self.grid, self.trait_sizes = grid, tuple(trait_sizes)
        self.class_embedding = nn.Parameter(torch.randn(classes, width))
        self.trait_embedding = nn.ParameterList(torch.randn(size, width) for size in trait_sizes)
        self.touched_embedding = nn.Parameter(torch.zeros(3, width))
        self.order_embedding = nn.Parameter(torch.zeros(2, MAX_OBJECTS, width))  # from first and from last
        self.place_in = nn.Sequential(
            nn.Linear(2 + 4 * PLACE_FREQUENCIES, width), nn.GELU(), nn.Linear(width, width)
        )
        self.new_embedding = nn.Parameter(torch.randn(MAX_ADDED, width))
        self.request_embedding = nn.Parameter(torch.randn(1, width))
        self.word_embedding = nn.Embedding(vocabulary, width)
        self.word_layers = nn.ModuleList(WordContext(width, heads) for _ in range(WORD_LAYERS))
        self.word_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(DECODER_LAYERS))
        self.norm = nn.LayerNorm(width)
        self.action_out = nn.Linear(width, 3)
        self.aspect_out = nn.Linear(width, len(self.trait_sizes) + 2)
        self.added_out = nn.Linear(width, 1)
        self.what_out = nn.Linear(width, classes + sum(self.trait_sizes))
        self.intent_out = nn.Linear(width, len(INTENTS))
        self.map_out = nn.Linear(width, MAPS)
        self.maps = nn.Parameter(0.1 * torch.randn(MAPS, grid**2) / SCALE)
        self.placed_in, self.anchor_in = (nn.Linear(width, PAIR_WIDTH) for _ in range(2))
        self.pair = nn.Sequential(nn.GELU(), nn.Linear(PAIR_WIDTH, PAIR_WIDTH), nn.GELU())
        self.pair_out = nn.Linear(PAIR_WIDTH, FUNCTIONS + 2)
        self.half_planes = HalfPlanes(grid, horizon)
        for last in (self.map_out, self.pair_out):  # initially all cells are equal
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def no_weight_decay(self) -> set[str]:
        """Embeddings, see `train.optim.decayed`."""
        return {"maps"}

    def forward(self, ids: Int[Tensor, "B Nw"], mask: Bool[Tensor, "B Nw"], scene: Scene) -> EditLogits:
        exists, words = scene.exists, self.word_embedding(ids)
        for layer in self.word_layers:
            words = layer(words, mask)
        words = self.word_norm(words)
        x = torch.cat(
            [
                self._objects(scene),
                self.new_embedding.expand(len(words), -1, -1),
                self.request_embedding.expand(len(words), -1, -1),
            ],
            dim=1,
        )
        attended = torch.cat([exists, exists.new_ones(len(exists), MAX_ADDED + 1)], dim=1)
        for layer in self.layers:
            x = layer(x, attended, words, mask)
        x = self.norm(x).float()
        with full_precision(x.device):
            states, request = x[:, :-1], x[:, -1]
            old, new = states[:, :MAX_OBJECTS], states[:, MAX_OBJECTS:]
            classes, *traits = as_float(self.what_out, states).split(
                [len(self.class_embedding), *self.trait_sizes], dim=-1
            )
            return EditLogits(
                actions=as_float(self.action_out, old),
                aspects=as_float(self.aspect_out, old),
                added=as_float(self.added_out, new)[..., 0],
                classes=classes,
                traits=tuple(traits),
                intents=as_float(self.intent_out, request),
                states=states,
            )

    def places(
        self,
        states: Float[Tensor, "B m D"],
        objects: Placed,
        anchor_cells: Int[Tensor, "B m"],
    ) -> tuple[Float[Tensor, "P G2"], Float[Tensor, "Q 2"], Int[Tensor, "2 Q"]]:
        """Logits of the cells of P placed objects.

        Args:
            anchor_cells: the cells of the objects beside which one may be placed, see `Requests`.

        Returns:
            The logits; and for each of Q pairs of a placed object and an anchor, the logits of x_placed >
            x_anchor and y_placed > y_anchor, and the pair: the numbers of the placed object and of the
            anchor's cell.
        """
        with full_precision(states.device):
            which, anchor = objects.which, objects.anchors  # (Q,) each
            items = objects.items[which]  # (Q,)
            placed = states[objects.items, objects.slots]  # (P, D)
            logits = SCALE * as_float(self.map_out, placed) @ self.maps.float()  # (P, G^2)
            cells = anchor_cells[items, anchor]
            itself = (objects.slots[which] == anchor).float()[:, None]
            hidden = as_float(self.placed_in, placed)[which] + itself
            hidden = hidden + as_float(self.anchor_in, states[items, anchor])
            hidden = as_float(self.pair[1], self.pair[0](hidden))
            weights, sides = as_float(self.pair_out, self.pair[2](hidden)).split([FUNCTIONS, 2], dim=-1)
            around = self.half_planes(SCALE * weights, cells)  # (Q, G^2)
            logits = logits.index_add(0, which, around)
        return logits, sides, torch.stack([which, cells])

    def _objects(self, scene: Scene) -> Float[Tensor, "B n D"]:
        """The embeddings of the existing objects."""
        cells = scene.cells.clamp(min=0)
        at = torch.stack([cells % self.grid, cells // self.grid], dim=-1)
        x = self.class_embedding[scene.classes.clamp(min=0)] + self.touched_embedding[scene.touched]
        x = x + self.place_in(position_features((at + 0.5) / self.grid).to(self.place_in[0].weight.dtype))
        for k, embedding in enumerate(self.trait_embedding):
            x = x + embedding[scene.traits[..., k].clamp(min=0)]
        number = torch.arange(MAX_OBJECTS, device=cells.device).expand_as(cells)
        from_last = (scene.exists.sum(dim=1, keepdim=True) - 1 - number).clamp(min=0)
        return x + self.order_embedding[0][number] + self.order_embedding[1][from_last]
