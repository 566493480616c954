"""Frozen towers' features: computed once, known by content and by who computed them."""

import json
from pathlib import Path

import pytest
import torch

from cdd_icm.data import PictureCache, load_dialogs, pictures_of
from cdd_icm.errors import InputError
from retrieval.features import BLANK, FeatureCache, FrozenFeatures
from tests.retrieval.conftest import SAMPLE

TEXTS = ["add a red cube", "add a blue sphere behind it"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    found = {picture.key: picture for picture in list(pictures_of(load_dialogs(SAMPLE, "test")))[:6]}
    cache = PictureCache.open_or_build(
        tmp_path_factory.mktemp("pictures"), found.values(), 32, progress=False
    )
    return cache, list(found)


@pytest.mark.parametrize("composer", ["combiner", "fusion"])
def test_cached_features_are_those_of_the_towers(make_model, pictures, tmp_path, composer):
    model, (cache, keys) = make_model(composer), pictures
    features = FrozenFeatures(tmp_path, model, cache, keys, TEXTS)
    wanted = [keys[2], BLANK, keys[0], keys[2]]
    seen, found = model.see(features.pixels(wanted)), features.images(wanted)
    torch.testing.assert_close(found.pooled, seen.pooled)
    assert not features.pixels([BLANK]).any() and features.pixels([keys[0]]).any()
    read, texts = model.read([TEXTS[1], "", TEXTS[0]]), features.texts([TEXTS[1], "", TEXTS[0]])
    torch.testing.assert_close(texts.pooled, read.pooled)
    assert torch.equal(texts.mask, read.mask)
    if composer == "fusion":
        torch.testing.assert_close(found.tokens, seen.tokens)
        torch.testing.assert_close(texts.tokens, read.tokens)
    else:  # tokens are not kept for who doesn't use them
        assert found.tokens is None and texts.tokens is None
    torch.testing.assert_close(
        model.composer.compose(found[:3], texts), model.composer.compose(seen[:3], read)
    )


def test_a_place_that_can_not_be_written():
    with pytest.raises(InputError, match=r"/dev/null/x/a\.f32: can't be written \(Not a directory\)"):
        FeatureCache(Path("/dev/null/x"), "a", 2).add(["b"], lambda keys: torch.zeros(1, 2))


def test_nothing_is_computed_twice_and_other_towers_have_their_own(
    make_model, pictures, tmp_path, monkeypatch
):
    model, (cache, keys) = make_model("combiner"), pictures
    FrozenFeatures(tmp_path, model, cache, keys[:3], TEXTS)
    computed = []
    see = type(model).see
    monkeypatch.setattr(
        type(model), "see", lambda self, pixels: computed.append(len(pixels)) or see(self, pixels)
    )
    FrozenFeatures(tmp_path, model, cache, keys[:3], TEXTS)
    FrozenFeatures(tmp_path, make_model("tirg"), cache, keys[:3], TEXTS)  # the same towers under another head
    assert computed == []
    FrozenFeatures(tmp_path, model, cache, keys, TEXTS)
    assert computed == [len(keys) - 3]
    FrozenFeatures(tmp_path, make_model("combiner", seed=1), cache, keys, TEXTS)
    assert computed[1:] == [len(keys) + 1]
    assert len(list((tmp_path / "features").iterdir())) == 2


def test_what_a_killed_writer_left_is_taken_up(tmp_path):
    def compute(keys):
        asked.extend(keys)
        return torch.tensor([[float(key), -float(key)] for key in keys])

    asked: list[str] = []
    FeatureCache(tmp_path, "rows", 2).add(["1", "2"], compute)
    with open(tmp_path / "rows.f32", "ab") as file:  # rows that no index names yet
        file.write(b"\0" * 12)
    cache = FeatureCache(tmp_path, "rows", 2)
    cache.add(["2", "3", "3"], compute)
    assert asked == ["1", "2", "3"]
    assert cache[["3", "1", "2"]].tolist() == [[3, -3], [1, -1], [2, -2]]
    assert FeatureCache(tmp_path, "rows", 2)[["3"]].tolist() == [[3, -3]]
    (tmp_path / "rows.f32").write_bytes((tmp_path / "rows.f32").read_bytes()[:17])  # the disk lost the end
    assert list(FeatureCache(tmp_path, "rows", 2).rows) == ["1", "2"]


def test_a_damaged_index_is_named(tmp_path):
    FeatureCache(tmp_path, "rows", 1).add(["1"], lambda keys: torch.ones(len(keys), 1))
    (tmp_path / "rows.json").write_text(json.dumps({"width": 2, "keys": ["1"]}))
    with pytest.raises(InputError, match=r"rows\.json: damaged index of the feature cache; delete it"):
        FeatureCache(tmp_path, "rows", 1)
