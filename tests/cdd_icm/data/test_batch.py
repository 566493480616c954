"""From triplets to tensors, and the randomness of a sample."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cdd_icm.data import SceneObject, TripletDataset, collate, load_dialogs
from cdd_icm.data.augment import exchange, mirrored
from cdd_icm.data.batch import Collator, idle_text, retold
from cdd_icm.data.cache import PictureCache
from cdd_icm.data.picture import to_float
from cdd_icm.data.triplets import pictures_of
from cdd_icm.diffusion.noise import Draws, draw_timestep
from cdd_icm.errors import InputError
from cdd_icm.model.cddicm import dropped
from cdd_icm.model.tokenizer import learn_tokenizer
from cdd_icm.plan.annotated.grammars.iclevr import CROWDED, on_the_ground
from cdd_icm.plan.annotated.synthetic_scenes import elsewhere, imagined
from cdd_icm.plan.annotated.vocabulary import drawn_objects
from cdd_icm.train.generator import planned

CPU = torch.device("cpu")
PAIRS = (("left", "right"), ("behind", "in front of"))


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def rows(draws, share):
    return Draws(*(part[share] for part in vars(draws).values()))


def test_a_samples_draws_are_a_function_of_seed_and_number_alone(make_config):
    config = make_config()
    eight = Draws.make(config, 100, 8, CPU)
    assert equal(rows(eight, slice(4, 8)), Draws.make(config, 104, 4, CPU))
    torch.manual_seed(5)
    assert equal(eight, Draws.make(config, 100, 8, CPU))
    assert not equal(eight, Draws.make(make_config(seed=1), 100, 8, CPU))
    assert len(eight.noise.flatten(1).unique(dim=0)) == 8


def test_draws_have_the_distributions_that_they_claim(make_config):
    config = make_config(data__image_size=16, encoder__history=0)
    draws = Draws.make(config, 0, 4000, CPU)
    assert draws.noise.shape == (4000, 3, 16, 16)
    for noise in (draws.noise, draws.reference_noise):
        assert abs(noise.mean()) < 1e-2 and abs(noise.std() - 1) < 1e-2
    assert abs((draws.noise * draws.reference_noise).mean()) < 1e-2
    assert draws.timestep.min() < 5 and draws.timestep.max() > 994
    assert abs(draws.timestep.float().mean() - 499.5) < 20
    assert draws.reference_level.min() >= 0 and 0.0999 < draws.reference_level.max() <= 0.1
    assert abs(draws.drop.mean() - 0.5) < 0.02


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_timesteps_follow_their_shift(make_config, shift):
    diffusion = make_config(diffusion__timestep_shift=shift).diffusion
    u = torch.arange(100_000) / 100_000
    level = (draw_timestep(u, diffusion) + 0.5) / 1000
    # the share of timesteps under half the schedule: s u / (1 + (s - 1) u) = 1/2 at u = 1 / (s + 1)
    assert (level < 0.5).float().mean() == pytest.approx(1 / (shift + 1), abs=2e-3)
    assert level.min() > 0 and level.max() < 1 and (level[1:] >= level[:-1]).all()
    odds = shift * u / (1 - u)  # the map multiplies the odds by s
    assert torch.allclose(level[1000:-1000], (odds / (1 + odds))[1000:-1000], atol=1e-3)


def test_conditions_are_dropped_as_often_as_the_config_says(make_config):
    config = make_config(objective__condition_dropout=0.4)
    no_text, no_reference = dropped(torch.arange(100_000) / 100_000, config)
    assert (no_text & ~no_reference).float().mean() == pytest.approx(0.2, abs=1e-4)
    assert (~no_text & no_reference).float().mean() == pytest.approx(0.1, abs=1e-4)
    assert (no_text & no_reference).float().mean() == pytest.approx(0.1, abs=1e-4)


def test_nothing_is_dropped_where_nothing_should_be(make_config):
    config = make_config(objective__condition_dropout=0, sampling__guidance_scale=1)
    assert not torch.stack(dropped(torch.zeros(9), config)).any()


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
def test_exchange_of_opposites(said, exchanged):
    assert exchange(said, PAIRS) == exchanged
    assert exchange(said, ()) == said
    assert exchange(exchanged, PAIRS).lower() == said.lower()


def test_to_float():
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_a_batch_of_real_triplets(make_config):
    config = make_config(encoder__history=1)
    dialogs = load_dialogs(config.data.path, "train")[:2]
    cache = PictureCache.open_or_build(config.data.cache_dir, pictures_of(dialogs), 32, progress=False)
    dataset = TripletDataset(dialogs, cache)
    tokenizer = learn_tokenizer([turn.instruction for turn in dialogs[0].turns], 400, 64)
    classes, traits, _ = planned(config, dialogs)
    assert traits == {}  # i-CLEVR tells of none
    loaded = Collator(tokenizer, config, classes)([dataset[i] for i in range(3)])
    assert loaded.target.dtype == torch.uint8 and loaded.turns == [(dialogs[0].id, i) for i in range(3)]
    batch = loaded.on(CPU)
    assert torch.equal(batch.target, to_float(loaded.target))
    assert batch.reference.shape == batch.target.shape == batch.other.shape == (3, 3, 32, 32)
    assert torch.equal(batch.reference[1], batch.target[0])  # turn 1 starts where turn 0 ended
    assert batch.target.min() >= -1 and batch.target.max() <= 1
    turns = dialogs[0].turns
    written = tokenizer.decode(batch.ids[1], skip_special_tokens=True).strip()
    both = f"{turns[1].instruction} <= {turns[0].instruction}".lower()
    assert written == both
    sided = [any(word in turn.instruction for word in ("left", "right")) for turn in turns[:3]]
    assert (batch.ids != batch.false_ids).any(dim=1).tolist() == sided and any(sided)
    for i in range(3):  # i-CLEVR adds one object a turn
        assert classes[batch.plan[i].argmax()] == turns[i].objects[-1].name
        assert (batch.plan[i] >= 0).sum() == 1 and (batch.standing[i] >= 0).sum() == i
    assert not batch.null_mask[0, 2:].any() and batch.null_ids[0, :2].tolist() == [1, 2]


def real_items(config, n):
    dialogs = load_dialogs(config.data.path, "train")[:2]
    cache = PictureCache.open_or_build(config.data.cache_dir, pictures_of(dialogs), 32, progress=False)
    return [TripletDataset(dialogs, cache)[i] for i in range(n)], planned(config, dialogs)[0]


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


def test_the_turns_of_imagined_dialogs_stand_beside_the_batch(make_config):
    config = make_config(
        plan__relational__kernels=4, plan__relational__synthetic_scenes=3, encoder__history=1
    )
    items, _ = real_items(config, 5)
    classes, _, _ = planned(config, load_dialogs(config.data.path, "train"))
    tokenizer = learn_tokenizer([item["instruction"] for item in items], 400, 64)
    scenes = Collator(tokenizer, config, classes, scenes=last_scenes(config))(items).scenes
    assert 15 * 3 <= len(scenes.ids) <= 15 * 4 and scenes.standing.shape == scenes.plan.shape
    assert ((scenes.plan >= 0).sum(dim=1) == 1).all()
    number = (scenes.standing >= 0).sum(dim=1)
    for i in range(len(number)):
        asked, _, before = tokenizer.decode(scenes.ids[i], skip_special_tokens=True).partition(" <= ")
        assert asked.strip().startswith(f"add a {classes[scenes.plan[i].argmax()]}") and "add a" in before
        if number[i] > 1:  # the turn before it put what is told there
            new = (scenes.standing[i] >= 0) & (scenes.standing[i - 1] < 0)
            assert classes[new.nonzero().item()] in before
            assert torch.equal(scenes.standing[i], torch.maximum(scenes.standing[i - 1], scenes.plan[i - 1]))
            assert scenes.latest[i] == scenes.plan[i - 1].argmax()


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


def test_a_mirror_turns_pictures_objects_and_words_together(make_config):
    items, classes = real_items(make_config(), 3)
    raw = collate(items)
    raw["draw"] = [0, 1 << 20, 0]
    both = mirrored(raw, PAIRS)
    for name in ("reference", "target", "other"):
        assert torch.equal(both[name][0], raw[name][0])
        assert torch.equal(both[name][1], raw[name][1].flip(-1))
    assert both["instruction"] == [
        raw["instruction"][0],
        exchange(raw["instruction"][1], PAIRS),
        raw["instruction"][2],
    ]
    assert both["history"][1] == tuple(exchange(text, PAIRS) for text in raw["history"][1])
    assert [thing.x for thing in both["after"][1]] == [1 - thing.x for thing in raw["after"][1]]
    assert [thing.y for thing in both["after"][1]] == [thing.y for thing in raw["after"][1]]
    again = mirrored(both, PAIRS)
    assert again["instruction"][1].lower() == raw["instruction"][1].lower()
    assert torch.equal(again["target"], raw["target"])


def test_an_object_in_a_mirror_is_flipped():
    boy = SceneObject("boy", 0.25, 0.5, look={"flip": "0", "pose": "3"})
    assert boy.mirrored() == SceneObject("boy", 0.75, 0.5, look={"flip": "1", "pose": "3"})
    assert boy.mirrored().mirrored() == boy
    assert SceneObject("sun", 0.25, 0.5).mirrored().look == {}


def test_half_of_the_samples_are_mirrored_where_the_config_names_the_words(make_config):
    config = make_config(objective__mirror=[["left", "right"]])
    items, classes = real_items(config, 2)
    tokenizer = learn_tokenizer([item["instruction"] for item in items], 400, 64)
    items = [item | {"draw": draw} for item, draw in zip(items, (1 << 30, 1 << 30 | 1 << 20), strict=True)]
    plain, half = (Collator(tokenizer, c, classes)(items) for c in (make_config(), config))
    assert torch.equal(half.target[0], plain.target[0])
    assert torch.equal(half.target[1], plain.target[1].flip(-1))
    cells, turned = (batch.plan[1][batch.plan[1] >= 0] for batch in (plain, half))
    grid = config.plan.grid
    assert torch.equal(turned // grid, cells // grid)
    assert ((turned + cells) % grid - (grid - 1)).abs().max() <= 1


def test_the_share_of_samples_that_the_config_names_is_told_anew(make_config, monkeypatch):
    def told_by_name(drawn, standing, rng):
        return f"anew {drawn[0].name}"

    monkeypatch.setattr("cdd_icm.data.batch.retell", told_by_name)
    items, _ = real_items(make_config(), 3)
    raw = collate(items * 200) | {"draw": list(range(600))}
    told = retold(raw, 0.25)["instruction"]
    anew = np.flatnonzero([text.startswith("anew") for text in told])
    assert len(anew) == pytest.approx(150, abs=40)
    assert told == retold(raw, 0.25)["instruction"]
    assert retold(raw, 0.0)["instruction"] == raw["instruction"]
    for i in anew:
        assert told[i] == f"anew {drawn_objects(raw['before'][i], raw['after'][i])[0].name}"
    unknown = raw | {"after": [None] * 600}
    assert retold(unknown, 1.0)["instruction"] == raw["instruction"]


MIRROR = {"objective__mirror": [["left", "right"]]}


@pytest.mark.parametrize("setting", [MIRROR, MIRROR | {"plan": {"kind": "none"}}, {"plan__recaption": 0.5}])
def test_a_flip_that_nobody_knows_is_refused(make_config, setting):
    config = make_config(**setting)
    dialog = load_dialogs(config.data.path, "train")[0]
    thing = replace(dialog.turns[0].objects[0], look={"flip": "yes"})
    odd = replace(dialog, turns=(replace(dialog.turns[0], objects=(thing,)),))
    with pytest.raises(InputError, match="look: flip: yes: expected 0 and 1"):
        planned(config, [odd])


def test_what_needs_annotation_is_refused_without(make_config):
    config = make_config()
    dialog = load_dialogs(config.data.path, "train")[0]
    bare = replace(dialog, turns=tuple(replace(turn, objects=None) for turn in dialog.turns))
    with pytest.raises(InputError, match="no annotated objects; set plan.kind=none"):
        planned(config, [bare])


def test_a_form_that_is_no_trait_is_refused(make_config):
    config = make_config(plan__template_attributes=["size"])
    dialogs = load_dialogs(config.data.path, "train")
    with pytest.raises(InputError, match="plan.template_attributes: 'size': the looks of .* have none"):
        planned(config, dialogs)


def test_idle_words_come_as_often_as_the_config_says_and_all_of_them(make_config):
    objective = make_config(objective__no_op_share=0.2, objective__no_op_texts=["wait", "stay"]).objective
    texts = [idle_text(int((i + 0.5) / 10_000 * 2**31), objective) for i in range(10_000)]
    assert texts.count("wait") == texts.count("stay") == 1000 and texts.count(None) == 8000


@pytest.mark.parametrize("idle_share", [0, 1])
def test_texts_are_read_as_the_speakers(make_config, tiny_pipeline, idle_share):
    options = {"objective__no_op_share": idle_share, "encoder__history": 1}
    plain = make_config(**options, objective__no_op_texts=["<boss> keep it"])
    spoken = make_config(**options, objective__no_op_texts=["keep it"], encoder__speaker="<boss>")
    items, classes = real_items(plain, 3)
    marked = [
        item
        | {
            "instruction": f"<boss> {item['instruction']}",
            "history": [f"<boss> {text}" for text in item["history"]],
        }
        for item in items
    ]
    told = Collator(tiny_pipeline.tokenizer, plain, classes)(marked)
    read = Collator(tiny_pipeline.tokenizer, spoken, classes)(items)
    assert torch.equal(read.ids, told.ids) and torch.equal(read.mask, told.mask)


def test_an_idle_sample_keeps_the_picture_and_draws_nothing(make_config, tiny_pipeline):
    config = make_config(objective__no_op_share=1, objective__no_op_texts=["keep it"])
    items, classes = real_items(config, 3)
    batch = Collator(tiny_pipeline.tokenizer, config, classes)(items)
    assert batch.idle.all() and torch.equal(batch.reference, batch.target)
    assert (batch.plan == -1).all() and ((batch.standing >= 0).sum(dim=1) == torch.arange(1, 4)).all()
    written = tiny_pipeline.tokenizer.decode(batch.ids[2], skip_special_tokens=True)
    assert written.strip().startswith("keep it <= " + items[2]["instruction"].lower()[:8])


def test_a_turn_that_can_not_be_planned_is_named(config, tiny_pipeline):
    (item, *_), classes = real_items(config, 1)
    for changed, says in (({"after": None}, "not annotated"), ({"after": items_of("moon")}, "'moon'")):
        with pytest.raises(InputError, match=f"dialog {item['dialog']}, turn 1: .*{says}"):
            Collator(tiny_pipeline.tokenizer, config, classes)([{**item, **changed}])


def items_of(*names):
    return tuple(SceneObject(name, 0.5, 0.5) for name in names)
