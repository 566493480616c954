from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from cdd_icm.data import (
    PictureCache,
    ResumableSampler,
    TripletDataset,
    collate,
    load_dialogs,
    pictures_of,
    to_square,
)
from cdd_icm.data.dialog import Dialog, SceneObject, Turn
from cdd_icm.data.triplets import join_triplets, other_picture


class Named:
    def __init__(self, key):
        self.key = key

    def __repr__(self):
        return self.key


def dialog_of(*keys):
    return Dialog("d", "train", Named("canvas"), tuple(Turn("add", Named(key)) for key in keys))


def test_the_negative_is_of_another_turn():
    dialog = dialog_of("a", "b", "c", "d")
    keys = [{other_picture(dialog, turn, draw).key for draw in range(20)} for turn in range(4)]
    assert keys == [{"b", "c", "d"}, {"c", "d"}, {"a", "d"}, {"a", "b"}]


def test_the_negative_is_the_canvas_where_there_is_no_other():
    assert other_picture(dialog_of("a", "b"), 1, 5).key == "canvas"
    assert other_picture(dialog_of("a"), 0, 5).key == "canvas"
    assert other_picture(dialog_of("a", "b", "a"), 1, 5).key == "canvas"  # turn 2 shows the reference again


@pytest.fixture
def dataset(iclevr, tmp_path):
    dialogs = load_dialogs(iclevr)
    return TripletDataset(
        dialogs, PictureCache.open_or_build(tmp_path / "cache", pictures_of(dialogs), 8, False)
    )


def test_a_triplet(dataset):
    assert len(dataset) == 12
    item = dataset[4]  # the second turn of the second dialog
    dialog, turn = dataset.turns[4]
    assert (item["dialog"], item["turn"], dialog.id, turn) == (
        "CLEVR_train_000001",
        1,
        "CLEVR_train_000001",
        1,
    )
    assert item["instruction"] == "Add a red sphere on the left"
    assert item["history"] == ("Add a red cube on the left",)
    pictures = dialog.turns[0].picture, dialog.turns[1].picture, dialog.turns[2].picture
    for name, picture in zip(("reference", "target", "other"), pictures, strict=True):
        # as stored: nothing is mirrored, whatever the draw
        expected = torch.from_numpy(to_square(picture.decode(), 8).copy()).permute(2, 0, 1)
        assert all(torch.equal(dataset[4, draw][name], expected) for draw in range(3))
    assert torch.equal(dataset[0]["reference"], torch.from_numpy(np.array(dataset.cache[dialog.canvas.key])))
    assert dataset[0]["history"] == ()


def piece(colour, at, draw=0, **other):
    """The first turn of a dialog on a black canvas, with one pixel of one colour."""
    target = torch.zeros(3, 4, 4, dtype=torch.uint8)
    target[:, at, at] = torch.tensor(colour)
    words = {"instruction": f"add {colour}", "history": (), "dialog": "d", "turn": 0, "draw": draw}
    pictures = {"reference": torch.zeros_like(target), "target": target, "other": torch.zeros_like(target)}
    return pictures | words | {"before": (), "after": (SceneObject(str(colour), at / 4, at / 4),)} | other


def test_a_joined_turn_asks_for_both_and_shows_both():
    red, blue = piece((255, 0, 0), 1), piece((0, 0, 255), 2)
    both = join_triplets(red, blue)
    assert torch.equal(both["target"], red["target"] + blue["target"])
    assert torch.equal(both["other"], blue["target"])  # still wrong for the red pixel
    assert torch.equal(both["reference"], red["reference"])
    assert both["instruction"] == "add (255, 0, 0) add (0, 0, 255)"
    assert both["after"] == (*red["after"], *blue["after"]) and both["before"] == ()
    assert join_triplets(piece((255, 0, 0), 1, draw=1 << 21), blue)["instruction"] == (
        "add (0, 0, 255) add (255, 0, 0)"
    )


def test_turns_with_a_class_in_common_are_not_joined():
    red = piece((255, 0, 0), 1)
    assert join_triplets(red, piece((255, 0, 0), 2)) is None
    assert join_triplets(piece((0, 0, 255), 2, before=red["after"]), red) is None


def test_the_share_that_is_joined_comes_from_the_draws(dataset):
    bare = [
        replace(dialog, turns=tuple(replace(turn, objects=None) for turn in dialog.turns))
        for dialog, turn in dataset.turns
        if turn == 0
    ]
    data = TripletDataset(bare, dataset.cache, join=0.5)
    said = [data[0, draw]["instruction"] for draw in range(40)]
    alone = dataset[0]["instruction"]
    assert 5 < sum(text != alone for text in said) < 35 and all(alone in text for text in said)
    assert said == [data[0, draw]["instruction"] for draw in range(40)]


def test_collate(dataset):
    batch = collate([dataset[0], dataset[5]])
    assert batch["target"].shape == (2, 3, 8, 8) and batch["target"].dtype == torch.uint8
    assert batch["history"] == [(), ("Add a red cube on the left", "Add a red sphere on the left")]
    assert batch["turn"] == [0, 2]


def batches(n_items=10, batch_size=4, count=10, **options):
    return list(islice(ResumableSampler(n_items, batch_size, seed=3, **options), count))


def test_each_epoch_is_a_permutation_of_its_own():
    flat = [index for batch in batches() for index, _ in batch]
    epochs = [flat[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_the_order_depends_on_the_seed_alone():
    assert batches() == batches()
    assert batches() != list(islice(ResumableSampler(10, 4, seed=4), 10))


@pytest.mark.parametrize("seen", [4, 12, 20])
def test_resumes_exactly(seen):
    assert batches(start_sample=seen, count=5) == batches()[seen // 4 : seen // 4 + 5]


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_the_same_global_batch(world):
    ranks = [batches(rank=rank, world=world) for rank in range(world)]
    joined = [[item for part in parts for item in part] for parts in zip(*ranks, strict=True)]
    assert joined == batches()


def test_a_batch_may_be_larger_than_the_data():
    (batch,) = batches(n_items=3, batch_size=8, count=1)
    assert [len({i for i, _ in batch[s : s + 3]}) for s in (0, 3)] == [3, 3]


def test_a_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="4 can't be split over 3"):
        ResumableSampler(10, 4, seed=0, world=3)


def test_a_loader_with_workers_keeps_the_order(dataset):
    def loaded(workers):
        sampler = ResumableSampler(len(dataset), 4, seed=0)
        loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=workers)
        return [(batch["dialog"], batch["turn"], batch["other"].sum().item()) for batch in islice(loader, 5)]

    assert loaded(0) == loaded(2)
