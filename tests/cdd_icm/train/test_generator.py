"""Training: exact resume, batches shared out, every way to stop. One file, as its tests share their runs."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import save_file

from cdd_icm import device
from cdd_icm.config import Config, from_dict, to_dict
from cdd_icm.data import collate, load_dialogs
from cdd_icm.data.batch import Batch
from cdd_icm.data.readers.shards import convert
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.errors import InputError
from cdd_icm.io import load_tensors
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.plan.annotated.plan import AnnotatedPlan
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sources import SCHEMES
from cdd_icm.train import batches, checkpoint, processes
from cdd_icm.train.checkpoint import checkpoints
from cdd_icm.train.generator import GeneratorRecipe, load_init_weights, train
from cdd_icm.train.loop import MicroBatch
from cdd_icm.train.schedule import is_due, learning_rate_at
from cdd_icm.train.state import prepare, update_ema
from cdd_icm.train.tokenizer import copy_tokenizer
from tests.cdd_icm.plans import plan_of
from tests.cdd_icm.two_processes import publish
from tests.runs import distance, identical, leftover, log_of, newest, run_two_processes

SAMPLE = Path(__file__).parents[3] / "data" / "iclevr_sample"

DEADLINE = 600
"""Seconds after which a process that is waited for hangs."""

ITEM_BY_ITEM = {
    "objective__icm_weight": 0
}  # a loss that is a mean over items, without negatives from the batch


@pytest.fixture(scope="module")
def uninterrupted(settings_in, tmp_path_factory):
    """The folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert train(from_dict(Config, settings_in(folder))) == folder / "pipeline"
    return folder


def at_sample(monkeypatch, sample, act):
    """Calls `act` once, in the step that sees `sample`."""
    make = RandomNumbers.make

    def making(config, first, *rest):
        if first == sample and not done:
            done.append(sample)
            act()
        return make(config, first, *rest)

    done = []
    monkeypatch.setattr(RandomNumbers, "make", making)


class Killed(BaseException):
    """Ends a run where it stands, as kill -9 would: nothing that the run does later is done."""


def die():
    raise Killed


@pytest.mark.slow
def test_a_killed_run_goes_on_exactly(config, uninterrupted, monkeypatch):
    run = Path(config.output_dir)
    at_sample(monkeypatch, 20, die)
    with pytest.raises(Killed):
        train(config)
    assert [folder.name for folder in checkpoints(run / "checkpoints")] == ["000000000008", "000000000016"]
    # what else a kill may leave behind
    unfinished = leftover(run / "checkpoints" / "000000000024")
    unfinished.mkdir()
    (unfinished / "model.safetensors").write_bytes(b"half")
    leftover(run / "tokenizer").mkdir()
    with open(run / "log.jsonl", "a") as file:
        file.write('{"samples": 20, "loss": 1}\n{"samples": 24, "lo')
    train(config)
    assert identical(newest(run), newest(uninterrupted))
    assert log_of(run) == log_of(uninterrupted)
    assert not list(run.rglob(".*"))
    for file in sorted(uninterrupted.glob("pipeline/*/*.safetensors")):
        assert file.read_bytes() == (run / file.relative_to(uninterrupted)).read_bytes()


@pytest.mark.slow
def test_the_tiny_preset_goes_on_exactly_after_kill_9(tmp_path):
    preset = Path(__file__).parents[3] / "configs" / "generate" / "tiny.yaml"

    def start(folder):
        overrides = ["training.total_samples=160", "training.checkpoint_samples=48"]
        overrides += ["training.log_samples=16", f"data.path={SAMPLE}", f"output_dir={tmp_path / folder}"]
        command = [sys.executable, "-m", "cdd_icm", "train", str(preset), *overrides]
        return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)

    whole, killed = start("whole"), start("killed")
    while not checkpoints(tmp_path / "killed" / "checkpoints"):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    assert killed.wait(DEADLINE) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "pipeline").exists()
    assert start("killed").wait(DEADLINE) == whole.wait(DEADLINE) == 0
    assert identical(newest(tmp_path / "killed"), newest(tmp_path / "whole"))
    assert log_of(tmp_path / "killed") == log_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_signal_to_all_its_processes_stops_a_run_in_order(tmp_path):
    preset = Path(__file__).parents[3] / "configs" / "generate" / "tiny.yaml"
    overrides = [f"data.path={SAMPLE}", f"output_dir={tmp_path / 'run'}", "data.num_workers=1"]
    command = [sys.executable, "-m", "cdd_icm", "train", str(preset), *overrides, "training.log_samples=16"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    log = tmp_path / "run" / "log.jsonl"
    while not (log.is_file() and log.read_text()):
        assert run.poll() is None
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGTERM)
    said = run.communicate(timeout=DEADLINE)[1]
    assert run.returncode == 143 and "Traceback" not in said, said
    assert re.search(
        r"run: stopped after \d+ of 9600 images, which are in a checkpoint; run the same", said
    ), said
    assert checkpoints(tmp_path / "run" / "checkpoints")


@pytest.mark.slow
def test_a_run_goes_on_though_some_weights_never_had_a_gradient(make_config, monkeypatch, tmp_path):
    def one(folder):
        return make_config(**ITEM_BY_ITEM, output_dir=str(tmp_path / folder))

    train(one("whole"))
    at_sample(monkeypatch, 20, die)
    with pytest.raises(Killed):
        train(one("killed"))
    train(one("killed"))
    assert not any("matcher" in name for name in newest(tmp_path / "whole") if name.startswith("optimizer"))
    assert identical(newest(tmp_path / "killed"), newest(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_exactly(config, uninterrupted, monkeypatch, capsys, number):
    before = signal.getsignal(number)
    at_sample(monkeypatch, 8, lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt):
        train(config)
    assert "run the same command again to resume" in capsys.readouterr().err
    assert signal.getsignal(number) is before  # the host program has its own handler back
    run = Path(config.output_dir)
    assert checkpoints(run / "checkpoints")[-1].name == "000000000012"
    train(config)
    assert identical(newest(run), newest(uninterrupted))


@pytest.mark.slow
def test_a_finished_run_is_left_as_it_is_and_publishes_what_it_lacks(config, uninterrupted, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(GeneratorRecipe, "publish", lambda *_, **__: die())  # after the last checkpoint
        train(config)
    run = Path(config.output_dir)
    assert identical(newest(run), newest(uninterrupted)) and not (run / "pipeline").exists()
    pipeline = CDDICMPipeline.from_pretrained(train(config))
    assert pipeline.canvas.size == (32, 32)
    assert identical(newest(run), newest(uninterrupted)) and log_of(run) == log_of(uninterrupted)


@pytest.mark.slow
def test_a_validation_that_a_kill_cut_off_is_made_up_for(make_config, monkeypatch):
    config = make_config(training__total_samples=28)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(GeneratorRecipe, "publish", lambda *_, **__: die())
        train(config)
    run = Path(config.output_dir)
    assert [folder.name for folder in checkpoints(run / "checkpoints")] == ["000000000016", "000000000024"]
    train(config)
    assert [file.name for file in sorted((run / "validation").iterdir())] == [
        "000000024.png",
        "000000028.png",
    ]


@pytest.mark.slow
def test_a_lack_of_memory_to_draw_in_shows_after_the_first_step(make_config, monkeypatch):
    def full(pipeline, references, instructions, *_, **__):
        raise torch.OutOfMemoryError(f"{len(instructions)} pictures")

    monkeypatch.setattr(CDDICMPipeline, "draw", full)
    config = make_config()
    with pytest.raises(torch.OutOfMemoryError, match="3 pictures"):
        train(config)
    assert not checkpoints(Path(config.output_dir) / "checkpoints")


def test_files_of_a_run(uninterrupted):
    assert [folder.name for folder in checkpoints(uninterrupted / "checkpoints")] == [
        "000000000016",
        "000000000024",
    ]
    lines = log_of(uninterrupted)
    assert [line["samples"] for line in lines] == [8, 16, 24]
    assert {
        "loss",
        "cdd",
        "icm",
        "changed_error",
        "changed_error_q1",
        "cdd_q4",
        "learning_rate",
        "grad_norm",
    } <= set(lines[0])
    sheet = Image.open(uninterrupted / "validation" / "000000024.png")
    assert sheet.width > 6 * 32 and sheet.height > 2 * 32
    tensors = newest(uninterrupted)
    trained = {key for key in tensors if key.startswith("model.")}
    assert any(not torch.equal(tensors[key], tensors[key.replace("model", "ema", 1)]) for key in trained)


def test_two_processes_do_what_one_does_on_the_joined_batch(two_processes, make_config):
    """Also after a stop: the run of two processes was stopped after its first step."""
    config = make_config(training__total_samples=12)
    train(config)
    one, two = newest(config.output_dir), newest(two_processes / "run")
    assert distance(one, two, "model") < 1e-3 * 0.1  # a tenth of what one step of the optimiser changes
    line, other = (log_of(run)[-1] for run in (config.output_dir, two_processes / "run"))
    assert line == {key: value and pytest.approx(value, rel=1e-3) for key, value in other.items()}


@pytest.mark.slow
def test_two_processes_share_a_validation_and_find_what_one_does(two_processes, make_config, tmp_path):
    publish(make_config(), tmp_path / "one")
    drawn, *shares = (
        json.loads(file.read_text())
        for file in (
            tmp_path / "one" / "drawn_0.json",
            *(two_processes / "validated" / f"drawn_{rank}.json" for rank in range(2)),
        )
    )
    assert all(shares) and sum(shares, []) == drawn
    sheets = [
        folder / "validation" / "000000004.png" for folder in (tmp_path / "one", two_processes / "validated")
    ]
    one, two = (np.asarray(Image.open(sheet)).astype(int) for sheet in sheets)
    assert abs(one - two).max() <= 2  # rounding differs with the size of a batch


@pytest.mark.slow
@pytest.mark.parametrize("changed", [ITEM_BY_ITEM, {}], ids=["without ICM", "with ICM"])
def test_gradient_accumulation_is_one_large_batch(make_config, tmp_path, changed):
    results = []
    for parts in (1, 2, 4):
        config = make_config(
            **changed,
            output_dir=str(tmp_path / str(parts)),
            training__gradient_accumulation=parts,
            training__total_samples=12,
            training__checkpoint_samples=6,  # within a step
        )
        train(config)
        folders = checkpoints(Path(config.output_dir) / "checkpoints")
        assert [folder.name for folder in folders] == ["000000000008", "000000000012"]
        results.append(newest(config.output_dir))
    # a third of what one step changes: Adam makes rounding in tiny gradients large
    assert distance(results[0], results[1], "model") < 3e-4 > distance(results[0], results[2], "model")


def test_processes_look_for_weights_without_gradient_where_the_loss_leaves_some_out(two_processes):
    for rank in range(2):
        assert json.loads((two_processes / f"searches_{rank}.json").read_text()) == [True, False]
    assert checkpoints(two_processes / "without_icm" / "checkpoints")[-1].name == "000000000012"


LEFT_OUT = [
    {},
    {"plan": {"kind": "none"}},
    {"objective__icm_weight": 0},
    {"without": ["cross-attention"]},
    {"without": ["gated-fusion"]},
]


@pytest.mark.slow
@pytest.mark.parametrize("changed", LEFT_OUT, ids=str)
@pytest.mark.parametrize("words", [False, True])
def test_where_no_part_is_left_out_every_weight_has_a_gradient(make_config, changed, words):
    config = make_config(**changed)
    recipe = GeneratorRecipe(config)
    model = recipe.build(Accelerator(cpu=True)).train()
    batch = next(recipe.batches(4, 0, 0, 1))
    model(batch, RandomNumbers.make(config, 0, 4, torch.device("cpu")), words)["loss"].backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert recipe.has_unused_parameters == bool(idle), idle


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
def test_accumulated_gradients_of_icm_are_those_of_one_large_batch(make_config, n):
    """In value and gradient, that of the temperature too, with hard negatives, dropped conditions and a turn
    that asks for nothing."""
    config = make_config(plan={"kind": "none"}, objective__condition_dropout=0.4)
    torch.manual_seed(0)
    model, recipe = CDDICM(config).eval(), GeneratorRecipe(config)
    recipe.device = torch.device("cpu")
    generator = torch.Generator().manual_seed(0)
    pictures = (torch.rand(8, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(3))
    ids = torch.randint(3, 300, (8, 24), generator=generator)
    mask = torch.ones(8, 24, dtype=torch.bool)
    null = {"null_ids": torch.tensor([[1, 2] + [0] * 22]), "null_mask": torch.arange(24)[None] < 2}
    columns = dict(zip(("reference", "target", "other"), pictures, strict=True))
    columns |= {"ids": ids, "mask": mask}
    columns["no_op"] = torch.arange(8) == 5

    def part(start, size):
        rows = {name: column[start : start + size] for name, column in columns.items()}
        return MicroBatch(Batch(turns=[("a", i) for i in range(size)], **rows, **null), start, 0)

    def step(parts):
        model.zero_grad()
        outs = []
        for each, shared in zip(parts, recipe.share(model, parts), strict=True):
            outs.append(recipe.loss(model, each, shared))
            (outs[-1]["loss"] / len(parts)).backward()
        return outs, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    (whole,), gradients = step([part(0, 8)])
    outs, accumulated = step([part(start, 8 // n) for start in range(0, 8, 8 // n)])
    for out in outs:
        torch.testing.assert_close(out["icm"], whole["icm"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sum(out["loss"] for out in outs) / n, whole["loss"], rtol=1e-5, atol=1e-6)
    assert gradients["matcher.log_scale"].abs() > 1e-3 and accumulated.keys() == gradients.keys()
    for name, gradient in gradients.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(accumulated[name], gradient, rtol=1e-3, atol=1e-4 * scale + 1e-7, msg=name)


def test_a_run_begins_with_the_weights_that_fit_it(config, uninterrupted):
    weights = load_tensors(checkpoints(uninterrupted / "checkpoints")[-1] / "ema.safetensors")
    same = CDDICM(config, plan_of(config, ("ball",) * 30))
    before = {name: value.clone() for name, value in same.state_dict().items()}
    load_init_weights(same, checkpoints(uninterrupted / "checkpoints")[-1] / "ema.safetensors")
    for name, value in same.state_dict().items():
        taken = name in weights and weights[name].shape == value.shape
        assert torch.equal(value, weights[name] if taken else before[name])
    assert torch.equal(same.fusion.text_norm.weight, weights["fusion.text_norm.weight"])


@pytest.mark.slow
def test_a_run_begins_with_a_pipeline_and_its_vocabulary(config, uninterrupted, tmp_path):
    weights = load_tensors(checkpoints(uninterrupted / "checkpoints")[-1] / "ema.safetensors")
    (tmp_path / "run").mkdir()
    classes = CDDICMPipeline.from_pretrained(uninterrupted / "pipeline").planner.config.classes
    model = CDDICM(config, plan_of(config, classes))
    load_init_weights(model, uninterrupted / "pipeline")
    copy_tokenizer(uninterrupted / "pipeline", tmp_path / "run")
    drawn_with = ("towers.", "fusion.", "unet.", "planner.", "matcher.")
    for name, value in model.state_dict().items():
        if name.startswith(drawn_with):
            assert torch.equal(value, weights[name]), name
    vocabulary, mine = (
        json.loads((folder / "tokenizer" / "tokenizer.json").read_text())["model"]
        for folder in (uninterrupted, tmp_path / "run")
    )
    assert mine == vocabulary


@pytest.mark.slow
def test_only_a_new_run_begins_with_mean_templates(make_config, monkeypatch, uninterrupted, tmp_path):
    begun = []
    monkeypatch.setattr(
        AnnotatedPlan, "initialise", lambda self, config, *_, **__: begun.append(config.plan.template_turns)
    )
    config = make_config(plan__template_turns=5)
    at_sample(monkeypatch, 12, die)
    with pytest.raises(Killed):
        train(config)
    train(config)
    assert begun == [5]
    train(make_config(init=str(uninterrupted / "pipeline"), output_dir=str(tmp_path / "other")))
    assert begun == [5]


@pytest.mark.slow
@pytest.mark.parametrize(
    "saved", [{"variant": "fp16"}, {"max_shard_size": "50KB"}], ids=["variant", "shards"]
)
def test_a_run_begins_with_all_parts_of_a_folder_however_saved(make_config, uninterrupted, tmp_path, saved):
    pipeline = CDDICMPipeline.from_pretrained(uninterrupted / "pipeline")
    pipeline.save_pretrained(tmp_path / "again", **saved)
    classes = pipeline.planner.config.classes
    model = CDDICM(make_config(), plan_of(make_config(), classes))
    load_init_weights(model, tmp_path / "again")
    for name in ("towers", "fusion", "unet", "matcher"):
        own, theirs = (part.state_dict() for part in (getattr(model, name), getattr(pipeline, name)))
        assert all(torch.equal(own[key], theirs[key]) for key in theirs), name


def test_weights_that_can_not_begin_a_run_are_named(make_config, tmp_path):
    config = make_config(plan={"kind": "none"})
    save_file({"another": torch.zeros(3)}, tmp_path / "other.safetensors")
    for file, says in (
        ("none.safetensors", "no such file or folder"),
        ("other.safetensors", "none of its weights fit"),
    ):
        with pytest.raises(InputError, match=f"init: .*{file}: {says}"):
            load_init_weights(CDDICM(config), tmp_path / file)


@pytest.mark.slow
def test_a_run_goes_on_when_what_it_began_with_is_gone(make_config, uninterrupted, tmp_path, monkeypatch):
    init = tmp_path / "init"
    shutil.copytree(uninterrupted / "pipeline", init)
    config = make_config(init=str(init))
    at_sample(monkeypatch, 20, die)
    with pytest.raises(Killed):
        train(config)
    shutil.rmtree(init)
    train(config)


def test_a_tokenizer_of_other_towers_is_refused(make_config, uninterrupted):
    model = copy.deepcopy(make_config().encoder.model)
    model["text_cfg"]["context_length"] += 1
    config = make_config(init=str(uninterrupted / "pipeline"), encoder__model=model)
    with pytest.raises(InputError, match="tokenizer: .* tokens and texts of .* but the text tower"):
        train(config)


def test_learning_rate_is_a_function_of_samples(make_config):
    def rates(**changed):
        config = make_config(training__total_samples=100, training__warmup_samples=20, **changed)
        return [learning_rate_at(samples, config.training) for samples in range(0, 101, 4)]

    rate = rates()
    assert rate == rates(training__batch_size=64)
    assert rate[0] == pytest.approx(1e-3 / 20) and max(rate) == pytest.approx(1e-3) == rate[5]
    assert rate[:6] == sorted(rate[:6]) and rate[5:] == sorted(rate[5:], reverse=True)
    assert rate[15] == pytest.approx((1e-3 + 1e-5) / 2) and rate[-1] == pytest.approx(1e-5)
    assert learning_rate_at(0, make_config(training__warmup_samples=0).training) == 1e-3


def test_learning_rate_falls_once_over_the_words_and_again_over_the_rest(make_config):
    t = make_config(training__total_samples=300, training__warmup_samples=20).training
    words = make_config(training__total_samples=100, training__warmup_samples=20).training
    rest = make_config(training__total_samples=200, training__warmup_samples=20).training
    for samples in range(0, 100, 4):
        assert learning_rate_at(samples, t, restart=100) == learning_rate_at(samples, words)
    for samples in range(0, 200, 4):
        assert learning_rate_at(100 + samples, t, restart=100) == learning_rate_at(samples, rest)
    assert learning_rate_at(99, words, restart=1000) == learning_rate_at(99, words)  # words alone


def test_ema_has_its_half_life():
    old, new = torch.nn.Linear(1, 1).requires_grad_(False), torch.nn.Linear(1, 1)
    with torch.no_grad():
        old.weight.fill_(0.0), new.weight.fill_(1.0)
    for samples in range(1000, 1000 + 50):  # 0.05 x 1000 samples are a half-life
        update_ema(old, new, 1000 + 0 * samples, 1)
    assert old.weight.item() == pytest.approx(0.5, abs=1e-4) and new.weight.item() == 1


def test_is_due():
    assert [is_due(10, before, before + 4) for before in (0, 4, 8, 12, 16)] == [
        False,
        False,
        True,
        False,
        True,
    ]


def spoil_targets(monkeypatch, sample):
    """The third item of the batch that begins at `sample` has no finite target."""
    on, calls = Batch.on, []

    def spoiling(batch, device):
        batch = on(batch, device)
        if len(calls) == sample // 4:
            batch.target[2] = torch.nan
        calls.append(batch)
        return batch

    monkeypatch.setattr(Batch, "on", spoiling)
    return calls


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_turn(make_config, monkeypatch):
    config = make_config(**ITEM_BY_ITEM)
    calls = spoil_targets(monkeypatch, 12)
    with pytest.raises(FloatingPointError) as error:
        train(config)
    run = Path(config.output_dir)
    named = "{} turn {}".format(*calls[-1].turns[2])
    assert (
        str(error.value)
        == f"the loss is nan at sample 12 ({named}); the checkpoints in {run}/checkpoints are kept"
    )
    (kept,) = checkpoints(run / "checkpoints")
    assert kept.name == "000000000008" and all(value.isfinite().all() for value in newest(run).values())


def test_a_loss_that_is_not_finite_stops_all_processes_alike(two_processes):
    run = two_processes / "spoilt"
    says, also = ((two_processes / f"error_{rank}.txt").read_text() for rank in range(2))
    assert says == also and re.fullmatch(
        rf"the loss is nan at sample 8 \(\S+ turn \d\); the checkpoints in {run}/checkpoints are kept", says
    )
    assert [folder.name for folder in checkpoints(run / "checkpoints")] == ["000000000008"]
    assert all(value.isfinite().all() for value in newest(run).values())


@pytest.mark.slow
def test_words_come_first(make_config, monkeypatch):
    """Of each of the first micro-batches one sample is denoised, after that all of them."""
    forward, seen = CDDICM.forward, []
    config = make_config(objective__text_warmup_samples=8)

    def counting(model, batch, *given, **named):
        out = forward(model, batch, *given, **named)
        seen.append((len(batch.ids), len(out["level"])))
        return out

    monkeypatch.setattr(CDDICM, "forward", counting)
    train(config)
    size, parts = (getattr(config.training, name) for name in ("batch_size", "gradient_accumulation"))
    rest = config.training.total_samples - 8
    warmup = [(size // parts, 1)] * (8 // size * parts)
    assert seen == warmup + [(size // parts,) * 2] * (rest // size * parts)


@pytest.mark.slow
def test_a_gradient_that_is_not_finite_reaches_no_weight(config, monkeypatch):
    forward = CDDICM.forward

    def poisoned(model, *given, **named):
        out = forward(model, *given, **named)
        if len(seen) == 2:  # a loss that is finite, with a gradient that isn't
            out["loss"] = out["loss"] + (model.matcher.query_out.bias * 0).abs().sqrt().sum()
        seen.append(1)
        return out

    seen = []
    monkeypatch.setattr(CDDICM, "forward", poisoned)
    with pytest.raises(FloatingPointError, match="the gradient is nan at sample 8; .* are kept"):
        train(config)
    assert all(value.isfinite().all() for value in newest(config.output_dir).values())


@pytest.mark.slow
def test_a_full_disk_costs_no_earlier_checkpoint(config, uninterrupted, monkeypatch):
    save_file, written = checkpoint.save_file, []

    def full(tensors, path):
        written.append(path)
        if len(written) > 4:  # the second checkpoint's second file
            raise OSError(28, "No space left on device")
        save_file(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full)
    run = Path(config.output_dir)
    with pytest.raises(InputError, match="000000000016: can't be written .*No space left on device"):
        train(config)
    assert [folder.name for folder in checkpoints(run / "checkpoints")] == ["000000000008"]
    monkeypatch.setattr(checkpoint, "save_file", save_file)
    train(config)
    assert identical(newest(run), newest(uninterrupted))


@pytest.fixture
def begun(make_config, monkeypatch):
    """A run that was stopped after its first checkpoint."""
    with monkeypatch.context() as patch:
        at_sample(patch, 8, die)
        with pytest.raises(Killed):
            train(make_config())
    return make_config


@pytest.mark.slow
def test_another_config_is_refused_by_the_key_that_differs(begun):
    for key in ("training__learning_rate", "without", "seed", "plan__recaption"):
        with pytest.raises(
            InputError, match=rf"config\.yaml: the run there began with another {key.replace('__', '.')};"
        ):
            train(begun(**{key: ["cross-attention"] if key == "without" else 1}))


@pytest.mark.slow
def test_an_attempt_that_never_began_leaves_nothing_to_differ_from(make_config, uninterrupted, tmp_path):
    """Its config and the tokenizer that it took over don't count: the run is as if it had been the first."""
    with pytest.raises(InputError, match="init: .*nope: no such file"):
        train(make_config(init=str(tmp_path / "nope")))
    (tmp_path / "run" / "tokenizer").mkdir()  # of another text
    config = make_config()
    train(config)
    assert identical(newest(config.output_dir), newest(uninterrupted))


@pytest.mark.slow
def test_what_may_change_may_change(begun, tmp_path):
    config = begun(
        **{"training__total_samples": 12, "training__log_samples": 4, "sampling__num_inference_steps": 1},
        sampling_presets={"slow": {"num_inference_steps": 9}},
    )
    train(config)
    assert [line["samples"] for line in log_of(config.output_dir)] == [8, 12]
    pipeline = CDDICMPipeline.from_pretrained(tmp_path / "run" / "pipeline")
    assert pipeline.settings().num_inference_steps == 1
    pipeline.use_preset("slow")
    assert pipeline.settings().num_inference_steps == 9


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_dialogs_from_elsewhere_and_refuses_others(begun, tmp_path):
    dialogs = load_dialogs(begun().data.path, "train")
    for name, some in (("same", dialogs), ("fewer", dialogs[1:])):
        convert(some, tmp_path / name, progress=False)
    with pytest.raises(
        InputError, match=r"checkpoints/000000000008: the run began with other training data;"
    ):
        train(begun(data__path=str(tmp_path / "fewer")))
    train(begun(data__path=str(tmp_path / "same"), training__total_samples=12))
    state = checkpoints(tmp_path / "run" / "checkpoints")[-1] / "state.json"
    state.write_text('{"samples": 12}')  # of a run that began before the data was noted
    train(begun(data__path=str(tmp_path / "fewer"), training__total_samples=16))


def test_a_stream_is_known_by_its_first_dialogs_and_its_shards(make_config, shards, tmp_path):
    shutil.copytree(shards, tmp_path / "shards")
    data = make_config(data__path=str(tmp_path / "shards" / "train-*.tar")).data
    dialogs = batches.training_dialogs(data)
    order = batches.sample_order(data, dialogs)
    assert order == batches.sample_order(make_config(data__path=f"{shards}/train-*.tar").data, dialogs)
    assert order != batches.sample_order(data, dialogs[1:])
    max((tmp_path / "shards").glob("train-*")).unlink()
    assert order != batches.sample_order(data, dialogs)


def test_the_scale_of_the_gradients_in_fp16_goes_on(config, tmp_path):
    accelerator, model = Accelerator(cpu=True), torch.nn.Linear(2, 2)
    parts = (tmp_path, *prepare(accelerator, model, config.training, (0.9, 0.99), 0.01), accelerator)
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    checkpoint.save(*parts, samples=4, data="")
    accelerator.scaler = torch.amp.GradScaler("cpu")
    assert checkpoint.restore(*parts, data="") == (4, False) and accelerator.scaler.get_scale() == 8.0


def truncated(folder):
    file = folder / "ema.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    return f"{file}: not a complete safetensors file"


def other_weights(folder):
    (folder / "model.safetensors").write_bytes((folder / "optimizer.safetensors").read_bytes())
    return f"{folder}: the checkpoint doesn't fit the model"


def no_moments(folder):
    (folder / "optimizer.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    return f"{folder}: the checkpoint doesn't fit the model"


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [truncated, other_weights, no_moments])
def test_a_damaged_checkpoint_is_named(begun, tmp_path, spoil):
    says = spoil(checkpoints(tmp_path / "run" / "checkpoints")[-1])
    with pytest.raises(InputError) as error:
        train(begun())
    assert str(error.value).startswith(says) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sampling__num_inference_steps": 1001}, "num_inference_steps is 1001, expected at most 1000"),
        ({"training__mixed_precision": "fp16"}, "training.mixed_precision is 'fp16', which needs a GPU"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(make_config, changed, says):
    config = make_config(**changed)
    with pytest.raises(InputError, match=says):
        train(config)
    assert not Path(config.output_dir).exists()


@pytest.mark.slow
def test_fsdp_of_two_processes_goes_on_from_one_and_one_from_it(make_config, tmp_path, monkeypatch):
    """It takes up the checkpoint of one process, does what that one does from there, and leaves the same."""

    def begin_at(sample, folder, config):
        run = Path(config.output_dir)
        for part in ("tokenizer", f"checkpoints/{sample:012d}"):
            shutil.copytree(folder / part, run / part)
        return run

    changed = {"training__total_samples": 12, "training__checkpoint_samples": 4}
    monkeypatch.setattr("cdd_icm.train.checkpoint.MAX_CHECKPOINTS", 9)
    one = train(make_config(**changed)).parent
    config = make_config(**changed, training__batch_size=2, output_dir=str(tmp_path / "two"))
    two = begin_at(4, one, config)
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(to_dict(config)))
    run_two_processes("tests.sharded", "cdd_icm", "train", tmp_path / "two.yaml")
    for part in ("model", "ema"):
        assert distance(newest(one), newest(two), part) < 1e-3 * 0.1  # of what one step changes
    assert {key: value.shape for key, value in newest(one).items()} == {
        key: value.shape for key, value in newest(two).items()
    }
    line, other = (log_of(run)[-1] for run in (one, two))
    assert line == {key: value and pytest.approx(value, rel=1e-3) for key, value in other.items()}
    drawer = CDDICMPipeline.from_pretrained(two / "pipeline")
    average = load_tensors(checkpoints(two / "checkpoints")[-1] / "ema.safetensors")
    assert torch.equal(drawer.matcher.log_scale, average["matcher.log_scale"])
    assert torch.equal(drawer.unet.unet.conv_in.weight, average["unet.unet.conv_in.weight"])
    changed["training__total_samples"] = 16
    config = make_config(**changed, output_dir=str(tmp_path / "on"))
    on = begin_at(12, two, config)
    train(config)
    assert checkpoints(on / "checkpoints")[-1].name == "000000000016"


def test_fsdp_that_would_be_none_is_refused_before_any_work(config, monkeypatch):
    """accelerate itself would run DDP in its place on CPUs."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match="accelerate's config asks for FSDP, which needs GPUs and"):
        train(config)
    assert not Path(config.output_dir).exists()


@pytest.mark.slow
def test_trackers(make_config):
    config = make_config(training__tracker="tensorboard", training__total_samples=8)
    train(config)
    (events,) = Path(config.output_dir).rglob("events.out.tfevents.*")
    assert events.stat().st_size > 100


def test_a_tracker_that_is_not_installed_is_named(make_config, monkeypatch):
    monkeypatch.setattr(processes.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"training\.tracker: wandb is not installed"):
        train(make_config(training__tracker="wandb"))


@pytest.mark.parametrize(("units", "found"), [(True, "bf16"), (False, "no")])
def test_auto_is_bf16_where_the_device_has_units_for_it(monkeypatch, units, found):
    """An emulated bf16 takes many times as long as float32."""
    monkeypatch.setattr(device, "computes_in_bf16", lambda _: units)
    assert device.mixed_precision("auto", torch.device("cpu")) == found
    assert device.mixed_precision("bf16", torch.device("cpu")) == "bf16"  # who asks for it gets it


@pytest.mark.slow
def test_mixed_precision_trains(make_config, tmp_path):
    """Also after another run of this process, whose precision accelerate would keep."""
    train(make_config(training__total_samples=4, output_dir=str(tmp_path / "other")))
    config = make_config(training__mixed_precision="bf16", training__total_samples=8)
    train(config)
    tensors = newest(config.output_dir)
    assert {value.dtype for value in tensors.values()} == {torch.float32}
    assert all(value.isfinite().all() for value in tensors.values())


@pytest.fixture(scope="module")
def shards(settings_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards") / "shards"
    convert(load_dialogs(settings_in("")["data"]["path"]), folder, max_dialogs_per_shard=4, progress=False)
    return folder


@pytest.mark.slow
def test_streaming_trains_and_goes_on_exactly(make_config, shards, tmp_path, monkeypatch):
    changed = {"data__path": f"{shards}/train-*.tar", "training__total_samples": 12}
    whole, parts = (make_config(**changed, output_dir=str(tmp_path / name)) for name in ("whole", "parts"))
    train(whole)
    at_sample(monkeypatch, 8, die)
    with pytest.raises(Killed):
        train(parts)
    train(parts)
    assert identical(newest(whole.output_dir), newest(parts.output_dir))


def test_a_url_is_streamed(make_config, shards, monkeypatch):
    monkeypatch.setitem(SCHEMES, "file", "fsspec")  # refused elsewhere; here it stands for a server
    by_url = make_config(data__path=f"file://{shards}/train-{{000000..000002}}.tar")
    folder = make_config(data__path=f"{shards}/train-*.tar")
    dialogs = batches.training_dialogs(by_url.data)
    assert [dialog.id for dialog in dialogs] == [
        dialog.id for dialog in batches.training_dialogs(folder.data)
    ]
    assert batches.validation_dialogs(by_url.data, dialogs) is dialogs
    one, other = (next(batches.training_batches(c, dialogs, collate, 3, 6, 0, 1)) for c in (by_url, folder))
    assert one["dialog"] == other["dialog"] and torch.equal(one["target"], other["target"])


def test_validation_split(config, make_config, shards, capsys, monkeypatch):
    trained = batches.training_dialogs(config.data)
    assert {dialog.split for dialog in trained} == {"train"} and len(trained) == 12
    assert {dialog.split for dialog in batches.validation_dialogs(config.data, trained)} == {"val"}
    monkeypatch.setattr(batches, "VALIDATION", "holdout")
    assert batches.validation_dialogs(config.data, trained) is trained
    assert "no split 'holdout'" in "".join(capsys.readouterr())
    monkeypatch.undo()
    stream = make_config(data__path=f"{shards}/train-*.tar").data
    assert len(batches.training_dialogs(stream)) == 12
    assert {dialog.split for dialog in batches.validation_dialogs(stream, trained)} == {"val"}
