"""A fingerprint changes with what can change a picture, and with nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file

import cdd_icm
from cdd_icm.data import Dialog, Turn
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.io import load_tensors
from cdd_icm.sampling.dialogs import generate_dialogs
from cdd_icm.sampling.loading import load_pipeline

PACKAGE = Path(cdd_icm.__file__).parent


@pytest.fixture
def sources(tmp_path) -> Path:
    """A copy of the package's sources."""
    shutil.copytree(PACKAGE, tmp_path / "cdd_icm", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_all_code_that_runs_while_a_model_draws_is_covered(tiny_folder, tmp_path):
    """Every function of the package that is called, from loading a model to its last picture."""
    Image.new("RGB", (32, 32), (120, 130, 140)).save(tmp_path / "gray.png")
    gray = EncodedPicture(FolderFiles(tmp_path), "gray.png")
    dialog = Dialog("a", "test", gray, (Turn("add a red cube", gray), Turn("add a sphere", gray)))
    called: set[str] = set()

    def note(frame, event, argument):
        if event == "call":
            called.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        pipeline = load_pipeline(tiny_folder, "cpu", "fp32")
        generate_dialogs(pipeline, [dialog], icm_guidance_scale=1.0, num_candidates=2, progress=False)
    finally:
        sys.setprofile(None)
    ours = {Path(file) for file in called if Path(file).is_relative_to(PACKAGE)} - {PACKAGE / "__init__.py"}
    covered = {file for _, file in fingerprint.drawing_modules()}
    assert len(ours) > 20 and ours <= covered, ours - covered


@pytest.mark.slow
def test_every_module_that_draws_counts_and_no_other(sources):
    known = fingerprint.of_code(sources)
    assert known == fingerprint.of_code()
    covered = {file for _, file in fingerprint.drawing_modules(sources)}
    files = sorted((sources / "cdd_icm").rglob("*.py"))
    for file in files:
        text = file.read_text()
        file.write_text(text + "\n_changed = 1\n")
        assert (fingerprint.of_code(sources) != known) == (file in covered), file
        file.write_text(text)
    packages = {file.relative_to(sources / "cdd_icm").parts[0] for file in set(files) - covered}
    assert packages >= {"evaluation", "train", "objectives", "cli"}


def test_words_about_the_code_do_not_count(sources):
    known = fingerprint.of_code(sources)
    file = sources / "cdd_icm" / "errors.py"
    text = file.read_text()
    first, *rest = text.splitlines(keepends=True)
    assert first.startswith('"""')
    file.write_text("".join(['"""Something else."""\n', "# a comment\n\n\n", *rest]))
    assert fingerprint.of_code(sources) == known


def test_a_module_that_is_imported_within_a_function_counts(sources):
    (sources / "cdd_icm" / "model" / "added.py").write_text("x = 1\n")
    file = sources / "cdd_icm" / "model" / "unet.py"
    file.write_text(file.read_text() + "\ndef late():\n    from cdd_icm.model import added\n")
    known = fingerprint.of_code(sources)
    (sources / "cdd_icm" / "model" / "added.py").write_text("x = 2\n")
    assert fingerprint.of_code(sources) != known


def edit(**values) -> Callable[[Path], None]:
    """Sets fields of a JSON file."""
    return lambda file: file.write_text(json.dumps(json.loads(file.read_text()) | values, indent=3))


def move_classes(file: Path) -> None:
    index = json.loads(file.read_text())
    moved = {
        k: ["cdd_icm.elsewhere", f"New{v[1]}"]
        for k, v in index.items()
        if isinstance(v, list) and "cdd_icm" in str(v)
    }
    assert len(moved) == 5
    file.write_text(json.dumps(index | moved))


def change_weight(file: Path) -> None:
    tensors = load_tensors(file)
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, file)


def rewrite_weights(file: Path) -> None:
    """The same tensors in two files, with other metadata."""
    (first, value), *rest = load_tensors(file).items()
    save_file({first: value}, file, {"format": "pt", "by": "another program"})
    save_file(dict(rest), file.with_name("second.safetensors"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model_index.json", move_classes),
        ("model_index.json", edit(_diffusers_version="9.9", _name_or_path="elsewhere")),
        ("unet/config.json", edit(_class_name="Renamed", _diffusers_version="9.9")),
        ("training.json", lambda file: file.write_text('{"device": "another"}')),
        ("README.md", lambda file: file.write_text("A card.")),
        ("fusion/diffusion_pytorch_model.safetensors", rewrite_weights),
    ],
)
def test_a_model_that_is_moved_or_told_of_otherwise_is_the_same_model(tiny_folder, name, change):
    known = fingerprint.of_folder(tiny_folder)
    change(tiny_folder / name)
    assert fingerprint.of_folder(tiny_folder) == known


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model_index.json", edit(scheduler=["diffusers", "DDIMScheduler"])),
        ("model_index.json", edit(sampling={"num_inference_steps": 3})),
        ("model_index.json", edit(planner=[None, None])),
        ("unet/config.json", edit(heads=1)),
        ("scheduler/scheduler_config.json", edit(beta_end=0.5)),
        ("tokenizer/tokenizer.json", edit(added_tokens=[])),
        ("matcher/diffusion_pytorch_model.safetensors", change_weight),
        ("canvas.png", lambda file: Image.new("RGB", (32, 32)).save(file)),
        ("canvas.png", Path.unlink),
    ],
)
def test_a_model_that_may_draw_otherwise_is_another(tiny_folder, name, change):
    known = fingerprint.of_folder(tiny_folder)
    change(tiny_folder / name)
    assert fingerprint.of_folder(tiny_folder) != known


def test_a_folder_without_a_model_and_a_damaged_one_are_named(tiny_folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no model here"):
        fingerprint.of_folder(tmp_path / "empty")
    (tiny_folder / "model_index.json").write_text("{")
    with pytest.raises(InputError, match=r"model_index\.json: not JSON"):
        fingerprint.of_folder(tiny_folder)


def test_dialogs_and_data(dialogs):
    dialog = dialogs[0]
    turn = replace(dialog.turns[0], instruction="Add a red squarE")
    assert fingerprint.of_dialog(dialog) == fingerprint.of_dialog(replace(dialog))
    changed = replace(dialog, turns=(turn, *dialog.turns[1:]))
    assert fingerprint.of_dialog(dialog) != fingerprint.of_dialog(changed)
    assert fingerprint.of_dialog(dialog) != fingerprint.of_dialog(dialogs[1])
    bare = replace(dialog, turns=tuple(replace(turn, objects=None) for turn in dialog.turns))
    assert fingerprint.of_dialog(bare) == fingerprint.of_dialog(dialog)
    assert fingerprint.of_data([bare]) != fingerprint.of_data([dialog])
    assert fingerprint.of_data([replace(dialog)]) == fingerprint.of_data([dialog])
