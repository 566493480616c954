"""The models that ship draw what they are told, with the commands of the README."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cdd_icm.cli import main
from cdd_icm.evaluation import load_detector
from cdd_icm.sampling.loading import load_pipeline

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "data" / "pretrained"


def draw(model, out, *said):
    """The pictures of a dialog by the preset `fast`, and what the shipped detector sees in them: of each the
    place of every class."""
    settings = ["--preset", "fast", "--device", "cpu", "--dtype", "fp32"]
    words = [word for text in said for word in ("--say", text)]
    assert main(["generate", "--model", str(SHIPPED / model), *words, "--out", str(out), *settings]) == 0
    pictures = np.stack([np.asarray(Image.open(f)) for f in sorted(out.glob("turn_?.png"))])
    assert pictures.shape == (len(said), 128, 128, 3)
    assert Image.open(out / "filmstrip.png").height > 128
    reader = load_detector(SHIPPED / f"detector_{model}")
    seen = reader.detect(pictures)
    classes = np.array(reader.config.classes)
    return pictures, [
        dict(zip(classes[there], places[there], strict=True))
        for there, places in zip(seen.present, seen.coordinates, strict=True)
    ]


def test_iclevr_adds_what_each_turn_asks_for_and_keeps_the_rest(tmp_path):
    pictures, seen = draw(
        "iclevr",
        tmp_path,
        "Add a blue cube at the center",
        "Add a red sphere behind it on the left",
        "Add a green cylinder in front of it on the right and in front of the blue cube on the right",
    )
    names = ["blue cube", "red sphere", "green cylinder"]
    assert [set(things) for things in seen] == [set(names[: n + 1]) for n in range(3)]
    (cube, sphere, cylinder) = (seen[-1][name] for name in names)  # x and y, from the top left
    assert (sphere[:2] < cube[:2]).all() and (cube[:2] < cylinder[:2]).all()
    changed = np.abs(pictures[1:].astype(int) - pictures[:-1]).max(axis=-1) > 8
    assert (changed.mean(axis=(1, 2)) < 0.25).all()


def test_iclevr_places_an_object_beside_existing_ones(tmp_path):
    """Where the words leave two places, with something standing between them."""
    _, seen = draw(
        "iclevr",
        tmp_path,
        "Add a brown sphere at the center",
        "Add a gray cylinder on the right of it",
        "Add a cyan cylinder in front of the brown sphere on the left",
        "Add a cyan sphere in front of the brown sphere on the left and in front of the gray cylinder "
        "on the left",
    )
    assert set(seen[-1]) == {"brown sphere", "gray cylinder", "cyan cylinder", "cyan sphere"}


def test_codraw_draws_the_piece_that_is_named(tmp_path):
    _, seen = draw("codraw", tmp_path, "big sun at the top left corner", "small apple tree on the right side")
    assert set(seen[0]) == {"sun"} and (seen[0]["sun"][:2] < 0.4).all()
    assert set(seen[1]) == {"sun", "apple tree"} and seen[1]["apple tree"][0] > 0.6


def test_codraw_draws_what_is_named_in_a_word(tmp_path):
    """Without CoDraw's mark of who speaks, which all that it was taught begins with."""
    _, seen = draw("codraw", tmp_path, "rain cloud", "a campfire", "add a crown", "keep everything as it is")
    things = ["rain cloud", "campfire", "crown"]
    assert [set(things) & set(there) for there in seen] == [set(things[: n + 1]) for n in (0, 1, 2, 2)]


def test_codraw_draws_two_pieces_of_one_turn_beside_each_other(tmp_path):
    _, seen = draw("codraw", tmp_path, "a boy and a girl in the middle")
    assert set(seen[0]) == {"boy", "girl"}


def test_make_demo_passes_the_texts_unchanged(tmp_path):
    """With a command in place of ours that prints what it is given."""
    (tmp_path / "cdd-icm").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    (tmp_path / "cdd-icm").chmod(0o755)
    said = 'Add a "red" cube|Add it\'s 5 $HOME `pwd` worth'
    asked = ["make", "--silent", "--old-file", ".venv/installed", "demo", f"BIN={tmp_path}", f"SAY={said}"]
    told = subprocess.run([*asked, "PRESET=fast"], cwd=ROOT, capture_output=True, text=True, check=True)
    model = "data/pretrained/iclevr"
    expected = ["generate", "--model", model, "--preset", "fast", "--say", said, "--out", "outputs/demo"]
    assert told.stdout.splitlines() == expected


def test_blocks_edits_in_any_words_and_says_what_it_understood(tmp_path, capsys):
    said = "a red ball in the middle, please|add a dog|get rid of the ball"
    settings = ["--preset", "fast", "--device", "cpu", "--dtype", "fp32"]
    command = [
        "generate",
        "--model",
        str(SHIPPED / "blocks"),
        "--say",
        said,
        "--out",
        str(tmp_path),
        "--json",
    ]
    assert main([*command, "--strict", *settings]) == 1  # no dog
    answers = [json.loads(line)["answer"] for line in capsys.readouterr().out.splitlines()]
    assert [answer["outcome"] for answer in answers] == ["changed", "not understood", "changed"]
    assert answers[0]["understood"] == "adds a red sphere"
    assert answers[2]["understood"] == "removes the red sphere"
    ball, same, gone = (np.asarray(Image.open(tmp_path / f"turn_{n}.png")).astype(int) for n in (1, 2, 3))
    assert np.array_equal(ball, same)
    red = [(picture[..., 0] - picture[..., 2] > 60).sum() for picture in (ball, gone)]
    assert red[0] > 100 and red[1] < red[0] / 10


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"guidance_scale": 1.5, "num_candidates": 1}])
def test_blocks_draws_a_turn_of_several_parts_as_it_would_alone(options):
    """Beside turns of one part and of none, and leaves each generator where it would be."""
    pipeline = load_pipeline(SHIPPED / "blocks", "cpu", "fp32")
    pipeline.use_preset("fast")
    pipeline.set_progress_bar_config(disable=True)

    def drawn(texts, generators):
        return pipeline(
            [begun] * len(texts),
            texts,
            [["add a blue cube in the middle"]] * len(texts),
            generator=generators,
            output_type="pt",
            **options,
        )

    def generators():
        return [torch.Generator().manual_seed(seed) for seed in range(3)]

    begun = pipeline(pipeline.canvas, "add a blue cube in the middle", generator=generators()[0]).images[0]
    texts = ["add a red sphere on its left", "what a day", "replace the cube by a green cylinder"]
    together, left = generators(), generators()
    out = drawn(texts, together)
    assert [answer.outcome for answer in out.answers][::2] == ["changed", "changed"]
    for i, text in enumerate(texts):
        alone = drawn([text], [left[i]])
        assert (alone.images[0] - out.images[i]).abs().max() < 1e-3
        assert torch.equal(left[i].get_state(), together[i].get_state())
