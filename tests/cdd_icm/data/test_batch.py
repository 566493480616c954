"""From triplets to the tensors of a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cdd_icm.data import SceneObject, TripletDataset, collate, load_dialogs
from cdd_icm.data.batch import Collator, idle_text, retold
from cdd_icm.data.cache import PictureCache
from cdd_icm.data.picture import to_float
from cdd_icm.data.triplets import pictures_of
from cdd_icm.errors import InputError
from cdd_icm.model.tokenizer import learn_tokenizer
from cdd_icm.plan.annotated.vocabulary import drawn_objects
from cdd_icm.train.generator import plan_vocabulary

CPU = torch.device("cpu")


def test_a_batch_of_real_triplets(make_config):
    config = make_config(encoder__history=1)
    dialogs = load_dialogs(config.data.path, "train")[:2]
    cache = PictureCache.open_or_build(config.data.cache_dir, pictures_of(dialogs), 32, progress=False)
    dataset = TripletDataset(dialogs, cache)
    tokenizer = learn_tokenizer([turn.instruction for turn in dialogs[0].turns], 400, 64)
    classes, traits, _ = plan_vocabulary(config, dialogs)
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
    return [TripletDataset(dialogs, cache)[i] for i in range(n)], plan_vocabulary(config, dialogs)[0]


def last_scenes(config):
    return [dialog.turns[-1].objects for dialog in load_dialogs(config.data.path, "train")]


def test_the_turns_of_imagined_dialogs_stand_beside_the_batch(real_items, make_config):
    config = make_config(plan__kernels=4, objective__scenes=3, encoder__history=1)
    items, _ = real_items(config, 5)
    classes, _, _ = plan_vocabulary(config, load_dialogs(config.data.path, "train"))
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


def test_the_share_of_samples_that_the_config_names_is_told_anew(real_items, make_config, monkeypatch):
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


@pytest.mark.parametrize("setting", [{"objective__mirror": [["left", "right"]]}, {"objective__retell": 0.5}])
@pytest.mark.parametrize("grid", [8, 0])
def test_a_flip_that_nobody_knows_is_refused(make_config, setting, grid):
    config = make_config(**setting, plan__grid=grid)
    dialog = load_dialogs(config.data.path, "train")[0]
    thing = replace(dialog.turns[0].objects[0], look={"flip": "yes"})
    odd = replace(dialog, turns=(replace(dialog.turns[0], objects=(thing,)),))
    with pytest.raises(InputError, match="look: flip: yes: expected 0 and 1"):
        plan_vocabulary(config, [odd])


@pytest.mark.parametrize("key", ["plan.grid", "objective.join", "objective.retell"])
def test_what_needs_annotation_is_refused_without(make_config, key):
    config = make_config(**{"plan__grid": 0, key.replace(".", "__"): 1})
    dialog = load_dialogs(config.data.path, "train")[0]
    bare = replace(dialog, turns=tuple(replace(turn, objects=None) for turn in dialog.turns))
    with pytest.raises(InputError, match=f"no annotated objects; set {key}=0"):
        plan_vocabulary(config, [bare])


def test_a_form_that_is_no_trait_is_refused(make_config):
    config = make_config(plan__forms=["size"])
    dialogs = load_dialogs(config.data.path, "train")
    with pytest.raises(InputError, match="plan.forms: 'size': the looks of .* have none"):
        plan_vocabulary(config, dialogs)


def test_idle_words_come_as_often_as_the_config_says_and_all_of_them(make_config):
    objective = make_config(objective__idle_share=0.2, objective__idle_texts=["wait", "stay"]).objective
    texts = [idle_text(int((i + 0.5) / 10_000 * 2**31), objective) for i in range(10_000)]
    assert texts.count("wait") == texts.count("stay") == 1000 and texts.count(None) == 8000


@pytest.mark.parametrize("idle_share", [0, 1])
def test_texts_are_read_as_the_speakers(real_items, make_config, tiny_pipeline, idle_share):
    options = {"objective__idle_share": idle_share, "encoder__history": 1}
    plain = make_config(**options, objective__idle_texts=["<boss> keep it"])
    spoken = make_config(**options, objective__idle_texts=["keep it"], encoder__speaker="<boss>")
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


def test_an_idle_sample_keeps_the_picture_and_draws_nothing(real_items, make_config, tiny_pipeline):
    config = make_config(objective__idle_share=1, objective__idle_texts=["keep it"])
    items, classes = real_items(config, 3)
    batch = Collator(tiny_pipeline.tokenizer, config, classes)(items)
    assert batch.idle.all() and torch.equal(batch.reference, batch.target)
    assert (batch.plan == -1).all() and ((batch.standing >= 0).sum(dim=1) == torch.arange(1, 4)).all()
    written = tiny_pipeline.tokenizer.decode(batch.ids[2], skip_special_tokens=True)
    assert written.strip().startswith("keep it <= " + items[2]["instruction"].lower()[:8])


def test_a_turn_that_can_not_be_planned_is_named(real_items, config, tiny_pipeline):
    (item, *_), classes = real_items(config, 1)
    for changed, says in (({"after": None}, "not annotated"), ({"after": items_of("moon")}, "'moon'")):
        with pytest.raises(InputError, match=f"dialog {item['dialog']}, turn 1: .*{says}"):
            Collator(tiny_pipeline.tokenizer, config, classes)([{**item, **changed}])


def items_of(*names):
    return tuple(SceneObject(name, 0.5, 0.5) for name in names)
