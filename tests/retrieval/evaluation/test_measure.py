"""A benchmark's vectors: those that the model gives, and of frozen towers nothing is seen twice."""

import json
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from cdd_icm.data.picture import to_square
from cdd_icm.model.backbone import CLIPTowers
from retrieval.benchmarks import read_benchmark
from retrieval.cli import main
from retrieval.evaluation.measure import ROWS, encode, measure
from retrieval.evaluation.report import read_report
from retrieval.train.trainer import train
from tests.retrieval.conftest import SAMPLE


@pytest.fixture(scope="module")
def benchmark():
    """Turns of the sample, one of them in two wordings."""
    dialogs = read_benchmark("dialogs", SAMPLE, {"split": "test"})
    first, *others = dialogs.queries
    return replace(dialogs, queries=(replace(first, texts=(*first.texts, "Add a red cube")), *others))


@pytest.fixture
def towers_at_work(monkeypatch):
    """The shapes of what the towers were given."""
    given = []

    def watched(encode):
        return lambda self, x: given.append(tuple(x.shape)) or encode(self, x)

    for name in ("encode_image", "encode_text"):
        monkeypatch.setattr(CLIPTowers, name, watched(getattr(CLIPTowers, name)))
    return given


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("composer", ["fusion", "matching", "multi-vector", "sum"])
def test_the_vectors_are_those_of_the_model(make_model, benchmark, tmp_path, composer, frozen):
    model = make_model(composer)
    encoded = encode(model, benchmark, ROWS, 4, tmp_path, frozen)
    squares = {
        id: torch.tensor(to_square(benchmark.pictures[id].decode(), 32)).permute(2, 0, 1)
        for id in benchmark.picture_ids
    }
    torch.testing.assert_close(encoded.pictures, model.encode_gallery(torch.stack([*squares.values()])))
    for row, vectors in encoded.queries.items():
        for query, vector in zip(benchmark.queries, vectors, strict=True):
            n = 1 if row == "image only" else len(query.texts)
            picture = None if row == "text only" else torch.stack([squares[query.reference]] * n)
            texts = None if row == "image only" else query.texts
            by_wording = model.encode_query(picture, texts, [query.history] * n)
            torch.testing.assert_close(vector, normalize(by_wording.sum(0), dim=0))


@pytest.mark.slow
@pytest.mark.parametrize("composer", ["fusion", "matching", "sum"])
def test_features_of_frozen_towers_are_computed_once(
    make_model, benchmark, tmp_path, towers_at_work, composer
):
    model = make_model(composer)
    first = encode(model, benchmark, ROWS, 4, tmp_path, frozen=True)
    pictures = [n for n, *other in towers_at_work if other == [3, 32, 32]]
    seen = {query.reference for query in benchmark.queries} if composer == "matching" else benchmark.row
    assert sum(pictures) == len({benchmark.pictures[id].key for id in seen}) + 1  # and the blank one
    towers_at_work.clear()
    second = encode(make_model(composer), benchmark, ROWS, 4, tmp_path, frozen=True)
    assert towers_at_work == []
    assert torch.equal(first.pictures, second.pictures)
    assert all(torch.equal(first.queries[row], second.queries[row]) for row in ROWS)
    warm = measure(model, benchmark, 4, tmp_path, frozen=True)
    assert towers_at_work == [] and warm == measure(model, benchmark, 4, tmp_path / "cold", frozen=True)
    towers_at_work.clear()
    model.towers.clip.visual.proj[0, 0] += 1e-3
    encode(model, benchmark, ROWS, 4, tmp_path, frozen=True)
    assert len(towers_at_work) > 0


def test_features_are_kept_of_models_that_were_trained_on_frozen_towers(
    make_model, make_config, tmp_path, towers_at_work
):
    """What validation saw, the command evaluate need not see."""
    make_model("sum").save_pretrained(tmp_path / "towers")
    cache = tmp_path / "cache"

    def evaluated(frozen):
        config = make_config(
            "tirg",
            init=str(tmp_path / "towers"),
            encoder__trainable_blocks=0 if frozen else None,
            data__cache_dir=str(cache),
            output_dir=str(tmp_path / f"frozen {frozen}"),
            training__total_samples=4,
        )
        folder, out = train(config), tmp_path / "report.json"
        towers_at_work.clear()
        arguments = ["evaluate", "--model", folder, "--data", SAMPLE, "--split", "val", "--report", out]
        assert main([*map(str, arguments), "--cache-dir", str(cache), "--device", "cpu"]) == 0
        validated = folder.parent / "validation" / "000000004.json"
        return read_report(out)["rows"], json.loads(validated.read_text())

    rows, validated = evaluated(frozen=False)
    assert towers_at_work and not (cache / "features").exists() and rows == validated
    rows, validated = evaluated(frozen=True)
    assert not towers_at_work and rows == validated
