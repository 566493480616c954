"""The commands that train and draw: what they write and print, how they end. One file, as they share runs."""

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cdd_icm import CDDICMPipeline, DrawingSession
from cdd_icm.cli import main
from cdd_icm.sampling.chat import HELP, Chat
from cdd_icm.train import generator as training

SAMPLE = Path(__file__).parents[2] / "data" / "iclevr_sample"
CPU = ["--device", "cpu", "--dtype", "fp32"]


def pixels(path):
    return np.asarray(Image.open(path))


def generate(*arguments):
    return main(["generate", *map(str, arguments), *CPU])


@pytest.mark.slow
def test_generate_ones_own_words(tiny_folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert (
        generate("--model", tiny_folder, "--say", "add a cube|add a cone", "--say", "a sphere", "--out", out)
        == 0
    )
    assert sorted(f.name for f in out.iterdir()) == [
        "filmstrip.png",
        "turn_1.png",
        "turn_2.png",
        "turn_3.png",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[3] == str(out / "filmstrip.png")
    assert re.fullmatch(rf"{re.escape(str(out / 'turn_1.png'))}  \d+\.\d\d s  add a cube", lines[0])
    session = DrawingSession(CDDICMPipeline.from_pretrained(tiny_folder))
    for turn, text in enumerate(["add a cube", "add a cone", "a sphere"], start=1):
        assert np.array_equal(np.asarray(session.say(text)), pixels(out / f"turn_{turn}.png"))

    # a shorter dialog in the same folder leaves nothing of the longer one
    (out / "turn_table.png").write_bytes(b"mine")
    assert generate("--model", tiny_folder, "--say", "add a cone", "--out", out) == 0
    assert sorted(f.name for f in out.iterdir()) == ["filmstrip.png", "turn_1.png", "turn_table.png"]


@pytest.mark.slow
def test_generate_a_file_with_settings(tiny_folder, tmp_path):
    text = tmp_path / "dialog.txt"
    text.write_text("add a cube\n\n  add a cone \n", encoding="utf-8-sig")
    settings = ["--seed", "5", "--num-inference-steps", "3", "--guidance-scale", "1.5"]
    settings += ["--image-guidance-scale", "1.2", "--icm-guidance-scale", "0.5", "--num-candidates", "2"]
    settings += ["--scheduler", "DDIMScheduler"]
    assert generate("--model", tiny_folder, "--dialog", text, "--out", tmp_path / "out", *settings) == 0
    pipeline = CDDICMPipeline.from_pretrained(tiny_folder)
    from diffusers import DDIMScheduler

    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    session = DrawingSession(
        pipeline,
        seed=5,
        num_inference_steps=3,
        guidance_scale=1.5,
        image_guidance_scale=1.2,
        icm_guidance_scale=0.5,
        num_candidates=2,
    )
    for turn, said in enumerate(["add a cube", "add a cone"], start=1):
        assert np.array_equal(np.asarray(session.say(said)), pixels(tmp_path / "out" / f"turn_{turn}.png"))


@pytest.mark.slow
def test_generate_by_a_preset(tiny_folder, tmp_path):
    """A setting that is given counts for more than the preset's."""
    drawn = ["--model", tiny_folder, "--say", "add a cube"]
    ddim = ["--scheduler", "DDIMScheduler", "--num-inference-steps"]
    assert generate(*drawn, "--out", tmp_path / "a", "--preset", "fast") == 0
    assert generate(*drawn, "--out", tmp_path / "b", *ddim, 1) == 0
    assert generate(*drawn, "--out", tmp_path / "c", "--preset", "fast", "--num-inference-steps", 3) == 0
    assert generate(*drawn, "--out", tmp_path / "d", *ddim, 3) == 0
    a, b, c, d = (pixels(tmp_path / name / "turn_1.png") for name in "abcd")
    assert np.array_equal(a, b) and np.array_equal(c, d) and not np.array_equal(a, c)


def test_generate_a_split(tiny_folder, tmp_path, capsys):
    arguments = [
        "--model",
        tiny_folder,
        "--data",
        SAMPLE,
        "--limit",
        2,
        "--batch-size",
        2,
        "--out",
        tmp_path / "out",
    ]
    assert generate(*arguments) == 0
    names = sorted(f.name for f in (tmp_path / "out").iterdir() if f.is_dir())
    test = sorted({file.name.rpartition("_")[0] for file in SAMPLE.glob("images/CLEVR_test_*")})[:2]
    assert names == [name for id in test for name in (id, f"{id}_gt")]
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    assert generate(*arguments, "--seed", 1) == 2
    assert "settings.json: seed: " in capsys.readouterr().err


def test_generate_another_data_set(tiny_folder, tmp_path, capsys):
    """Its objects have other names than all that the model plans; one name in common is enough."""
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (32, 32)).save(data / "a.png")

    def run(*names):
        objects = [{"name": name, "x": 0.5, "y": 0.5} for name in names]
        row = {"file_name": "a.png", "dialog_id": "a", "turn": 1, "instruction": "a sun", "split": "test"}
        (data / "metadata.jsonl").write_text(json.dumps(row | {"objects": objects or None}))
        return generate("--model", tiny_folder, "--data", data, "--out", tmp_path / f"out{len(names)}")

    assert run("sun", "boy") == 2
    assert capsys.readouterr().err == (
        f"cdd-icm: {data}: another data set than that of the model in {tiny_folder}: its objects, such as "
        "'boy', are of none of the classes that the model plans, such as 'blue sphere'\n"
    )
    assert not (tmp_path / "out2").exists()
    assert run("sun", "boy", "red cube") == 0
    assert run() == 0  # without annotation nobody can tell


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--say", "a||b"], "--say: an instruction is empty"),
        (["--say", " "], "--say: an instruction is empty"),
        (["--say", "a", "--limit", "3"], "--limit: allowed only with --data"),
        (["--say", "a", "--batch-size", "3"], "--batch-size: allowed only with --data"),
        (["--dialog", "{tmp}/none.txt"], "{tmp}/none.txt: No such file or directory"),
        (["--dialog", "{tmp}/empty.txt"], "{tmp}/empty.txt: no instructions"),
        (["--dialog", "{tmp}/latin.txt"], "{tmp}/latin.txt: not UTF-8"),
        (["--data", "{tmp}/nowhere"], "{tmp}/nowhere: no such file or folder"),
        (["--data", str(SAMPLE), "--split", "tset"], "no dialogs of split 'tset'"),
        (
            ["--say", "a", "--scheduler", "DDIM"],
            "sampling: scheduler is 'DDIM', expected DDIMScheduler, ",
        ),
        (["--say", "a", "--preset", "slow"], "preset: 'slow' is unknown; this model has fast"),
        (
            ["--say", "a", "--num-inference-steps", "1001"],
            "num_inference_steps is 1001, expected at most 1000",
        ),
        (["--data", "https://here/x.tar"], "/x.tar: data at a URL can only be trained on"),
        (["--say", "a", "--model", "someone/hub-name"], "someone/hub-name: no such folder"),
        (["--say", "a", "--out", "{tmp}/empty.txt"], "{tmp}/empty.txt: can't be written"),
        (["--say", "a", "--dtype", "int8"], "dtype: 'int8', expected auto or one of fp32, bf16, fp16"),
    ],
)
def test_generate_fault_table(tiny_folder, tmp_path, capsys, arguments, says):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "latin.txt").write_bytes("füge".encode("latin-1"))
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    start = ["generate", "--model", str(tiny_folder), "--out", str(tmp_path / "out"), *CPU]
    assert main([*start, *given]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cdd-icm: ") and says.format(tmp=tmp_path) in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def handlers():
    """Training replaces the process's signal handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def config(tiny_settings, tmp_path):
    settings = {
        **tiny_settings,
        "output_dir": str(tmp_path / "run"),
        "data": {"path": str(SAMPLE), "image_size": 32},
        "training": {"batch_size": 2, "total_samples": 4, "warmup_samples": 2},
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.mark.slow
def test_train_then_draw_on_the_datas_own_canvas(config, tmp_path, capsys, handlers):
    assert main(["train", str(config), "training.total_samples=6"]) == 0
    folder = tmp_path / "run" / "pipeline"
    assert capsys.readouterr().out == f"{folder}\n"
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["training"]["total_samples"] == 6
    canvas = Image.open(SAMPLE / "background.png").convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(pixels(folder / "canvas.png"), np.asarray(canvas))
    assert (
        generate("--model", folder, "--say", "Add a red cube at the center", "--out", tmp_path / "out") == 0
    )
    assert pixels(tmp_path / "out" / "turn_1.png").shape == (32, 32, 3)


def test_train_refuses_a_wrong_key_before_any_work(config, capsys):
    assert main(["train", str(config), "training.batchsize=3"]) == 2
    error = capsys.readouterr().err
    assert "unknown key training.batchsize; the nearest is training.batch_size" in error
    assert main(["train", str(config), "sampling.scheduler=DDIM"]) == 2
    assert "sampling.scheduler is 'DDIM', expected DDIMScheduler, " in capsys.readouterr().err
    assert main(["train", str(config), "sampling.scheduler=PNDMScheduler"]) == 2
    assert "sampling.num_inference_steps: PNDMScheduler does not support 2" in capsys.readouterr().err
    assert main(["train", str(config.with_name("none.yaml"))]) == 2
    assert not (config.parent / "run").exists()


def test_training_without_data_leaves_no_folder(config, capsys):
    assert main(["train", str(config), "data.path="]) == 2
    assert capsys.readouterr().err.endswith("data.path is None, expected text\n")
    assert main(["train", str(config), "data.path=''"]) == 2
    assert capsys.readouterr().err == "cdd-icm: data.path is '', expected the data to train on\n"
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("output_dir=/dev/null/x", "/dev/null/x: can't be written (Not a directory)"),
        ("encoder.model.vision_cfg.width=97", "encoder.model: not an open_clip model config (embed_dim must"),
    ],
)
def test_training_that_can_not_begin(config, capsys, handlers, override, says):
    assert main(["train", str(config), override]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith(f"cdd-icm: {says}") and "Traceback" not in error


def test_a_cache_folder_that_can_not_be_written(config, capsys, handlers, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert main(["train", str(config)]) == 2
    says = "cdd-icm: /dev/null/cdd-icm: the picture cache can't be written (Not a directory)"
    assert capsys.readouterr().err.splitlines()[-1] == says


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["preview", str(SAMPLE), "--out", "/dev/null/p.png"],
            "/dev/null/p.png: can't be written (File exists)",
        ),
        (["preview", str(SAMPLE), "--out", "p.foo"], "--out p.foo: '.foo' is not an image format"),
        (["convert", str(SAMPLE), "/dev/null/x"], "/dev/null/x: can't be written (Not a directory)"),
        (["info", 300 * "x"], f"{80 * 'x'}...: the path is too long"),
        (
            ["info", str(SAMPLE / "background.png")],
            f"{SAMPLE / 'background.png'}: a file of a data set; give its folder, {SAMPLE}",
        ),
        (["info", "https://localhost:1/x.tar"], "https://localhost:1/x.tar: data at a URL can only be"),
    ],
)
def test_data_fault_table(capsys, arguments, says):
    assert main(["data", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith(f"cdd-icm: {says}") and "Traceback" not in error


def test_a_sheet_larger_than_its_format_takes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("cdd_icm.data.check.preview", lambda *_: Image.new("RGB", (8, 16384)))
    out = tmp_path / "s.webp"
    assert main(["data", "preview", str(SAMPLE), "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith(f"cdd-icm: --out {out}: can't be written (")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_reader_that_has_gone():
    command = f"{sys.executable} -m cdd_icm data info {SAMPLE} | true; echo ${{PIPESTATUS[0]}}"
    out = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert out.stdout == "141\n" and "Error" not in out.stderr


def test_a_number_that_is_none(capsys):
    with pytest.raises(SystemExit):
        main(["data", "preview", str(SAMPLE), "-n", "abc"])
    assert "argument -n: 'abc' is not a whole number" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["evaluate", "--model", "m", "--data", "d", "--report", "r.json", "--seed", "-1"])
    assert "argument --seed: -1 is not from 0 to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "cdd-icm: stopped"),
        (FloatingPointError("the loss is nan at sample 64"), 1, "cdd-icm: the loss is nan at sample 64"),
    ],
)
def test_how_training_ends(config, capsys, monkeypatch, raised, status, says):
    def train(config):
        raise raised

    monkeypatch.setattr(training, "train", train)
    assert main(["train", str(config)]) == status
    assert capsys.readouterr().err == f"{says}\n"


def talk(chat, *lines, end=EOFError):
    """Answers of the chat to typed lines; then the input ends."""
    typed, told = iter(lines), []

    def read(prompt):
        line = next(typed, end)
        if line is end:
            raise end
        return line

    chat.run(read, told.append)
    return told


def test_chat(tiny_pipeline, tmp_path):
    session = DrawingSession(tiny_pipeline)
    told = talk(Chat(session, tmp_path), "add a cube", "", "add a cone", "/undo", "/redo", "/help")
    picture, strip, seconds = told[0].split("  ")
    assert re.fullmatch(r"\d+\.\d\d s", seconds) and strip == str(tmp_path / "filmstrip.png")
    assert pixels(picture).shape == (32, 32, 3) if Path(picture).exists() else False
    assert told[2].split("  ")[0] == picture and told[3].split("  ")[0] == told[1].split("  ")[0]
    assert told[4] == HELP and told[5] == ""
    assert np.array_equal(pixels(tmp_path / "filmstrip.png"), np.asarray(session.filmstrip()))


def test_chat_settings(tiny_pipeline, tmp_path):
    session = DrawingSession(tiny_pipeline)
    told = talk(
        Chat(session, tmp_path),
        "/seed 7",
        "/guidance-scale 1.5",
        "/num-candidates 2",
        "add a cube",
        f"/save {tmp_path / 'b'}",
    )
    assert (
        told[:3] == ["seed 7", "guidance-scale 1.5", "num-candidates 2"]
        and told[4] == f"saved in {tmp_path / 'b'}"
    )
    (turn,) = DrawingSession.load(tmp_path / "b", tiny_pipeline).turns
    assert turn.seed == 7 and len(turn.scores) == 2 and turn.settings["guidance_scale"] == 1.5


def test_chat_goes_on_after_a_wrong_line(tiny_pipeline, tmp_path):
    told = talk(
        Chat(DrawingSession(tiny_pipeline), tmp_path),
        *(
            "/undo",
            "/redo",
            "/seed x",
            "/guidance-scale x",
            "/guidance-scale nan",
            "/num-candidates 0",
            "/num-candidates 1.5",
        ),
        *("/save", "/udno", "/save ~nobody-here/a", "/num-candidates 10000000000000", "add a c\udcffube"),
        "add a cube",
    )
    assert told[:13] == [
        "undo: there is no turn yet",
        "redo: no turn was undone",
        "/seed: 'x' is not a whole number",
        "sampling: guidance_scale is 'x', expected a number",
        "/guidance-scale: nan is not a finite number",
        "sampling: num_candidates is 0, expected at least 1",
        "sampling: num_candidates is 1.5, expected a whole number",
        "/save: expected a folder",
        "/udno: unknown command; the nearest is /undo, and /help lists all",
        "/save: ~nobody-here/a: no such user",
        "sampling: num_candidates is 10000000000000, expected at most 256",
        r"instruction: 'add a c\udcffube' has a lone surrogate",
        told[12],
    ]
    assert told[12].endswith(" s")


def test_chat_goes_on_after_bytes_that_are_no_text(tiny_pipeline, tmp_path):
    """Where Python reads strictly, as in UTF-8's locales."""
    typed = io.TextIOWrapper(io.BytesIO(b"add a c\xffube\n"), encoding="utf-8")
    lines, told = iter([typed.readline, lambda: "/quit"]), []
    Chat(DrawingSession(tiny_pipeline), tmp_path).run(lambda prompt: next(lines)(), told.append)
    assert told == ["the line is not UTF-8"]


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_nothing_said_is_lost(tiny_pipeline, tmp_path, end):
    session = DrawingSession(tiny_pipeline)
    talk(Chat(session, tmp_path), "add a cube", "add a cone", "/undo", end=end)
    again = DrawingSession.load(tmp_path, tiny_pipeline)
    assert [turn.instruction for turn in again.turns] == ["add a cube"]
    assert np.array_equal(np.asarray(again.redo()), np.asarray(session.redo()))


def test_ctrl_c_while_it_draws(tiny_pipeline, tmp_path, monkeypatch):
    session = DrawingSession(tiny_pipeline)
    chat = Chat(session, tmp_path)
    talk(chat, "add a cube")

    def interrupted(text):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "say", interrupted)
    assert talk(chat, "add a cone", "never read") == [""]
    assert len(DrawingSession.load(tmp_path, tiny_pipeline).turns) == 1


@pytest.mark.slow
def test_chat_command_reopens_its_folder(tiny_folder, tmp_path, capsys, monkeypatch):
    def run(*lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        assert main(["chat", "--model", str(tiny_folder), "--out", str(tmp_path / "out"), *CPU]) == 0
        return capsys.readouterr().out

    assert "say what to draw" in run("add a cube", "/seed 3")
    assert "resuming after turn 1" in run("add a cone", "/quit")
    session = DrawingSession.load(tmp_path / "out", CDDICMPipeline.from_pretrained(tiny_folder))
    assert [turn.seed for turn in session.turns] == [0, 3]
