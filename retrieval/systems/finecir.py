"""FineCIR (Li et al., arXiv 2503.21309): the text is parsed, and its entities join the learnt queries.

From the released code: subject-centred graphs, their attention (one layer, GATv2), entity tokens behind the
learnt queries of a Q-Former whose text is the whole modification, the query read at the first entity token,
the maximum over the gallery's vectors, the contrastive loss. Ours: the parser, which was not released;
nodes as means of hashed word embeddings, in place of the Q-Former's; words as the backbone's text tokens;
padded entities are masked; a text without an entity has the one entity "it".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize
from transformers import Blip2QFormerConfig, Blip2QFormerModel

from cdd_icm.config import section
from cdd_icm.config.base import AtLeastOne
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.parsing.base import SceneGraph
from retrieval.parsing.registry import make_parser
from retrieval.systems.base import Inputs, System
from retrieval.systems.pooled import Temperature
from retrieval.systems.scores import max_over_vectors

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig

WORDS = 4096
"""Rows of the nodes' word embedding; a word's row is its CRC-32 modulo this, 0 is padding."""


@section
class FineCIROptions:
    queries: AtLeastOne = 8
    """Learnt queries, and vectors a picture."""
    layers: AtLeastOne = 2
    """Of the Q-Former."""
    entities: AtLeastOne = 6
    """Entity tokens of a text; further entities are left out."""
    nodes: AtLeastOne = 8
    """Of an entity's graph: itself, its attributes and its relations; further ones are left out."""
    parser: str = "rules"
    """A name of `retrieval.parsing.registry.PARSERS`."""
    parser_options: dict[str, Any] = Field(default_factory=dict)
    """Of the parser, such as its model; and `cache`, a file for what it finds."""
    tokens: Literal["entities", "learnt"] = "entities"
    """`learnt`, an ablation, has as many learnt tokens in place of those of the entities."""


class SubjectAttention(nn.Module):
    """One layer of graph attention over padded graphs; node 0 is the subject.

    e_ij = a . LeakyReLU_0.2(W1 x_i + W2 x_j)                 per head; a bias would cancel
    alpha_ij = softmax_j e_ij over the neighbours of i
    x_i' = ReLU(LayerNorm(W1 x_i + sum_j alpha_ij Wv x_j))
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.own, self.other, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.a = nn.Parameter(torch.randn(heads, width // heads) * (heads / width) ** 0.5)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "G N D"], adjacent: Bool[Tensor, "G N N"]) -> Float[Tensor, "G N D"]:
        own, other, value = (
            part(x).unflatten(-1, (self.heads, -1)) for part in (self.own, self.other, self.value)
        )
        pairs = leaky_relu(own[:, :, None] + other[:, None], 0.2)  # (G, N, N, heads, d)
        e = (pairs * self.a).sum(-1)  # (G, N, N, heads)
        alpha = e.masked_fill(~adjacent[..., None], -1e9).softmax(2)
        mixed = torch.einsum("gnmh,gmhd->gnhd", alpha, value)
        return self.norm((own + mixed).flatten(2)).relu()


def star(valid: Bool[Tensor, "G N"]) -> Bool[Tensor, "G N N"]:
    """Who attends to whom: the subject and its valid nodes to each other, each node to itself."""
    n = valid.shape[1]
    subject = torch.zeros(n, dtype=torch.bool, device=valid.device)
    subject[0] = True
    edges = (subject[:, None] | subject[None]) & valid[:, None, :] & valid[:, :, None]
    return edges | torch.eye(n, dtype=torch.bool, device=valid.device)


class FineCIR(Temperature, System):
    """q = normalise(W_t h), with h the output at the first entity token of a Q-Former over [learnt queries;
    entity tokens; words], which attends to the reference's tokens; V_k = normalise(W_v h_k) of the learnt
    queries alone over a picture's. Score: max_k <q, V_k>.

    Args:
        image_width, text_width: of the backbone's tokens. tokens: N_v. width: D. Others: see the options.
    """

    Options = FineCIROptions
    query_inputs = gallery_inputs = Inputs.TOKENS

    def __init__(
        self,
        image_width: int,
        text_width: int,
        image_tokens: int,
        width: int,
        heads: int,
        queries: int,
        layers: int,
        entities: int,
        nodes: int,
        parser: str,
        tokens: str,
        parser_options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.width, self.vectors, self.entities, self.nodes = width, queries, entities, nodes
        config = Blip2QFormerConfig(
            **{"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads},
            **{"intermediate_size": 2 * width, "encoder_hidden_size": image_width},
            **{"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.05},
            **{"cross_attention_frequency": 1, "use_qformer_text_input": True},
        )
        self.qformer = Blip2QFormerModel(config)
        self.queries = nn.Parameter(torch.randn(queries, width) * 0.5)
        self.positions = nn.Parameter(torch.randn(image_tokens, image_width) * 0.5)
        self.word_in = nn.Linear(text_width, width)
        self.vision_out, self.text_out = nn.Linear(width, width), nn.Linear(width, width)
        self.learnt = self.attention = None
        if tokens == "learnt":
            self.learnt = nn.Parameter(torch.randn(entities, width) * 0.5)
        else:
            self.words = nn.Embedding(WORDS, width, padding_idx=0)
            self.attention = SubjectAttention(width, heads)
            self._parse = make_parser(parser, parser_options)
            self._known: dict[str, list[list[str]]] = {}
            """The graphs of the texts so far."""

    @classmethod
    def check(cls, config: RetrievalConfig, options: FineCIROptions, key: str = "composer") -> None:
        make_parser(options.parser, options.parser_options)

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: FineCIROptions, backbone: Backbone) -> dict[str, Any]:
        shape = {"image_width": backbone.image_width, "text_width": backbone.text_width}
        shape |= {"image_tokens": backbone.image_tokens}
        return {**shape, "width": config.fusion.width, "heads": config.fusion.heads, **vars(options)}

    @classmethod
    def query_width(cls, config: RetrievalConfig, backbone: Backbone) -> int:
        return config.fusion.width

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        words = self.word_in(text.tokens)
        entities, there = self.entity_tokens(text.texts, words.device)
        queries = self.queries.expand(len(words), -1, -1)
        mask = torch.cat([there.new_ones(queries.shape[:2]), there, text.mask], dim=1)
        out = self.qformer(
            query_embeds=torch.cat([queries, entities.to(words.dtype), words], dim=1),
            query_length=self.vectors + self.entities,
            attention_mask=mask.long(),
            encoder_hidden_states=reference.tokens + self.positions,
        ).last_hidden_state
        return normalize(self.text_out(out[:, self.vectors]).float(), dim=-1)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N T D"]:
        out = self.qformer(
            query_embeds=self.queries.expand(len(pictures), -1, -1),
            encoder_hidden_states=pictures.tokens + self.positions,
        ).last_hidden_state
        return normalize(self.vision_out(out).float(), dim=-1)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N T D"]) -> Float[Tensor, "B N"]:
        return max_over_vectors(queries, vectors)

    def entity_tokens(
        self, texts: Sequence[str], device: torch.device
    ) -> tuple[Float[Tensor, "B M D"], Bool[Tensor, "B M"]]:
        """The M entity tokens of each text, and which of them are there."""
        if self.attention is None:
            there = torch.ones(len(texts), self.entities, dtype=torch.bool, device=device)
            return self.learnt.expand(len(texts), -1, -1), there
        ids = self.node_words(texts).to(device)  # (B, M, N, W)
        known = ids > 0
        count = known.sum(-1, keepdim=True).clamp(min=1)
        nodes = self.words(ids).sum(-2) / count  # (B, M, N, D)
        valid = known.any(-1)  # (B, M, N)
        out = self.attention(nodes.flatten(0, 1), star(valid.flatten(0, 1)))[:, 0]
        there = valid[:, :, 0]
        return out.unflatten(0, ids.shape[:2]) * there[..., None], there

    def node_words(self, texts: Sequence[str]) -> Int[Tensor, "B M N W"]:
        """The word rows of the nodes of each text's graphs, padded with 0."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            for text, graph in zip(new, self._parse(new), strict=True):
                nodes = (graph or SceneGraph()).subject_graphs(self.entities, self.nodes)
                self._known[text] = nodes or [["it"]]
        graphs = [self._known[text] for text in texts]
        rows = [
            [[[word_row(w) for w in node.split()] for node in graph] for graph in some] for some in graphs
        ]
        longest = max(len(node) for some in rows for graph in some for node in graph)
        ids = torch.zeros(len(texts), self.entities, self.nodes, longest, dtype=torch.long)
        for i, some in enumerate(rows):
            for j, graph in enumerate(some):
                for k, node in enumerate(graph):
                    ids[i, j, k, : len(node)] = torch.tensor(node)
        return ids


def word_row(word: str) -> int:
    return 1 + crc32(word.encode()) % (WORDS - 1)
