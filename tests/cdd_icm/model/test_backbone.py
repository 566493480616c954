"""The towers: shapes, frozen blocks, pretrained weights, and what they refuse."""

from dataclasses import replace

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torchvision.transforms.v2.functional import normalize

from cdd_icm.config import EncoderConfig
from cdd_icm.errors import InputError
from cdd_icm.model.backbone import EMBEDDING_STD, CLIPTowers
from cdd_icm.model.tokenizer import learn_tokenizer, tokenize

STATISTICS = (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
WORDS = ["Add a red cube at the center", "put a blue sphere behind it on the left"]


@pytest.fixture(scope="module")
def settings(tiny_pipeline):
    return EncoderConfig(model=dict(tiny_pipeline.towers.config.model))


@pytest.fixture(scope="module")
def towers(settings):
    torch.manual_seed(0)
    return CLIPTowers.from_settings(settings).eval()


def test_shapes_and_any_picture_size(towers):
    ids, mask = tokenize(learn_tokenizer(WORDS, 300, 24), WORDS)
    for size in (32, 20, 48):
        encoded = towers(torch.rand(2, 3, size, size) * 2 - 1, ids, mask)
        assert encoded.image_tokens.shape == (2, 16, 32) and encoded.image_pooled.shape == (2, 32)
        assert encoded.text_tokens.shape == (2, 24, 32) and encoded.text_pooled.shape == (2, 32)


@pytest.mark.parametrize("special", [{}, {"custom_text": True}, {"vision_cfg": {"qk_norm": True}}])
def test_training_sees_what_drawing_sees(settings, special):
    vision = {**settings.model["vision_cfg"], **special.get("vision_cfg", {})}
    towers = CLIPTowers({**settings.model, **special, "vision_cfg": vision})
    ids, mask = tokenize(learn_tokenizer(WORDS, 300, 24), WORDS)
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        training, drawing = (vars(towers.train(mode)(picture, ids, mask)) for mode in (True, False))
    for name, seen in training.items():
        torch.testing.assert_close(seen, drawing[name], msg=name)


def test_a_tower_that_gives_a_map_of_features_has_its_places_as_tokens(settings):
    vision = {"timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear", "image_size": 64}
    towers = CLIPTowers({**settings.model, "vision_cfg": vision}).eval()
    assert (towers.image_tokens, towers.image_width) == (2 * 2, 320)
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    tokens, pooled = towers.encode_image(picture)
    assert tokens.shape == (2, 4, 320) and pooled.shape == (2, 32)
    picture[:, :, 32:, :32] = 1  # the lower left: the third place, row by row
    moved = (towers.encode_image(picture)[0] - tokens).norm(dim=-1)
    assert moved.argmax(dim=1).tolist() == [2, 2]


def test_words_begin_far_apart_in_towers_of_either_kind(settings, towers):
    custom = CLIPTowers({**settings.model, "custom_text": True}).clip.text
    for embedding in (towers.clip.token_embedding, custom.token_embedding):
        assert embedding.weight.std().item() == pytest.approx(EMBEDDING_STD, rel=0.05)


def test_pretrained_from_a_local_file(towers, settings, tmp_path):
    save_file(towers.clip.state_dict(), tmp_path / "clip.safetensors")
    loaded = CLIPTowers.from_settings(replace(settings, pretrained=str(tmp_path / "clip.safetensors")))
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), towers.parameters(), strict=True))


def test_a_resnet_reads_each_picture_by_itself(settings, tmp_path):
    model = {**settings.model, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8}}
    torch.manual_seed(0)
    trained = open_clip.CLIP(**model).train()
    for _ in range(3):  # its statistics are those of some pictures, as a pretrained one's are
        trained.encode_image(torch.rand(8, 3, 64, 64))
    save_file(trained.state_dict(), tmp_path / "clip.safetensors")
    settings = replace(settings, model=model, pretrained=str(tmp_path / "clip.safetensors"))
    towers = CLIPTowers.from_settings(settings).train()
    pictures = torch.rand(4, 3, 64, 64) * 2 - 1
    tokens, pooled = towers.encode_image(pictures)
    assert tokens.shape == (4, 2 * 2, 256) and pooled.shape == (4, 32)
    alone = torch.cat([towers.encode_image(picture[None])[0] for picture in pictures])
    torch.testing.assert_close(tokens, alone)
    expected = trained.eval().encode_image(normalize((pictures + 1) / 2, *(map(list, STATISTICS))))
    torch.testing.assert_close(pooled, expected)
    towers.save_pretrained(tmp_path / "towers")
    again = CLIPTowers.from_pretrained(tmp_path / "towers").train()
    torch.testing.assert_close(again.encode_image(pictures)[0], tokens)
    with pytest.raises(InputError, match="encoder.trainable_blocks is 1, but .* use 0 or null"):
        towers.freeze_all_but(1)


def test_frozen_and_partly_frozen_towers(settings):
    def trained(blocks):
        towers = CLIPTowers.from_settings(replace(settings, trainable_blocks=blocks))
        return {name for name, p in towers.clip.named_parameters() if p.requires_grad}

    assert not trained(0)
    some, every = trained(1), trained(None)
    assert some and some < every and "logit_scale" not in every


FAULTS = {
    "no such architecture": (
        dict(model="ViT-B-33"),
        "model is 'ViT-B-33', expected an architecture of open_clip; the nearest is ViT-B-32",
    ),
    "more blocks than there are": (dict(trainable_blocks=99), "encoder.trainable_blocks is 99, which is all"),
    "another tokenizer": (dict(model="ViT-B-16-SigLIP"), "has a tokenizer of its own"),
    "no such tag": (dict(pretrained="laion9b"), "laion9b is neither a file nor one of the tags"),
    "a pickle": (dict(pretrained="{tmp}/clip.pt"), "clip.pt: not a complete safetensors file"),
    "truncated": (dict(pretrained="{tmp}/truncated.safetensors"), "truncated.safetensors: not a complete"),
    "other weights": (
        dict(pretrained="{tmp}/other.safetensors"),
        "other.safetensors does not fit encoder.model",
    ),
    "batch normalisation": (
        dict(model="RN50"),
        "'RN50' has batch normalisation, whose statistics",
    ),
    "no pictures of this size": (
        dict(
            model={
                "embed_dim": 32,
                "vision_cfg": {"timm_model_name": "vit_tiny_patch16_224", "image_size": 32},
                "text_cfg": {"width": 32, "heads": 2, "layers": 1},
            },
        ),
        "not an open_clip model config (Input height (32) doesn't match model (224)",
    ),
}


@pytest.mark.parametrize(("changed", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(changed, says, settings, towers, tmp_path):
    torch.save(towers.clip.state_dict(), tmp_path / "clip.pt")
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    (tmp_path / "truncated.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes()[:-4])
    if "pretrained" in changed:
        changed = {**changed, "pretrained": changed["pretrained"].format(tmp=tmp_path)}
    with pytest.raises(InputError) as error:
        CLIPTowers.from_settings(replace(settings, **changed))
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_tag_that_wants_another_activation_is_refused():
    with torch.device("meta"):  # the check comes before the weights
        towers = CLIPTowers("ViT-B-32")
    with pytest.raises(InputError, match="openai was trained as encoder.model=ViT-B-32-quickgelu"):
        towers.load_pretrained("openai")
