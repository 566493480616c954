"""FineCIR's equations on tiny data: graph attention, masks, the place that is read, and what trains."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, leaky_relu

from retrieval.backbones.base import ImageFeatures, TextFeatures
from retrieval.parsing.rules import parse
from retrieval.systems.base import TrainingBatch
from retrieval.systems.finecir import FineCIR, SubjectAttention, star, word_row
from tests.retrieval.conftest import OPTIONS

TEXTS = ("add a red cube behind the sphere", "is longer", "")


def features(texts=TEXTS, seed: int = 0) -> tuple[ImageFeatures, TextFeatures]:
    generator = torch.Generator().manual_seed(seed)
    images = ImageFeatures(tokens=torch.randn(len(texts), 16, 32, generator=generator))
    words = torch.randn(len(texts), 7, 32, generator=generator)
    lengths = torch.tensor([len(text.split()) for text in texts])
    mask = torch.arange(7) < lengths[:, None].clamp(min=1)
    return images, TextFeatures(tokens=words, mask=mask, texts=tuple(texts))


def make(**changed) -> FineCIR:
    torch.manual_seed(0)
    return FineCIR(**{**OPTIONS["finecir"], **changed}).eval()


def test_graph_attention_is_its_formula():
    torch.manual_seed(0)
    attention = SubjectAttention(8, heads=2)
    x = torch.randn(1, 3, 8)
    adjacent = star(torch.tensor([[True, True, False]]))
    assert adjacent.int().tolist() == [[[1, 1, 0], [1, 1, 0], [0, 0, 1]]]
    out = attention(x, adjacent)[0, 0]
    mixed = []
    for head in range(2):
        own, other, value = (
            part.weight[4 * head : 4 * head + 4] @ x[0].T
            for part in (attention.own, attention.other, attention.value)
        )
        e = [attention.a[head] @ leaky_relu(own[:, 0] + other[:, j], 0.2) for j in (0, 1)]
        alpha = torch.stack(e).softmax(0)
        mixed.append(own[:, 0] + alpha[0] * value[:, 0] + alpha[1] * value[:, 1])
    torch.testing.assert_close(out, attention.norm(torch.cat(mixed)).relu())


def test_a_graph_has_its_subject_first_and_relations_as_attributes():
    graphs = parse("Add a red cube behind the small sphere").subject_graphs(max_entities=2, max_nodes=3)
    assert graphs == [["cube", "red", "behind sphere"], ["sphere", "small", "cube behind"]]
    ids = make().node_words(["a red cube", "is longer"])
    assert ids.shape == (2, 3, 4, 1)
    assert ids[0, 0, :, 0].tolist() == [word_row("cube"), word_row("red"), 0, 0]
    assert not ids[:, 1:].any()


def test_a_text_without_an_entity_has_one():
    tokens, there = make().entity_tokens(TEXTS, torch.device("cpu"))
    assert there.tolist() == [[True, True, False], [True, False, False], [True, False, False]]
    assert tokens.shape == (3, 3, 32) and not tokens[~there].any()


def test_padding_changes_nothing():
    """Neither words nor entities that are not there; an item of a batch equals that item alone."""
    system = make()
    images, text = features()
    queries = system.encode_query(images, text)
    noise = text.tokens.masked_fill(~text.mask[..., None], 9.0)
    torch.testing.assert_close(
        queries, system.encode_query(images, TextFeatures(None, noise, text.mask, TEXTS))
    )
    alone = TextFeatures(None, text.tokens[1:2], text.mask[1:2], TEXTS[1:2])
    torch.testing.assert_close(queries[1:2], system.encode_query(images[1:2], alone))
    more = make(entities=5)
    more.load_state_dict(system.state_dict())
    torch.testing.assert_close(queries, more.encode_query(images, text))


def test_entities_and_words_and_reference_each_change_the_query():
    system = make()
    images, text = features()
    queries = system.encode_query(images, text)
    other, words = features(seed=1)
    parsed = TextFeatures(None, text.tokens, text.mask, ("add a blue cube", *TEXTS[1:]))
    assert not torch.allclose(queries[0], system.encode_query(images, parsed)[0])
    assert torch.allclose(queries[1:], system.encode_query(images, parsed)[1:])
    assert not torch.allclose(queries, system.encode_query(other, text))
    assert not torch.allclose(queries, system.encode_query(images, words))


def test_the_loss_is_contrastive_over_the_best_vectors():
    system = make()
    images, text = features()
    targets, _ = features(seed=2)
    batch = TrainingBatch(images, targets, text, reference_negatives=False)
    q, v = system.encode_query(images, text), system.encode_gallery(targets)
    scores = system.logit_scale * torch.einsum("bd,ntd->bnt", q, v).amax(-1)
    rows = torch.arange(3)
    expected = (cross_entropy(scores, rows) + cross_entropy(scores.T, rows)) / 2
    torch.testing.assert_close(system.loss(batch)["loss"], expected)


def test_gradients_reach_attention_and_queries_and_the_ablation_has_no_graph():
    for tokens, trained in (("entities", "attention.a"), ("learnt", "learnt")):
        system = make(tokens=tokens).train()
        images, text = features()
        system.loss(TrainingBatch(images, images, text, reference_negatives=False))["loss"].backward()
        weights = dict(system.named_parameters())
        assert all(weights[name].grad.any() for name in (trained, "queries", "positions", "word_in.weight"))
        assert ("words.weight" in weights) == (tokens == "entities")
