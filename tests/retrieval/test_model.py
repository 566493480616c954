"""A model in a folder: the same vectors, a fingerprint that knows it, and one line for what can't be read."""

import json
import math

import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from cdd_icm.data.picture import to_float
from cdd_icm.errors import InputError
from cdd_icm.model.backbone import Encoded
from cdd_icm.model.prompt import TURN_SEPARATOR, compose_text
from cdd_icm.model.tokenizer import tokenize
from cdd_icm.sampling.inputs import to_reference
from cdd_icm.sampling.loading import load_pipeline
from retrieval.model import RetrievalModel
from retrieval.systems.registry import SYSTEMS
from tests.retrieval.conftest import SAMPLE

TEXTS = ["add a red cube", "add a blue sphere behind it", "add a gray cube on the left of it"]
HISTORY = [[], ["add a red cube"], ["add a red cube", "add a green sphere"]]


@pytest.fixture(scope="module")
def pictures():
    return torch.randint(
        0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def vectors(model, pictures):
    return model.encode_gallery(pictures), model.encode_query(pictures, TEXTS, HISTORY)


@pytest.mark.parametrize("composer", SYSTEMS)
def test_saved_and_loaded_it_gives_the_same_vectors(make_model, composer, pictures, tmp_path):
    model = make_model(composer)
    before = vectors(model, pictures)
    several = (4,) if composer in ("finecir", "multi-vector") else ()
    assert model.vectors == math.prod(several)
    assert [out.shape for out in before] == [(3, *several, model.width), (3, model.width)]
    for out in before:
        assert out.dtype == torch.float32
        torch.testing.assert_close(out.norm(dim=-1), torch.ones(out.shape[:-1]))
    model.save_pretrained(tmp_path / "model")
    loaded = RetrievalModel.from_pretrained(tmp_path / "model")
    assert all(torch.equal(*pair) for pair in zip(before, vectors(loaded, pictures), strict=True))
    assert (loaded.fingerprint, loaded.width) == (model.fingerprint, model.width)
    assert (loaded.image_size, loaded.history) == (32, 1) and not loaded.training
    assert {file.suffix for file in (tmp_path / "model").rglob("*.*")} == {".json", ".safetensors"}


def test_the_fusion_systems_are_their_modules_put_together_by_hand(make_model, pictures):
    texts = [compose_text(text, past, 1) for text, past in zip(TEXTS, HISTORY, strict=True)]
    assert texts[2] == f"add a gray cube on the left of it{TURN_SEPARATOR}add a green sphere"
    pixels = to_float(pictures)

    model = make_model("fusion")
    encoded = model.towers(pixels, *tokenize(model.backbone.tokenizer, texts))
    assert isinstance(encoded, Encoded)
    c, f = model.composer, model.composer.fusion(encoded).query
    squeeze, _, norm, out = c.places
    projected = out(norm((encoded.image_tokens @ squeeze.weight.T + squeeze.bias).reshape(3, 16 * 32)))
    gate = c.keep(f).sigmoid()
    query = gate * projected + (1 - gate) * c.text_out(encoded.text_pooled) + c.query_out(f)
    gallery, queries = vectors(model, pictures)
    torch.testing.assert_close(queries, query / query.norm(dim=1, keepdim=True))
    torch.testing.assert_close(gallery, projected / projected.norm(dim=1, keepdim=True))

    model = make_model("matching")
    fusion, matcher, clean = model.composer.fusion, model.composer.matcher, torch.zeros(3, dtype=torch.long)
    f = fusion(model.towers(pixels, *tokenize(model.backbone.tokenizer, texts))).query
    gallery, queries = vectors(model, pictures)
    torch.testing.assert_close(queries, matcher.embed_query(f))
    torch.testing.assert_close(gallery, matcher.embed_image(pixels, clean))
    scores = model.composer.logit_scale * (queries * gallery).sum(dim=1)
    torch.testing.assert_close(scores, matcher(pixels, clean, f))


@pytest.mark.slow
def test_a_pipeline_that_draws_is_a_retrieval_model(pictures):
    folder = SAMPLE.parent / "pretrained" / "iclevr"
    model, pipeline = RetrievalModel.from_pretrained(folder), load_pipeline(folder, "cpu", "fp32")
    assert (model.composer_name, model.image_size, model.history) == (
        "matching",
        128,
        pipeline.config.history,
    )
    images = (Image.open(SAMPLE / "images" / f"CLEVR_test_00000{i}_1.webp") for i in range(2))
    seen = torch.stack([to_reference(image, 128) for image in images])
    stored = ((seen + 1) * 127.5).round().to(torch.uint8)
    with torch.no_grad():
        fused = pipeline.encode(to_float(stored), [compose_text(TEXTS[1], HISTORY[1], 1)] * 2)
        query = pipeline.matcher.embed_query(fused.query)
        gallery = pipeline.matcher.embed_image(to_float(stored), torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(model.encode_query(stored, [TEXTS[1]] * 2, [HISTORY[1]] * 2), query)
    torch.testing.assert_close(model.encode_gallery(stored), gallery)


@pytest.mark.parametrize("composer", SYSTEMS)
def test_half_precision_weights_give_unit_vectors_much_the_same(make_model, composer, pictures):
    model = make_model(composer)
    whole = vectors(model, pictures)
    for half, single in zip(vectors(model.bfloat16(), pictures), whole, strict=True):
        assert half.dtype == torch.float32
        torch.testing.assert_close(half.norm(dim=-1), torch.ones(half.shape[:-1]))
        assert (half * single).sum(dim=-1).min() > 0.98


@pytest.mark.parametrize("composer", SYSTEMS)
def test_an_item_of_a_batch_equals_that_item_alone(make_model, composer, pictures):
    model = make_model(composer)
    for several, alone in zip(
        vectors(model, pictures),
        (model.encode_gallery(pictures[1:2]), model.encode_query(pictures[1:2], TEXTS[1:2], HISTORY[1:2])),
        strict=True,
    ):
        torch.testing.assert_close(several[1:2], alone)


def test_pictures_of_any_kind_and_size(make_model, pictures):
    model = make_model("sum")
    images = [Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in pictures]
    assert torch.equal(model.encode_gallery(images), model.encode_gallery(pictures))
    larger = [image.resize((48, 40)) for image in images]
    stacked = torch.stack([pil_to_tensor(image) for image in larger])
    assert torch.equal(model.encode_gallery(larger), model.encode_gallery(stacked))


def test_a_query_may_lack_its_picture_or_its_text(make_model, pictures):
    model = make_model("sum")
    other = make_model("sum", history=0)
    assert torch.equal(model.encode_query(pictures, None), model.encode_query(pictures, ["", "", ""]))
    assert torch.equal(model.encode_query(pictures, None, HISTORY), model.encode_query(pictures, None))
    text_only = model.encode_query(None, TEXTS, HISTORY)
    assert text_only.shape == (3, 24) and not torch.equal(text_only, model.encode_query(None, TEXTS))
    assert torch.equal(other.encode_query(None, TEXTS, HISTORY), other.encode_query(None, TEXTS))


def test_words_are_read_as_the_speakers(make_model, pictures, tmp_path):
    make_model("sum", speaker="<boss>").save_pretrained(tmp_path / "model")
    model = RetrievalModel.from_pretrained(tmp_path / "model")
    told = [f"<boss> {text}" for text in TEXTS], [[f"<boss> {text}" for text in past] for past in HISTORY]
    assert torch.equal(
        model.encode_query(pictures, TEXTS, HISTORY), make_model("sum").encode_query(pictures, *told)
    )


def test_a_speaker_without_brackets_is_refused(make_model, tmp_path):
    make_model("sum", speaker="<boss>").save_pretrained(tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    file.write_text(file.read_text().replace("<boss>", "boss"))
    with pytest.raises(InputError, match=r"config\.json: .*speaker is 'boss', expected none"):
        RetrievalModel.from_pretrained(tmp_path / "model")


def test_a_caption_of_several_texts_is_encoded_as_the_speakers(make_model):
    caption = ("a sun", "<other> a cat", "a tree")
    text = make_model("sum", speaker="<boss>").caption_prompt(caption)
    assert text == "<boss> a tree <= <other> a cat <= <boss> a sun"
    plain = make_model("sum")
    assert plain.caption_prompt(caption) == compose_text(caption[-1], caption[:-1], 2)
    assert plain.caption_prompt(()) == ""


def test_a_caption_with_the_mark_between_turns_in_it_is_one_text(make_model):
    text = make_model("sum", speaker="<boss>").caption_prompt(["a small 3 <= 4 sign"])
    assert text == "<boss> a small 3 < = 4 sign"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((None, None), "a query needs a picture or a text"),
        (("pictures", ["one"]), "3 pictures, 1 texts: expected the same number of each"),
        (("pictures", None, [[]]), "3 pictures, 1 histories: expected the same number of each"),
        ((torch.zeros(1, 3, 32, 32), None), "expected uint8 \\(B, 3, H, W\\)"),
    ],
)
def test_queries_that_cannot_be_asked(make_model, pictures, arguments, says):
    arguments = [pictures if isinstance(a, str) else a for a in arguments]
    with pytest.raises(InputError, match=says):
        make_model("sum").encode_query(*arguments)


def test_a_fingerprint_is_of_weights_config_and_vocabulary(make_model):
    known = make_model("sum").fingerprint
    assert known == make_model("sum").fingerprint and len(known) == 64
    assert known not in {make_model("sum", seed=1).fingerprint, make_model("sum", history=0).fingerprint}
    assert known != make_model("text").fingerprint  # the same weights, asked otherwise
    model = make_model("sum")
    model.encode_query(None, ["a text"])  # the tokenizer keeps how it was last called
    assert model.fingerprint == known
    model.composer.log_scale += 1e-6
    assert model.fingerprint != known


def nothing(folder):
    (folder / "config.json").unlink()
    return "config.json: No such file or directory"


def other_class(folder):
    (folder / "config.json").write_text('{"_class_name": "Other"}')
    return "config.json: _class_name is 'Other', expected 'RetrievalModel'"


def unknown_composer(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"composer": "magic"}))
    return "config.json: no RetrievalModel can be built from it (composer is 'magic', expected one of"


def cut(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    return "model.safetensors: not a complete safetensors file"


def other_weights(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"composer": "tirg", "options": {"dim": 24}}))
    return "model.safetensors: doesn't fit its config (Missing key(s)"


def no_tokenizer(folder):
    (folder / "tokenizer" / "tokenizer.json").write_text("{")
    return "tokenizer: no tokenizer can be loaded from here"


@pytest.mark.parametrize("spoil", [nothing, other_class, unknown_composer, cut, other_weights, no_tokenizer])
def test_a_damaged_folder_is_one_line_that_names_the_file(make_model, tmp_path, spoil):
    make_model("sum").save_pretrained(tmp_path / "model")
    says = spoil(tmp_path / "model")
    with pytest.raises(InputError) as error:
        RetrievalModel.from_pretrained(tmp_path / "model")
    assert f"{tmp_path}/model/{says}" in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(InputError, match="none: no such folder"):
        RetrievalModel.from_pretrained(tmp_path / "none")
