"""Frozen towers' features: computed once, known by content and by who computed them."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from cdd_icm.data import PictureCache, load_dialogs, pictures_of
from cdd_icm.errors import InputError
from retrieval.backbones.clip import CLIPBackbone
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
    seen = model.backbone.encode_image(features.pixels(wanted))
    found = features.images(wanted, model.composer.query_inputs)
    torch.testing.assert_close(found.pooled, seen.pooled)
    assert not features.pixels([BLANK]).any() and features.pixels([keys[0]]).any()
    asked = [TEXTS[1], "", TEXTS[0]]
    read = model.backbone.encode_text(model.backbone.tokenize(asked))
    texts = features.texts(asked)
    assert read.texts == texts.texts == tuple(asked)
    torch.testing.assert_close(texts.pooled, read.pooled)
    assert torch.equal(texts.mask, read.mask)
    if composer == "fusion":
        torch.testing.assert_close(found.tokens, seen.tokens)
        torch.testing.assert_close(texts.tokens, read.tokens)
    else:  # tokens are not kept for who doesn't use them
        assert found.tokens is None and texts.tokens is None
    torch.testing.assert_close(
        model.composer.encode_query(found[:3], texts), model.composer.encode_query(seen[:3], read)
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
    encode = CLIPBackbone.encode_image
    monkeypatch.setattr(
        CLIPBackbone,
        "encode_image",
        lambda self, pixels: computed.append(len(pixels)) or encode(self, pixels),
    )
    FrozenFeatures(tmp_path, model, cache, keys[:3], TEXTS)
    FrozenFeatures(tmp_path, make_model("tirg"), cache, keys[:3], TEXTS)  # the same towers under another head
    assert computed == []
    FrozenFeatures(tmp_path, model, cache, keys, TEXTS)
    assert computed == [len(keys) - 3]
    FrozenFeatures(tmp_path, make_model("combiner", seed=1), cache, keys, TEXTS)
    assert computed[1:] == [len(keys) + 1]
    assert len(list((tmp_path / "features").iterdir())) == 2


def computing(asked):
    def compute(keys):
        asked.extend(keys)
        return torch.tensor([[float(key), -float(key)] for key in keys])

    return compute


@pytest.mark.parametrize(
    "left_by_a_kill",
    [
        {"rows.f32": b"\0" * 12},  # rows that the index doesn't name yet
        {"rows.f32": b"\0" * 16, "rows.keys": b"2"},  # a part of a key
        {"rows.keys": b"2\n3\n"},  # keys whose rows the disk lost
    ],
)
def test_a_killed_writer_is_resumed(tmp_path, left_by_a_kill):
    asked: list[str] = []
    FeatureCache(tmp_path, "rows", 2).add(["1", "20"], computing(asked))
    for name, end in left_by_a_kill.items():
        with open(tmp_path / name, "ab") as file:
            file.write(end)
    cache = FeatureCache(tmp_path, "rows", 2)
    assert list(cache.rows) == ["1", "20"]
    cache.add(["20", "3", "3"], computing(asked))
    assert asked == ["1", "20", "3"]
    assert cache[["3", "1", "20"]].tolist() == [[3, -3], [1, -1], [20, -20]]
    assert FeatureCache(tmp_path, "rows", 2)[["3"]].tolist() == [[3, -3]]
    (tmp_path / "rows.f32").write_bytes((tmp_path / "rows.f32").read_bytes()[:17])  # the disk lost the end
    assert list(FeatureCache(tmp_path, "rows", 2).rows) == ["1", "20"]


def test_rows_and_keys_are_only_ever_appended(tmp_path, monkeypatch):
    """What is on the disk stays as it is, whatever the number of rows."""
    monkeypatch.setattr("cdd_icm.data.rows.CHUNK", 2)
    contents = []
    for count in (1, 4, 9):
        FeatureCache(tmp_path, "rows", 2).add(map(str, range(count)), computing([]))
        contents.append([(tmp_path / f"rows.{kind}").read_bytes() for kind in ("f32", "keys")])
    for before, after in pairwise(contents):
        assert all(longer.startswith(shorter) for shorter, longer in zip(before, after, strict=True))


def test_a_cache_of_the_earlier_format_is_built_anew(tmp_path):
    (tmp_path / "rows.f32").write_bytes(b"\1" * 24)
    (tmp_path / "rows.json").write_text('{"width": 2, "keys": ["1", "2", "3"]}')
    cache = FeatureCache(tmp_path, "rows", 2)
    cache.add(["2"], computing([]))
    assert cache[["2"]].tolist() == [[2, -2]] and list(cache.rows) == ["2"]


@pytest.mark.parametrize("content", [b"width 2\n1\n", b"width 1\n1\n1\n", b"\xff\n", b"1\n"])
def test_a_damaged_index_is_named(tmp_path, content):
    FeatureCache(tmp_path, "rows", 1).add(["1"], lambda keys: torch.ones(len(keys), 1))
    (tmp_path / "rows.keys").write_bytes(content)
    with pytest.raises(InputError, match=r"rows\.keys: damaged index of the feature cache; delete it"):
        FeatureCache(tmp_path, "rows", 1)
