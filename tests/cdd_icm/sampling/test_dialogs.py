"""Whole splits: a dialog's pictures depend on nothing but itself, and a killed run goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd_icm.data import load_dialogs, to_square
from cdd_icm.errors import InputError
from cdd_icm.sampling import dialogs as generation
from cdd_icm.sampling.dialogs import (
    draw_sheet,
    generate_dialogs,
    generate_split,
    turn_generator,
    without_progress_bar,
)
from tests.runs import leftover, run_two_processes

SAMPLE = Path(__file__).parents[3] / "data" / "iclevr_sample"


@pytest.fixture(scope="module")
def dialogs():
    """Three real dialogs, one of them cut to two turns."""
    first, second, third = load_dialogs(SAMPLE)[:3]
    return [first, replace(second, turns=second.turns[:2]), third]


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_noise_is_a_function_of_seed_dialog_and_turn():
    def draw(*key):
        return turn_generator(*key).initial_seed()

    assert draw(0, "a", 1) == draw(0, "a", 1)
    assert len({draw(0, "a", 1), draw(1, "a", 1), draw(0, "b", 1), draw(0, "a", 2)}) == 4


@pytest.mark.slow
def test_a_sheet_holds_true_pictures_only_with_the_truth(tiny_pipeline, dialogs):
    size = tiny_pipeline.image_size
    both, drawn = (
        draw_sheet(tiny_pipeline, dialogs[:1], height=size, truth=truth) for truth in (True, False)
    )
    true = to_square(dialogs[0].turns[-1].picture.decode(), size).tobytes()

    def pictures(sheet):
        pixels = np.lib.stride_tricks.sliding_window_view(np.asarray(sheet), (size, size, 3))
        return {window.tobytes() for row in pixels[:, :, 0] for window in row}

    assert true in pictures(both) and true not in pictures(drawn)
    assert drawn.width == both.width and drawn.height < both.height


@pytest.mark.slow
def test_a_dialog_comes_out_the_same_beside_others(tiny_pipeline, dialogs):
    together = generate_dialogs(tiny_pipeline, dialogs, batch_size=3, progress=False)
    assert [pictures.shape for pictures in together] == [(len(d.turns), 32, 32, 3) for d in dialogs]
    for dialog, pictures in zip(dialogs, together, strict=True):
        (alone,) = generate_dialogs(tiny_pipeline, [dialog], progress=False)
        assert np.abs(alone.astype(int) - pictures).max() <= 1  # sums of another order


def test_teacher_forcing_starts_each_turn_from_the_truth(tiny_pipeline, dialogs):
    (pictures,) = generate_dialogs(tiny_pipeline, dialogs[:1], teacher_forced=True, progress=False)
    turns = dialogs[0].turns
    out = tiny_pipeline(
        Image.fromarray(to_square(turns[1].picture.decode(), 32)),
        turns[2].instruction,
        [turn.instruction for turn in turns[:2]],
        generator=turn_generator(0, dialogs[0].id, 2),
    )
    assert np.array_equal(np.asarray(out.images[0]), pictures[2])


def test_the_progress_bar_is_restored(tiny_pipeline, dialogs):
    before = tiny_pipeline._progress_bar_config
    tiny_pipeline.set_progress_bar_config(desc="mine")
    with pytest.raises(InputError), without_progress_bar(tiny_pipeline):
        assert tiny_pipeline._progress_bar_config == {"desc": "mine", "disable": True}
        raise InputError("x")
    assert tiny_pipeline._progress_bar_config == {"desc": "mine"}
    tiny_pipeline.set_progress_bar_config(**before)


@pytest.mark.slow
def test_genevas_folders(tiny_pipeline, dialogs, tmp_path):
    generate_split(tiny_pipeline, dialogs, tmp_path, batch_size=2, progress=False)
    drawn = generate_dialogs(tiny_pipeline, dialogs, progress=False)
    for dialog, pictures in zip(dialogs, drawn, strict=True):
        folder, truth = tmp_path / dialog.id, tmp_path / f"{dialog.id}_gt"
        names = {f"{turn}.png" for turn in range(len(dialog.turns))}
        assert {file.name for file in folder.iterdir()} == {*names, "instructions.txt"}
        assert {file.name for file in truth.iterdir()} == names
        texts = (folder / "instructions.txt").read_text().splitlines()
        assert texts == [turn.instruction for turn in dialog.turns]
        for turn, picture in enumerate(pictures):
            assert np.abs(np.asarray(Image.open(folder / f"{turn}.png")).astype(int) - picture).max() <= 1
            true = to_square(dialog.turns[turn].picture.decode(), 32)
            assert np.array_equal(np.asarray(Image.open(truth / f"{turn}.png")), true)


@pytest.mark.slow
def test_a_killed_run_goes_on(tiny_pipeline, dialogs, tmp_path, monkeypatch):
    generate_split(tiny_pipeline, dialogs, tmp_path / "whole", batch_size=1, progress=False)

    out, draw = tmp_path / "killed", generation.generate_dialogs

    def once(pipeline, group, **options):
        monkeypatch.setattr(generation, "generate_dialogs", die)
        return draw(pipeline, group, **options)

    def die(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "generate_dialogs", once)
    with pytest.raises(KeyboardInterrupt):
        generate_split(tiny_pipeline, dialogs, out, batch_size=1, progress=False)
    # what kill -9 leaves: the true pictures of a dialog, and a folder that was never renamed
    (out / f"{dialogs[1].id}_gt").mkdir()
    unfinished = leftover(out / dialogs[1].id)
    unfinished.mkdir()
    (unfinished / "0.png").write_bytes(b"half")

    seen = []

    def count(pipeline, group, **options):
        seen.extend(dialog.id for dialog in group)
        return draw(pipeline, group, **options)

    monkeypatch.setattr(generation, "generate_dialogs", count)
    generate_split(tiny_pipeline, dialogs, out, batch_size=1, progress=False)
    assert seen == [dialog.id for dialog in dialogs[1:]]
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_draw_what_one_draws(tiny_pipeline, tiny_folder, tmp_path):
    dialogs = load_dialogs(SAMPLE, "test")
    generate_split(tiny_pipeline, dialogs, tmp_path / "one", batch_size=1, progress=False)
    arguments = ["generate", "--model", tiny_folder, "--data", SAMPLE, "--out", tmp_path / "two"]
    arguments += ["--batch-size", "1", "--device", "cpu", "--dtype", "fp32"]
    done = run_two_processes("cdd_icm", *arguments)
    assert done.stdout == f"{tmp_path / 'two'}\n"  # one of them speaks
    one, two = (contents(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        if name.suffix == ".png":
            a, b = (np.asarray(Image.open(tmp_path / folder / name)).astype(int) for folder in ("one", "two"))
            assert np.abs(a - b).max() <= 1  # the machine's threads order the sums
        else:
            assert one[name] == two[name]


def test_other_settings_model_or_dialogs_are_refused(tiny_pipeline, dialogs, tmp_path):
    generate_split(tiny_pipeline, dialogs[:1], tmp_path, progress=False)
    with pytest.raises(InputError, match=r"settings\.json: seed: .* generated with 0, not 1"):
        generate_split(tiny_pipeline, dialogs[:1], tmp_path, seed=1, progress=False)
    with pytest.raises(InputError, match=r"settings\.json: num_inference_steps: .* generated with 2, not 3"):
        generate_split(tiny_pipeline, dialogs[:1], tmp_path, num_inference_steps=3, progress=False)
    with pytest.raises(InputError, match="the nearest is num_candidates"):
        generate_split(tiny_pipeline, dialogs[:1], tmp_path, num_candidate=3, progress=False)
    (tmp_path / dialogs[0].id / "instructions.txt").write_text("something else\n")
    with pytest.raises(InputError, match=r"instructions\.txt: another dialog of this id"):
        generate_split(tiny_pipeline, dialogs[:1], tmp_path, progress=False)
    weight = tiny_pipeline.matcher.log_scale
    weight.data += 1
    try:
        with pytest.raises(InputError, match=r"settings\.json: model: "):
            generate_split(tiny_pipeline, dialogs[:1], tmp_path, progress=False)
    finally:
        weight.data -= 1


def test_names_that_are_no_file_names(tiny_pipeline, dialogs, tmp_path):
    odd = replace(dialogs[1], id="../a/b", turns=dialogs[1].turns[:1])
    generate_split(tiny_pipeline, [odd], tmp_path / "out", progress=False)
    assert (tmp_path / "out" / "..%2Fa%2Fb" / "0.png").exists()
