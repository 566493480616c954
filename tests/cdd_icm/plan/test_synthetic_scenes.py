"""Dialogs without pictures, and pictures of scenes that were moved."""

import itertools
import math

import numpy as np
import torch

from cdd_icm.data import SceneObject, load_dialogs
from cdd_icm.plan.annotated.grammars.iclevr import CROWDED, on_the_ground
from cdd_icm.plan.annotated.synthetic_scenes import elsewhere, imagined


def last_scenes(config):
    return [dialog.turns[-1].objects for dialog in load_dialogs(config.data.path, "train")]


def test_an_imagined_dialog_is_rightly_told_and_all_of_it_stands_where_something_stands_in_the_data(config):
    scenes = last_scenes(config)
    places = {(thing.x, thing.y) for things in scenes for thing in things}
    first = {(things[0].x, things[0].y) for things in scenes}
    names = {tuple(sorted(thing.name for thing in things)) for things in scenes}
    orders = set()
    for seed in range(40):
        texts, things = imagined(scenes, np.random.default_rng(seed))
        assert (things[0].x, things[0].y) in first and {(t.x, t.y) for t in things} <= places
        apart = [math.dist(*map(on_the_ground, pair)) for pair in itertools.combinations(things, 2)]
        assert min(apart, default=9) >= CROWDED
        assert len(things) < 5 or tuple(sorted(thing.name for thing in things)) in names
        assert texts[0] == f"Add a {things[0].name} at the center"
        for i in range(1, len(things)):
            assert texts[i].startswith(f"Add a {things[i].name}")
            (right, away), (x, z) = (on_the_ground(thing) for thing in things[i - 1 : i + 1])
            assert "behind it" not in texts[i] or z > away
            assert "in front of it" not in texts[i] or z < away
            assert "on the left of it" not in texts[i] or x < right
        orders.add(tuple(thing.name for thing in things))
    assert len(orders) > 30
    assert imagined(scenes, np.random.default_rng(7)) == imagined(scenes, np.random.default_rng(7))


def test_a_picture_elsewhere_still_shows_each_thing_where_it_is_said_to_be():
    """A picture whose red tells of its column, green of its row, with three things."""
    ramp = torch.arange(32, dtype=torch.uint8).expand(32, 32)
    picture = torch.stack([ramp, ramp.T, torch.zeros_like(ramp)])
    things = [
        SceneObject(name, x / 32, y / 32) for name, x, y in (("a", 10, 20), ("b", 31, 1), ("c", 16, 16))
    ]
    left_out, flipped = 0, 0
    for seed in range(60):
        moved, there = elsewhere(picture, things, 8, np.random.default_rng(seed))
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
