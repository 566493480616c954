from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from retrieval.backbones.base import ImageFeatures, TextFeatures
from retrieval.benchmarks import Benchmark, Query
from retrieval.evaluation.ranking import rank
from retrieval.systems.combiner import Combiner
from retrieval.systems.multivector import MultiVector
from retrieval.systems.patches import ProjectedPatches
from retrieval.systems.pooled import ImageOnly, Sum, TextOnly
from retrieval.systems.scores import max_over_vectors
from retrieval.systems.tirg import TIRG

DIM, TOKENS, WIDTH = 12, 5, 7


def features(batch: int, seed: int = 0) -> tuple[ImageFeatures, TextFeatures]:
    generator = torch.Generator().manual_seed(seed)
    pooled, words = torch.randn(2, batch, DIM, generator=generator)
    return ImageFeatures(pooled, torch.randn(batch, TOKENS, WIDTH, generator=generator)), TextFeatures(words)


def every_system() -> list:
    torch.manual_seed(0)
    single = [ImageOnly(), TextOnly(), Sum(), TIRG(DIM), Combiner(DIM)]
    patches = {"composer": "tirg", "options": {"dim": DIM}}
    patches |= {"token_width": WIDTH, "tokens": TOKENS, "dim": DIM}
    learnt = [
        MultiVector(name, options, WIDTH, TOKENS, DIM, 3)
        for name, options in (("sum", {}), ("tirg", {"dim": DIM}))
    ]
    several = [
        MultiVector(name, options, WIDTH, TOKENS, DIM)
        for name, options in (
            ("combiner", {"dim": DIM}),
            ("image", {}),
            ("patch-projection", patches),
            ("text", {}),
        )
    ]
    return [composer.eval() for composer in single + learnt + several]


def system_id(composer) -> str:
    return "-".join(type(part).__name__ for part in (composer, getattr(composer, "composer", None)) if part)


@pytest.mark.parametrize("composer", every_system(), ids=system_id)
def test_queries_and_vectors_have_unit_length(composer):
    reference, text = features(6)
    queries, vectors = composer.encode_query(reference, text), composer.encode_gallery(reference)
    torch.testing.assert_close(queries.norm(dim=-1), torch.ones(6))
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(vectors.shape[:-1]))
    scores = composer.score(queries, vectors)
    assert scores.shape == (6, 6) and scores.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("composer", every_system(), ids=system_id)
def test_an_item_of_a_batch_equals_that_item_alone(composer):
    reference, text = features(6)
    alone = composer.encode_query(reference[2:3], TextFeatures(text.pooled[2:3]))
    torch.testing.assert_close(composer.encode_query(reference, text)[2:3], alone)


@pytest.mark.parametrize("composer", every_system(), ids=system_id)
def test_every_weight_learns(composer):
    composer.train()
    reference, text = features(16)
    target, _ = features(16, seed=1)
    scores = composer.score(composer.encode_query(reference, text), composer.encode_gallery(target))
    loss = cross_entropy(composer.logit_scale * scores, torch.arange(16))
    if list(composer.parameters()):
        loss.backward()
        assert all(weight.grad is not None and weight.grad.any() for weight in composer.parameters())


@pytest.mark.parametrize("composer", every_system(), ids=system_id)
def test_it_is_a_similarity_that_evaluation_can_rank_by(composer):
    """Each picture is its own target, and the text says nothing new: it must be found as often as it scores
    best."""
    queries = tuple(Query(str(i), str(i), ("same",), (str(i),)) for i in range(20))
    benchmark = Benchmark("own", "val", queries, {"all": tuple(map(str, range(20)))}, recall_at=(1,))
    with torch.no_grad():
        reference, text = features(20)
        composed, vectors = composer.encode_query(reference, text), composer.encode_gallery(reference)
        best = composer.score(composed, vectors).argmax(1)
        found = rank(benchmark, composed, vectors, composer.score).target == 1
    assert torch.equal(found, best == torch.arange(20))


def test_one_modality_alone_ignores_the_other():
    reference, text = features(3)
    other_reference, other_text = features(3, seed=1)
    image_only, text_only = ImageOnly(), TextOnly()
    assert torch.equal(
        image_only.encode_query(reference, text), image_only.encode_query(reference, other_text)
    )
    assert torch.equal(text_only.encode_query(reference, text), text_only.encode_query(other_reference, text))
    # a picture that is its own target is found by the picture alone
    scores = image_only.score(image_only.encode_query(reference, text), image_only.encode_gallery(reference))
    assert scores.argmax(1).tolist() == [0, 1, 2]


def test_the_sum_adds_features_before_it_normalises():
    image, text = ImageFeatures(torch.tensor([[3.0, 0.0]])), TextFeatures(torch.tensor([[0.0, 4.0]]))
    torch.testing.assert_close(Sum().encode_query(image, text), torch.tensor([[0.6, 0.8]]))


def test_tirg_is_its_formula():
    torch.manual_seed(1)
    tirg = TIRG(DIM).eval()
    for norm in (tirg.gate[0], tirg.residual[0]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    reference, text = features(4)
    x, t = reference.pooled, text.pooled
    z = torch.cat([x, t], dim=1)

    def rectified(norm):
        return ((z - norm.running_mean) / (norm.running_var + norm.eps).sqrt()).relu()

    gate = tirg.gate[2](rectified(tirg.gate[0])).sigmoid()
    residual = tirg.residual[4](tirg.residual[2](rectified(tirg.residual[0])).relu())
    torch.testing.assert_close(
        tirg.encode_query(reference, text), normalize(1 * gate * x + 10 * residual, dim=1)
    )
    assert tirg.logit_scale.item() == 16


def test_tirg_with_an_open_gate_and_no_residual_keeps_the_reference():
    tirg = TIRG(DIM).eval()
    reference, text = features(4)
    with torch.no_grad():
        tirg.gate[-1].weight.zero_()
        tirg.gate[-1].bias.fill_(50)
        for part in (tirg.residual[-1].weight, tirg.residual[-1].bias):
            part.zero_()
    torch.testing.assert_close(tirg.encode_query(reference, text), ImageOnly().encode_query(reference, text))


@pytest.mark.parametrize(("bias", "kept"), [(50.0, TextOnly), (-50.0, ImageOnly)])
def test_the_combiner_goes_from_the_reference_to_the_text(bias, kept):
    """lambda = 1 is the text, lambda = 0 the reference, where the mixture v is nothing."""
    combiner = Combiner(DIM).eval()
    reference, text = features(4)
    with torch.no_grad():
        for part in (combiner.mixture[-1].weight, combiner.mixture[-1].bias, combiner.balance[-1].weight):
            part.zero_()
        combiner.balance[-1].bias.fill_(bias)
    torch.testing.assert_close(combiner.encode_query(reference, text), kept().encode_query(reference, text))


@pytest.mark.slow
def test_the_combiner_has_the_published_shape():
    """640-d CLIP RN50x4: projection 2560, hidden 5120."""
    sizes = {
        name: tuple(weight.shape) for name, weight in Combiner(640).named_parameters() if "weight" in name
    }
    assert sizes == {
        "text_in.0.weight": (2560, 640),
        "image_in.0.weight": (2560, 640),
        "mixture.0.0.weight": (5120, 5120),
        "mixture.1.weight": (640, 5120),
        "balance.0.0.weight": (5120, 5120),
        "balance.1.weight": (1, 5120),
    }


def test_the_best_vector_of_a_picture_scores():
    generator = torch.Generator().manual_seed(0)
    queries, vectors = (
        torch.randn(3, DIM, generator=generator),
        torch.randn(4, TOKENS, DIM, generator=generator),
    )
    scores = max_over_vectors(queries, vectors)
    for i, j in [(0, 0), (1, 3), (2, 2)]:
        assert float(scores[i, j]) == pytest.approx(max(float(queries[i] @ vector) for vector in vectors[j]))
    torch.testing.assert_close(max_over_vectors(queries, vectors[:, :1]), queries @ vectors[:, 0].T)
    assert (scores >= max_over_vectors(queries, vectors[:, :2])).all()


def test_multi_vector_keeps_the_queries_and_scores_by_tokens():
    several = MultiVector("combiner", {"dim": DIM}, WIDTH, TOKENS, DIM).eval()
    reference, text = features(3)
    queries = several.encode_query(reference, text)
    assert torch.equal(queries, several.composer.encode_query(reference, text))
    tokens = several.token_out(reference.tokens)
    expected = cosine_similarity(queries[:, None, None], tokens[None], dim=-1).amax(-1)
    torch.testing.assert_close(several.score(queries, several.encode_gallery(reference)), expected)


def test_a_single_learnt_vector_is_the_projection_of_all_patch_tokens():
    """With the same weights it is the wrapped system with one vector, and the score that vector's cosine."""
    torch.manual_seed(0)
    one = ProjectedPatches("tirg", {"dim": DIM}, WIDTH, TOKENS, DIM).eval()
    several = MultiVector("tirg", {"dim": DIM}, WIDTH, TOKENS, DIM, vectors=1).eval()
    several.composer.load_state_dict(one.composer.state_dict())
    several.token_out[0].load_state_dict(one.projection.state_dict())
    reference, text = features(4)
    queries, vectors = several.encode_query(reference, text), several.encode_gallery(reference)
    torch.testing.assert_close(queries, one.encode_query(reference, text))
    torch.testing.assert_close(vectors[:, 0], one.encode_gallery(reference))
    torch.testing.assert_close(several.score(queries, vectors), queries @ vectors[:, 0].T)


def test_the_query_has_the_mean_of_the_references_learnt_vectors():
    several = MultiVector("image", {}, WIDTH, TOKENS, DIM, vectors=3).eval()
    reference, text = features(4)
    expected = normalize(several.token_out(reference.tokens).mean(1), dim=-1)
    torch.testing.assert_close(several.encode_query(reference, text), expected)
