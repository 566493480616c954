"""`PiecePlan` in training and drawing, on real dialogs."""

import json
import lzma
import os
from pathlib import Path
from typing import get_args

import pytest
import torch

from cdd_icm.config import Config, from_dict
from cdd_icm.data.dialog import Dialog, SceneObject, Turn
from cdd_icm.data.picture import to_square
from cdd_icm.data.readers import load_dialogs
from cdd_icm.data.readers.folder import WhitePicture
from cdd_icm.errors import InputError
from cdd_icm.plan.answer import Outcome
from cdd_icm.plan.pieces import plan
from cdd_icm.plan.pieces.plan import PiecePlan
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.train.generator import train

DATA = Path(os.environ.get("CDD_ICM_DATA", "nowhere")) / "codraw"
PLAN = {"kind": "pieces", "grid": 8, "requests": 1, "edits": 0.5, "template_attributes": ["depth", "pose"]}

needs_data = pytest.mark.skipif(not DATA.exists(), reason="CDD_ICM_DATA has no codraw/")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A few of the real dialogs."""
    folder = tmp_path_factory.mktemp("codraw")
    file = next(DATA.glob("CoDraw*.json*"))
    with (lzma.open if file.suffix == ".xz" else open)(file) as opened:
        scenes = json.load(opened)["data"]
    kept = {
        f"{split}_{i:05}": scenes[f"{split}_{i:05}"] for split in ("train", "val") for i in few(scenes, split)
    }
    (folder / "CoDraw.json").write_text(json.dumps({"data": kept}))
    (folder / "Pngs").symlink_to(next(DATA.rglob("background.png")).parent)
    return folder


def few(scenes, split):
    return sorted(int(name.rpartition("_")[2]) for name in scenes if name.startswith(split))[:12]


@pytest.fixture(scope="module")
def run(settings_in, tmp_path_factory, data):
    settings = settings_in(tmp_path_factory.mktemp("pieces") / "run") | {"plan": PLAN}
    settings["data"] |= {"path": str(data)}
    settings["training"] |= {"total_samples": 8, "log_samples": 4}
    config = from_dict(Config, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "TEXTS", 300)
        return train(config), config


def drawn(pipeline, *args, **options):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(*args, output_type="pt", generator=torch.Generator().manual_seed(0), **options)


@needs_data
@pytest.mark.slow
def test_it_trains_and_draws(run):
    folder, config = run
    lines = [json.loads(line) for line in (folder.parent / "log.jsonl").read_text().splitlines()]
    assert {"drawn", "removed", "places", "traits", "intent", "detection"} <= lines[0].keys()
    pipeline = load_pipeline(folder, "cpu", "fp32")
    assert isinstance(pipeline.planner, PiecePlan)
    out = drawn(pipeline, pipeline.canvas, "add a dog", ["add a sun"])
    assert out.images.shape == (1, 3, config.data.image_size, config.data.image_size)
    assert out.answers[0].outcome in get_args(Outcome)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("intent", "outcome", "said"),
    [
        ("unknown", "not understood", "zebra"),
        ("nonsense", "not understood", "nothing was changed"),
        ("nothing", "unchanged", "nothing was changed"),
        ("undo", "undo", "takes back"),
    ],
)
def test_what_asks_for_no_change_changes_no_pixel_and_is_said(run, intent, outcome, said):
    pipeline = load_pipeline(run[0], "cpu", "fp32")
    with torch.no_grad():
        pipeline.planner.network.intent_out.bias[INTENTS.index(intent)] = 99.0
    out, other = (drawn(pipeline, pipeline.canvas, f"add a zebra{end}") for end in ("", " and a lion"))
    assert torch.equal(out.images, other.images)
    assert out.answers[0].outcome == outcome and said in str(out.answers[0])


@needs_data
@pytest.mark.slow
def test_it_is_what_the_last_turn_that_drew_something_drew(run):
    """By the words of the earlier turns, and only if it is there."""
    planner = load_pipeline(run[0], "cpu", "fp32").planner
    classes, seen = planner.config.classes, []
    real = planner.network.forward

    def forward(ids, mask, scene):
        logits = real(ids, mask, scene)
        logits.drawn, logits.intents = torch.full_like(logits.drawn, -9.0), torch.zeros_like(logits.intents)
        logits.intents[:, INTENTS.index("change")] = 9.0
        texts = planner.tokenizer.decode_batch(ids.tolist())
        for row, text in enumerate(texts):
            for name in ("sun", "dog"):
                if name in text:
                    logits.drawn[row, classes.index(name)] = 9.0
        seen.append(texts)
        return logits

    planner.network.forward = forward
    cells = torch.full((1, len(classes)), -1)
    cells[0, classes.index("sun")] = cells[0, classes.index("dog")] = 5
    scene = planner.detector.detect(torch.zeros(1, 3, 32, 32), 1e9)
    scene.cells = cells
    touched = planner._touched([("add a sun", "add a dog", "thanks")], scene)
    assert [classes[c] for c in touched[0].nonzero()[:, 0].tolist()] == ["dog"]
    scene.cells = torch.full_like(cells, -1)
    assert not planner._touched([("add a sun",)], scene).any()


@needs_data
@pytest.mark.slow
def test_edits_are_painted(run, data):
    """The reference shows the objects before, the target those after, and the text is about them."""
    config = run[1]
    dialogs = load_dialogs(data, split="train")[:3]
    augment = PiecePlan.augmentation(config, dialogs)
    turn = dialogs[0].turns[-1]
    size = 64
    picture = torch.from_numpy(to_square(turn.picture.decode(), size).transpose(2, 0, 1).copy())
    raw = {
        **{name: picture[None].repeat(40, 1, 1, 1) for name in ("reference", "target", "other")},
        **{name: [turn.objects] * 40 for name in ("former", "before", "after")},
        "instruction": ["said"] * 40,
        "history": [()] * 40,
        "draw": list(range(40)),
    }
    out = augment(raw)
    edited = [i for i, text in enumerate(out["instruction"]) if text != "said"]
    assert 8 < len(edited) < 32
    for i in edited:
        assert out["before"][i] == turn.objects != out["after"][i]
        assert torch.equal(out["reference"][i], picture)
        assert out["history"][i] == ("said",)
    assert sum(not torch.equal(out["target"][i], picture) for i in edited) >= len(edited) - 2  # hidden ones


@needs_data
def test_data_that_is_not_painted_is_refused(run):
    one = SceneObject("dog", 0.5, 0.5, 0.0, {"depth": "0", "flip": "0"})
    canvas = WhitePicture(8, 8)
    with pytest.raises(InputError, match="not painted from clip art; set plan.edits=0"):
        PiecePlan.augmentation(run[1], [Dialog("one", "train", canvas, (Turn("add", canvas, (one,)),))])
    zebra = SceneObject("zebra", 0.5, 0.5)
    with pytest.raises(InputError, match="no edits for objects such as 'zebra'"):
        PiecePlan.settings(run[1], [Dialog("one", "train", canvas, (Turn("add", canvas, (zebra,)),))])
    with pytest.raises(InputError, match="dialog one, turn 1: two objects 'dog'"):
        PiecePlan.settings(run[1], [Dialog("one", "train", canvas, (Turn("add", canvas, (one, one)),))])
