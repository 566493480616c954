"""Annotated turns as tensors, synthetic dialogs, shifted pictures, and instructions told anew."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cdd_icm.data import SceneObject, TripletDataset, collate, load_dialogs
from cdd_icm.data.augment import check_augmentation
from cdd_icm.data.cache import PictureCache
from cdd_icm.data.triplets import pictures_of
from cdd_icm.errors import InputError
from cdd_icm.model.tokenizer import learn_tokenizer
from cdd_icm.plan.annotated.grammars.iclevr import COLLISION, IclevrGrammar
from cdd_icm.plan.annotated.synthetic_scenes import synthetic_dialog
from cdd_icm.plan.annotated.truth import Recaption
from cdd_icm.plan.registry import augmentation, plan_settings
from cdd_icm.plan.shared.object_tensors import drawn_objects
from cdd_icm.plan.shared.shifted import shifted
from tests.cdd_icm.plans import annotated_collator

GRAMMAR = IclevrGrammar()


def real_items(config, n):
    dialogs = load_dialogs(config.data.path, "train")[:2]
    cache = PictureCache.open_or_build(None, pictures_of(dialogs), 32, progress=False)
    return [TripletDataset(dialogs, cache)[i] for i in range(n)], dialogs


def prepare(config, dialogs):
    """What a run asks of its data."""
    check_augmentation(config, dialogs)
    plan_settings(config, dialogs)
    augmentation(config, dialogs)


def last_scenes(config):
    return [dialog.turns[-1].objects for dialog in load_dialogs(config.data.path, "train")]


def test_a_synthetic_dialog_is_true_and_all_of_it_is_where_something_is_in_the_data(config):
    scenes = last_scenes(config)
    places = {(thing.x, thing.y) for things in scenes for thing in things}
    first = {(things[0].x, things[0].y) for things in scenes}
    names = {tuple(sorted(thing.name for thing in things)) for things in scenes}
    orders = set()
    for seed in range(40):
        texts, things = synthetic_dialog(scenes, GRAMMAR, np.random.default_rng(seed))
        assert (things[0].x, things[0].y) in first and {(t.x, t.y) for t in things} <= places
        apart = [math.dist(*map(GRAMMAR.on_the_ground, pair)) for pair in itertools.combinations(things, 2)]
        assert min(apart, default=9) >= COLLISION
        assert len(things) < 5 or tuple(sorted(thing.name for thing in things)) in names
        assert texts[0] == f"Add a {things[0].name} at the center"
        for i in range(1, len(things)):
            assert texts[i].startswith(f"Add a {things[i].name}")
            (right, away), (x, z) = (GRAMMAR.on_the_ground(thing) for thing in things[i - 1 : i + 1])
            assert "behind it" not in texts[i] or z > away
            assert "in front of it" not in texts[i] or z < away
            assert "on the left of it" not in texts[i] or x < right
        orders.add(tuple(thing.name for thing in things))
    assert len(orders) > 30
    assert synthetic_dialog(scenes, GRAMMAR, np.random.default_rng(7)) == synthetic_dialog(
        scenes, GRAMMAR, np.random.default_rng(7)
    )


def test_the_turns_of_synthetic_dialogs_come_with_the_batch(make_config):
    config = make_config(plan={"kind": "relational", "grid": 8, "synthetic_scenes": 3}, encoder__history=1)
    items, _ = real_items(config, 5)
    dialogs = load_dialogs(config.data.path, "train")
    tokenizer = learn_tokenizer([item["instruction"] for item in items], 400, 64)
    make = annotated_collator(config, dialogs, tokenizer)
    classes, turns = make.encode_truth.classes, make(items).plan.synthetic
    assert 15 * 3 <= len(turns.ids) <= 15 * 4 and turns.existing.shape == turns.cells.shape
    assert ((turns.cells >= 0).sum(dim=1) == 1).all()
    number = (turns.existing >= 0).sum(dim=1)
    for i in range(len(number)):
        asked, _, before = tokenizer.decode(turns.ids[i], skip_special_tokens=True).partition(" <= ")
        assert asked.strip().startswith(f"add a {classes[turns.cells[i].argmax()]}") and "add a" in before
        if number[i] > 1:  # the turn before it put what is told there
            new = (turns.existing[i] >= 0) & (turns.existing[i - 1] < 0)
            assert classes[new.nonzero().item()] in before
            assert torch.equal(turns.existing[i], torch.maximum(turns.existing[i - 1], turns.cells[i - 1]))
            assert turns.antecedent[i] == turns.cells[i - 1].argmax()


def test_a_shifted_picture_still_shows_each_thing_where_it_is_said_to_be():
    """A picture whose red tells of its column, green of its row, with three things."""
    ramp = torch.arange(32, dtype=torch.uint8).expand(32, 32)
    picture = torch.stack([ramp, ramp.T, torch.zeros_like(ramp)])
    things = [
        SceneObject(name, x / 32, y / 32) for name, x, y in (("a", 10, 20), ("b", 31, 1), ("c", 16, 16))
    ]
    left_out, flipped = 0, 0
    for seed in range(60):
        moved, there = shifted(picture, things, 8, np.random.default_rng(seed))
        assert moved.shape == picture.shape
        turned = bool((moved[0].diff(dim=1).int() < 0).any() or moved[0, 0, 0] > moved[0, 0, -1])
        flipped += turned
        for thing in there:
            x, y = (int(v * 32) for v in (thing.x, thing.y))
            was = next(t for t in things if t.name == thing.name)
            column, row = moved[:2, y, x].tolist()
            assert row == round(was.y * 32) and abs(column - round(was.x * 32)) <= turned
        left_out += 3 - len(there)
    assert 15 < flipped < 45 and left_out > 10


def test_the_share_of_samples_that_the_config_names_is_told_anew(make_config):
    class ByName:
        def write(self, drawn, existing, rng):
            return f"anew {drawn[0].name}"

    def instructions(raw, share):
        return Recaption(share, ByName(), 0.02)(raw)["instruction"]

    items, _ = real_items(make_config(), 3)
    raw = collate(items * 200) | {"draw": list(range(600))}
    told = instructions(raw, 0.25)
    anew = np.flatnonzero([text.startswith("anew") for text in told])
    assert len(anew) == pytest.approx(150, abs=40)
    assert told == instructions(raw, 0.25)
    assert instructions(raw, 0.0) == raw["instruction"]
    for i in anew:
        assert told[i] == f"anew {drawn_objects(raw['before'][i], raw['after'][i], 0.02)[0].name}"
    unknown = raw | {"after": [None] * 600}
    assert instructions(unknown, 1.0) == raw["instruction"]


MIRROR = {"objective__augmentations": ["mirror"]}


@pytest.mark.parametrize("setting", [MIRROR, MIRROR | {"plan": {"kind": "none"}}, {"plan__recaption": 0.5}])
def test_a_flip_that_nobody_knows_is_refused(make_config, setting):
    config = make_config(**setting)
    dialog = load_dialogs(config.data.path, "train")[0]
    thing = replace(dialog.turns[0].objects[0], look={"flip": "yes"})
    odd = replace(dialog, turns=(replace(dialog.turns[0], objects=(thing,)),))
    with pytest.raises(InputError, match="look: flip: yes: expected 0 and 1"):
        prepare(config, [odd])


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        ({}, "plan.kind=none"),
        (
            {"plan": {"kind": "none"}, "objective__augmentations": ["join"]},
            "objective.augmentations without join",
        ),
    ],
)
def test_what_needs_annotation_is_refused_without(make_config, setting, instead):
    config = make_config(**setting)
    dialog = load_dialogs(config.data.path, "train")[0]
    bare = replace(dialog, turns=tuple(replace(turn, objects=None) for turn in dialog.turns))
    with pytest.raises(InputError, match=f"no annotated objects; set {instead}"):
        prepare(config, [bare])


def test_a_form_that_is_no_trait_is_refused(make_config):
    config = make_config(plan__template_attributes=["size"])
    dialogs = load_dialogs(config.data.path, "train")
    with pytest.raises(InputError, match="plan.template_attributes: 'size': the objects of .* have none"):
        prepare(config, dialogs)


def test_a_turn_that_can_not_be_planned_is_named(config, tiny_pipeline):
    (item, *_), dialogs = real_items(config, 1)
    for changed, says in (({"after": None}, "not annotated"), ({"after": items_of("moon")}, "'moon'")):
        with pytest.raises(InputError, match=f"dialog {item['dialog']}, turn 1: .*{says}"):
            annotated_collator(config, dialogs, tiny_pipeline.tokenizer)([{**item, **changed}])


def items_of(*names):
    return tuple(SceneObject(name, 0.5, 0.5) for name in names)
