"""Mirror images and exchanged words."""

import pytest
import torch

from cdd_icm.data import SceneObject, collate
from cdd_icm.data.augment import mirror_half, swap_words
from cdd_icm.model.tokenizer import learn_tokenizer
from tests.cdd_icm.plans import annotated_collator

PAIRS = (("left", "right"), ("behind", "in front of"))


@pytest.mark.parametrize(
    ("said", "exchanged"),
    [
        ("on the left of it", "on the right of it"),
        ("Left, and in front of the cube", "right, and behind the cube"),
        ("behind it on the right", "in front of it on the left"),
        ("the leftmost cube", "the leftmost cube"),
        ("in frontal view", "in frontal view"),
    ],
)
def test_swapped_words(said, exchanged):
    assert swap_words(said, PAIRS) == exchanged
    assert swap_words(said, ()) == said
    assert swap_words(exchanged, PAIRS).lower() == said.lower()


def test_a_mirror_turns_pictures_objects_and_words_together(real_items, make_config):
    items, _ = real_items(make_config(), 3)
    raw = collate(items)
    raw["draw"] = [0, 1 << 20, 0]
    both = mirror_half(raw, PAIRS)
    for name in ("reference", "target", "other"):
        assert torch.equal(both[name][0], raw[name][0])
        assert torch.equal(both[name][1], raw[name][1].flip(-1))
    assert both["instruction"] == [
        raw["instruction"][0],
        swap_words(raw["instruction"][1], PAIRS),
        raw["instruction"][2],
    ]
    assert both["history"][1] == tuple(swap_words(text, PAIRS) for text in raw["history"][1])
    assert [thing.x for thing in both["after"][1]] == [1 - thing.x for thing in raw["after"][1]]
    assert [thing.y for thing in both["after"][1]] == [thing.y for thing in raw["after"][1]]
    again = mirror_half(both, PAIRS)
    assert again["instruction"][1].lower() == raw["instruction"][1].lower()
    assert torch.equal(again["target"], raw["target"])


def test_a_mirrored_object_has_the_other_flip():
    boy = SceneObject("boy", 0.25, 0.5, look={"flip": "0", "pose": "3"})
    assert boy.mirrored() == SceneObject("boy", 0.75, 0.5, look={"flip": "1", "pose": "3"})
    assert boy.mirrored().mirrored() == boy
    assert SceneObject("sun", 0.25, 0.5).mirrored().look == {}


def test_half_of_the_samples_are_mirrored_where_the_config_names_the_words(real_items, make_config):
    config = make_config(objective__augmentations=["mirror"])
    items, dialogs = real_items(config, 2)
    tokenizer = learn_tokenizer([item["instruction"] for item in items], 400, 64)
    items = [item | {"draw": draw} for item, draw in zip(items, (1 << 30, 1 << 30 | 1 << 20), strict=True)]
    plain, half = (annotated_collator(c, dialogs, tokenizer)(items) for c in (make_config(), config))
    assert torch.equal(half.target[0], plain.target[0])
    assert torch.equal(half.target[1], plain.target[1].flip(-1))
    cells, turned = (batch.plan.cells[1][batch.plan.cells[1] >= 0] for batch in (plain, half))
    grid = config.plan.grid
    assert torch.equal(turned // grid, cells // grid)
    assert ((turned + cells) % grid - (grid - 1)).abs().max() <= 1
