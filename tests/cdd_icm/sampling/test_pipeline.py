"""One turn: what a picture depends on, what is counted, what is refused. One file, as its fixtures draw."""

import copy
import dataclasses
import inspect
import io

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from diffusers import DiffusionPipeline, schedulers
from diffusers.callbacks import PipelineCallback
from diffusers.configuration_utils import FrozenDict
from PIL import Image

from cdd_icm.config import SamplingConfig
from cdd_icm.diffusion.samplers import SAMPLERS, scheduler_like
from cdd_icm.errors import InputError
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.unet import UNetOutput
from cdd_icm.plan.annotated.decoding import sample_plan
from cdd_icm.plan.annotated.plan import AnnotatedPlan
from cdd_icm.sampling.inputs import to_reference
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.train.generator import build_pipeline
from retrieval.model import RetrievalModel

SAID = ["Add a red cube on the left", "Add a blue sphere behind it", "Put it on the right"]
STEP = 1 / 255


def seeded(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def picture(seed, size=(32, 32)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


@pytest.fixture(scope="module")
def pipe(tiny_pipeline):
    """With weights that let every input show: some start at 0."""
    pipe = copy.deepcopy(tiny_pipeline)
    torch.manual_seed(1)
    torch.nn.init.normal_(pipe.unet.spatial_in.weight, std=0.3)
    torch.nn.init.normal_(pipe.unet.unet.conv_out.weight, std=0.05)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def draw(pipe):
    """(B, 3, 32, 32) of a call with its defaults."""

    def draw(image=None, said=SAID[0], seeds=0, **options):
        generator = seeded(*seeds) if isinstance(seeds, list) else seeded(seeds)[0]
        image = pipe.canvas if image is None else image
        return pipe(image, said, generator=generator, output_type="pt", **options).images

    return draw


@pytest.fixture
def count_calls(pipe, monkeypatch):
    """The batch sizes of the UNet's forward passes."""
    sizes, forward = [], pipe.unet.forward
    monkeypatch.setattr(
        pipe.unet, "forward", lambda x, *args, **more: sizes.append(len(x)) or forward(x, *args, **more)
    )
    return sizes


OPTIONS = [{}, {"image_guidance_scale": 1.5, "icm_guidance_scale": 2.0}, {"num_candidates": 2}]


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "guided", "candidates"])
@pytest.mark.parametrize("scheduler", ["DPMSolverMultistepScheduler", "DDPMScheduler"])
def test_an_item_of_a_batch_is_that_item_alone(pipe, draw, monkeypatch, options, scheduler):
    kind = getattr(schedulers, scheduler)
    monkeypatch.setattr(pipe, "scheduler", kind.from_config(pipe.scheduler.config))
    images, history = [picture(1), picture(2), picture(3)], [[], [SAID[0]], SAID[:2]]
    together = draw(images, SAID, [5, 6, 7], history=history, **options)
    for i in range(3):
        alone = draw(images[i], SAID[i], [5 + i], history=history[i], **options)
        assert (alone[0] - together[i]).abs().max() < STEP
    assert (together[0] - together[1]).abs().max() > 10 * STEP


def test_one_generator_serves_the_batch_in_order(pipe, draw):
    together = draw([pipe.canvas] * 2, SAID[:2], 5)
    each = pipe([pipe.canvas] * 2, SAID[:2], generator=tuple(seeded(5, 6)), output_type="pt").images
    assert torch.equal(each, draw([pipe.canvas] * 2, SAID[:2], [5, 6]))
    generator = seeded(5)[0]
    for i in range(2):
        alone = pipe(pipe.canvas, SAID[i], generator=generator, output_type="pt").images
        assert (alone[0] - together[i]).abs().max() < STEP


def test_a_speaker_without_brackets_is_refused(pipe):
    with pytest.raises(InputError, match="speaker is 'boss', expected none, or a word in angle brackets"):
        type(pipe)(**pipe.components, speaker="boss")


def test_words_are_read_as_the_speakers(draw, pipe, monkeypatch):
    before = draw(said="a sun", history=["a tree"])
    told = draw(said="<boss> a sun", history=["<boss> a tree"])
    monkeypatch.setattr(pipe, "_internal_dict", FrozenDict({**pipe.config, "speaker": "<boss>"}))
    again = draw(said="a sun", history=["a tree"])
    assert torch.equal(again, told) and not torch.equal(again, before)
    assert torch.equal(draw(said="<boss> a sun", history=["<boss> a tree"]), told)


def test_a_picture_depends_on_reference_words_history_and_seed(draw):
    base = draw(picture(1), SAID[1], 0, history=[SAID[0]])
    assert torch.equal(base, draw(picture(1), SAID[1], 0, history=[SAID[0]]))
    for other in (
        draw(picture(2), SAID[1], 0, history=[SAID[0]]),
        draw(picture(1), SAID[2], 0, history=[SAID[0]]),
        draw(picture(1), SAID[1], 0, history=[SAID[2]]),
        draw(picture(1), SAID[1], 1, history=[SAID[0]]),
    ):
        assert not torch.equal(base, other)
    assert torch.equal(base, draw(picture(1), SAID[1], 0, history=["long ago", SAID[0]]))  # one turn is read


@pytest.mark.parametrize(
    ("scales", "branches"), [((1.0, 1.0), 1), ((2.0, 1.0), 2), ((1.0, 1.5), 3), ((2.0, 1.5), 3)]
)
def test_all_branches_are_one_forward_pass_a_step(draw, count_calls, scales, branches):
    names = dict(zip(("guidance_scale", "image_guidance_scale"), scales, strict=True))
    draw([picture(1), picture(2)], SAID[:2], [0, 1], num_inference_steps=3, **names)
    assert count_calls == [2 * branches] * 3


def test_a_call_takes_every_sampling_setting_but_the_scheduler():
    settings = {f.name for f in dataclasses.fields(SamplingConfig)} - {"scheduler"}
    call = inspect.signature(CDDICMPipeline.__call__).parameters.values()
    given = {p.name for p in call if p.kind is p.KEYWORD_ONLY}
    of_diffusers = {"generator", "output_type", "return_dict", "callback_on_step_end"}
    assert given == settings | of_diffusers | {"callback_on_step_end_tensor_inputs"}


def test_every_kind_of_guidance_changes_the_picture(draw):
    plain = draw(picture(1), guidance_scale=1.0)
    for options in ({"guidance_scale": 3.0}, {"image_guidance_scale": 3.0}, {"icm_guidance_scale": 3.0}):
        assert (draw(picture(1), **{"guidance_scale": 1.0, **options}) - plain).abs().max() > 1e-4


def test_candidates(pipe, draw):
    images, said = [picture(1), picture(2)], SAID[:2]
    out = pipe(images, said, num_candidates=3, generator=seeded(3, 4), output_type="pt")
    assert out.scores.shape == (2, 3) and out.images.shape == (2, 3, 32, 32)
    reference = torch.stack([to_reference(image, 32) for image in images])
    query = pipe.encode(reference, said).query
    chosen = pipe.matcher(2 * out.images - 1, torch.zeros(2, dtype=torch.long), query)
    assert torch.allclose(chosen, out.scores.max(dim=1).values, atol=1e-3)
    single = pipe(images, said, generator=seeded(3, 4), output_type="pt")
    assert single.scores is None
    first = pipe.matcher(2 * single.images - 1, torch.zeros(2, dtype=torch.long), query)
    assert torch.allclose(out.scores[:, 0], first, atol=1e-3)  # candidate 0 is the picture of a single draw


def test_callback(pipe, draw):
    seen = []

    def paint_over(given, step, timestep, tensors):
        assert given is pipe and tensors["latents"].shape == (1, 3, 32, 32)
        seen.append((step, int(timestep)))
        return {"latents": torch.full_like(tensors["latents"], 0.5)} if step == 2 else {}

    out = draw(num_inference_steps=3, callback_on_step_end=paint_over)
    assert [step for step, _ in seen] == [0, 1, 2] and seen[0][1] == 999
    assert torch.equal(out, torch.full_like(out, 0.75))
    assert torch.equal(draw(callback_on_step_end=lambda *_: None), draw())  # it only looked


def test_a_callback_may_stop_the_drawing(pipe, draw):
    steps = []

    class Stop(PipelineCallback):
        tensor_inputs = ["latents"]

        def callback_fn(self, pipeline, step_index, timestep, callback_kwargs):
            steps.append(step_index)
            pipeline._interrupt = step_index == 1
            return callback_kwargs

    stop = Stop(cutoff_step_ratio=None, cutoff_step_index=1)
    stopped = draw(num_inference_steps=4, callback_on_step_end=stop)
    assert steps == [0, 1] and stopped.isfinite().all()
    assert not torch.equal(draw(num_inference_steps=4), stopped)  # the next call goes to its end


def test_inference_mode_draws_the_same(draw):
    options = {"icm_guidance_scale": 2.0, "image_guidance_scale": 1.5}
    with torch.inference_mode():
        out = draw(picture(1), **options)
    assert torch.equal(out, draw(picture(1), **options))


SWAPPED = [(name, {}) for name in SAMPLERS] + [
    (f"{name}MultistepScheduler", {f"use_{levels}_sigmas": True})
    for name in ("DPMSolver", "UniPC")
    for levels in ("karras", "beta", "exponential")
]


@pytest.mark.parametrize(("name", "options"), SWAPPED)
def test_every_sampler_is_swapped_in_by_from_config(pipe, draw, monkeypatch, name, options):
    kind = getattr(schedulers, name)
    monkeypatch.setattr(pipe, "scheduler", kind.from_config(pipe.scheduler.config, **options))
    out = draw([picture(1), picture(2)], SAID[:2], [0, 1], num_inference_steps=4)
    assert out.isfinite().all() and out.shape == (2, 3, 32, 32)
    assert torch.equal(out, draw([picture(1), picture(2)], SAID[:2], [0, 1], num_inference_steps=4))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_ends_at_the_picture_that_the_network_predicts(pipe, draw, monkeypatch, name):
    truth = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    monkeypatch.setattr(
        pipe.unet, "forward", lambda noisy, *_, **__: UNetOutput(truth.expand(len(noisy), -1, -1, -1), None)
    )
    monkeypatch.setattr(pipe, "scheduler", scheduler_like(pipe.scheduler, name))
    assert (2 * draw(num_inference_steps=10) - 1 - truth).abs().mean() < 0.01


def test_too_few_steps_for_a_sampler_are_refused(pipe, draw, monkeypatch):
    monkeypatch.setattr(pipe, "scheduler", scheduler_like(pipe.scheduler, "PNDMScheduler"))
    with pytest.raises(InputError, match="num_inference_steps: PNDMScheduler does not support 3"):
        draw(num_inference_steps=3)


def test_a_scheduler_of_other_noise_levels_is_refused(pipe, draw, monkeypatch):
    monkeypatch.setattr(pipe, "scheduler", schedulers.FlowMatchEulerDiscreteScheduler())
    with pytest.raises(InputError, match="FlowMatchEulerDiscreteScheduler does not use the model's noise"):
        draw()


def test_output_types(pipe):
    outs = {
        kind: pipe(pipe.canvas, SAID[0], generator=seeded(0)[0], output_type=kind)
        for kind in ("pt", "np", "pil")
    }
    pt, array, (image,) = (outs[kind].images for kind in ("pt", "np", "pil"))
    assert pt.min() >= 0 and pt.max() <= 1
    assert np.array_equal(pt.permute(0, 2, 3, 1).numpy(), array)
    assert np.array_equal((array[0] * 255).round().astype(np.uint8), np.asarray(image))
    images, scores, answers = pipe(pipe.canvas, SAID[0], return_dict=False)
    assert len(images) == 1 and scores is None and answers is None


def same_pixels(mode):
    """A picture of two colours in that mode, and the RGB picture that it stands for."""
    rgb = Image.new("RGB", (48, 24), (255, 255, 255))
    rgb.paste((40, 40, 40), (0, 0, 24, 24))
    if mode == "RGBA":
        other = Image.new("RGBA", (48, 24), (9, 200, 9, 0))  # green that nobody sees
        other.paste((40, 40, 40, 255), (0, 0, 24, 24))
        return other, rgb
    other = rgb.convert(mode)
    return other, other.convert("RGB") if mode in ("1", "P") else rgb  # which have fewer colours


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "LA"])
def test_pictures_of_any_mode_and_size(draw, mode):
    other, rgb = same_pixels(mode)
    assert torch.equal(draw(other), draw(rgb))


def test_arrays_and_tensors_are_pictures_too(draw):
    image = picture(1, (48, 24))
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1) / 255
    assert torch.equal(draw(array), draw(image)) and torch.equal(draw(tensor), draw(image))


def truncated():
    encoded = io.BytesIO()
    picture(1).save(encoded, "PNG")
    return Image.open(io.BytesIO(encoded.getvalue()[:-40]))


FAULTS = {
    "empty": (dict(instruction=""), "instruction: number 1 is '', expected text"),
    "blank in a batch": (
        dict(instruction=["a", " \n"], image=[picture(1)] * 2),
        r"instruction: number 2 is ' \n', expected text",
    ),
    "none": (dict(instruction=[], image=[]), "instruction: empty list"),
    "too few pictures": (dict(instruction=["a", "b"]), "image: 1 given for 2 instructions"),
    "too few histories": (
        dict(instruction=["a", "b"], image=[picture(1)] * 2, history=[[]]),
        "history: 1 given for 2 instructions",
    ),
    "a flat history": (
        dict(instruction=["a"], history=["add a cube"]),
        "history: number 1 is 'add a cube', expected a list of instructions",
    ),
    "a history that is text": (
        dict(history="add a cube"),
        "history: number 1 is 'add a cube', expected a list",
    ),
    "too many generators": (dict(generator=seeded(1, 2)), "generator: 2 given for 1 instructions"),
    "no picture": (dict(image="cube.png"), "image: str, expected a PIL image, an array or a tensor"),
    "huge": (
        dict(image=Image.new("1", (9000, 8000))),
        "image: 9000x8000 are 72000000 pixels, over the limit",
    ),
    "deep": (dict(image=Image.new("I;16", (8, 8))), "image: mode I;16 has more than 8 bits"),
    "floats": (
        dict(image=np.zeros((8, 8, 3))),
        "image: an array float64 (8, 8, 3), expected uint8 (H, W, 3)",
    ),
    "a batch as one": (
        dict(image=torch.zeros(1, 3, 8, 8)),
        "image: a tensor torch.float32 (1, 3, 8, 8), expected",
    ),
    "no number": (
        dict(image=torch.full((3, 8, 8), torch.nan)),
        "image: a tensor of numbers from nan to nan, expected [0, 1]",
    ),
    "from 0 to 255": (
        dict(image=torch.arange(192.0).view(3, 8, 8)),
        "numbers from 0 to 191, expected [0, 1]",
    ),
    "from -1 to 1": (dict(image=torch.linspace(-1, 1, 192).view(3, 8, 8)), "numbers from -1 to 1, expected"),
    "no pixels of a tensor": (dict(image=torch.zeros(3, 0, 8)), "(3, 0, 8), expected float (3, H, W)"),
    "no pixels": (dict(image=Image.new("RGB", (0, 0))), "image: 0x0 pixels, expected at least 1x1"),
    "no pixels of an array": (
        dict(image=np.zeros((0, 8, 3), np.uint8)),
        "image: 8x0 pixels, expected at least 1x1",
    ),
    "truncated": (dict(image=truncated()), "image: picture can't be decoded (image file is truncated"),
    "a seed": (dict(generator=3), "generator: 3, expected a torch.Generator, or a list of them"),
    "seeds": (dict(generator=[3]), "generator: 3, expected a torch.Generator, or a list of them"),
    "no UTF-8": (
        dict(instruction="a c\udcffube"),
        r"instruction: 'a c\udcffube' has a lone surrogate",
    ),
    "a history of no UTF-8": (dict(history=["a \udcff"]), r"history: 'a \udcff' has a lone surrogate"),
    "candidates": (dict(num_candidates=10**13), "num_candidates is 10000000000000, expected at most 256"),
    "steps": (dict(num_inference_steps=0), "num_inference_steps is 0, expected at least 1"),
    "scale": (dict(guidance_scale="strong"), "guidance_scale is 'strong', expected a number"),
    "more steps than trained": (
        dict(num_inference_steps=1001),
        "num_inference_steps is 1001, expected at most 1000",
    ),
    "unknown tensor": (
        dict(callback_on_step_end=print, callback_on_step_end_tensor_inputs=("foo",)),
        "callback_on_step_end_tensor_inputs: ('foo',), expected ('latents',) or none",
    ),
    "output": (dict(output_type="jpg"), "output_type: 'jpg', expected one of pil, np, pt"),
}


@pytest.mark.parametrize(("given", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(pipe, count_calls, given, says):
    with pytest.raises(InputError) as error:
        pipe(**{"image": picture(1), "instruction": "add a cube", **given})
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not count_calls  # before any work


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "guided", "candidates"])
def test_half_precision_weights(pipe, draw, options):
    half = copy.deepcopy(pipe)
    for part in ("towers", "fusion", "unet", "planner", "matcher"):
        torch.nn.Module.to(getattr(half, part), torch.bfloat16)
    out = half(picture(1), SAID[0], generator=seeded(0)[0], output_type="pt", **options)
    assert out.images.dtype == torch.float32 and out.images.isfinite().all()
    if "num_candidates" not in options:
        assert (out.images - draw(picture(1), **options)).abs().mean() < 0.05


def test_what_is_no_number_is_no_picture(pipe, draw, monkeypatch):
    monkeypatch.setattr(
        pipe.unet, "forward", lambda noisy, *_, **__: UNetOutput(torch.full_like(noisy, torch.nan), None)
    )
    with pytest.raises(InputError, match="unet: its output is not finite"):
        draw()


def test_numbers_a_little_outside_are_a_picture(draw):
    tensor = torch.linspace(-0.001, 1.001, 192).view(3, 8, 8)
    assert torch.equal(draw(tensor), draw(tensor.clamp(0, 1)))


def test_a_plan_decides_the_picture_and_its_temperature_the_plan(pipe, draw):
    """Without temperature every seed plans alike; the plan is the only thing that temperature changes."""
    torch.nn.init.normal_(pipe.planner.network.presence[-1].bias, mean=10.0)
    fused = pipe.encode(torch.stack([to_reference(picture(1), 32)]), [SAID[0]])
    logits, tuning = pipe.planner.network(fused), pipe.planner.tuning
    surest = logits.presence.argmax()
    plans = [sample_plan(logits, pipe.planner.noise(*seeded(n))[None], 0.0, tuning)[0] for n in range(3)]
    assert (plans[0] >= 0).all() and all(torch.equal(plan, plans[0]) for plan in plans)
    assert plans[0][0, surest] == logits.cell[0, surest].argmax()
    cold, warm = (draw(picture(1), SAID[0], 0, plan_temperature=value) for value in (0.0, 30.0))
    assert not torch.equal(cold, warm)


def with_kernels(pipe):
    """A copy whose planner detects the existing objects, and what the turn before drew."""
    pipe = copy.deepcopy(pipe)
    pipe.planner = AnnotatedPlan.from_config({**pipe.planner.config, "kernels": 4}).eval()
    return pipe


@pytest.mark.parametrize("sequential", [False, True], ids=["by part", "by layer"])
def test_offloaded_parts_draw_the_same(pipe, sequential, monkeypatch):
    """Their weights are where they are computed with only while their forward, or their layers', runs."""
    pipe = with_kernels(pipe)

    def second_turn():
        return pipe(picture(1), SAID[1], SAID[:1], generator=seeded(0)[0], output_type="pt").images

    expected = second_turn()
    if sequential:
        monkeypatch.setattr(DiffusionPipeline, "enable_sequential_cpu_offload", lambda self: None)
        pipe.enable_sequential_cpu_offload()
        offloaded = pipe.components.keys() - set(pipe._exclude_from_cpu_offload)
    else:
        offloaded = pipe.model_cpu_offload_seq.split("->")
    for name in offloaded:
        part = getattr(pipe, name)
        if sequential and isinstance(part, torch.nn.Module):
            cpu_offload(part, torch.device("cpu"), offload_buffers=len(part._parameters) > 0)
        elif not sequential:
            hook = AlignDevicesHook("cpu", True, weights_map=part.state_dict(), place_submodules=True)
            add_hook_to_module(part, hook)
            assert next(part.parameters()).is_meta
    assert torch.equal(second_turn(), expected)


def test_it_refers_to_the_object_of_the_previous_turn(pipe, monkeypatch):
    """Of each dialog of a batch, whatever the number of candidates; where no turn was before, nothing."""
    pipe = with_kernels(pipe)
    asked, network = [], pipe.planner.network
    monkeypatch.setattr(network, "drawn_class", lambda fused: torch.arange(len(fused.query)) // 2 + 1)
    encode = pipe.encode
    monkeypatch.setattr(pipe, "encode", lambda *args: asked.append(args[1]) or encode(*args))
    forward, told = network.forward, []

    def seen(*args, antecedent):
        told.append(antecedent)
        return forward(*args, antecedent=antecedent)

    monkeypatch.setattr(network, "forward", seen)
    pipe([pipe.canvas] * 3, SAID, [[], SAID[:1], SAID[:2]], generator=seeded(0, 1, 2), num_candidates=2)
    assert told[0].tolist() == [-1, -1, 2, 2, 3, 3]
    now, before = asked[-1][:3], asked[-1][-3:]
    assert [text.split(" <= ")[0] for text in now] == SAID
    assert before[0] == "" and [text.split(" <= ")[0] for text in before[1:]] == SAID[:2]


def test_what_a_text_draws_is_its_likeliest_class_or_none(pipe):
    fused = pipe.encode(torch.stack([to_reference(picture(1), 32)]), [SAID[0]])
    network = copy.deepcopy(pipe.planner.network)
    for bias, expected in ((9.0, 1), (-9.0, -1)):
        last = network.presence[-1]
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(network.text_out[-1].weight)
        torch.nn.init.zeros_(network.text_out[-1].bias)
        with torch.no_grad():
            last.bias[:] = -9.0
            last.bias[1] = bias
        assert network.drawn_class(fused).tolist() == [expected]


def test_where_nothing_is_planned_the_reference_comes_back(pipe, draw):
    reference = to_reference(picture(1), 32) / 2 + 0.5
    torch.nn.init.constant_(pipe.planner.network.presence[-1].bias, -99.0)
    assert torch.equal(draw(picture(1), SAID[0], 0)[0], reference)
    torch.nn.init.constant_(pipe.planner.network.presence[-1].bias, 99.0)
    assert not torch.allclose(draw(picture(1), SAID[0], 0)[0], reference, atol=0.05)


def test_a_model_without_a_planner_paints_without_a_plan(pipe, draw, make_config, tmp_path):
    config = make_config(plan={"kind": "none"}, encoder__speaker="<boss>")
    model = CDDICM(config).eval().requires_grad_(False)
    plain = build_pipeline(model, pipe.tokenizer, config)
    plain.set_progress_bar_config(disable=True)
    plain.save_pretrained(tmp_path / "plain")
    again = CDDICMPipeline.from_pretrained(tmp_path / "plain")
    again.set_progress_bar_config(disable=True)
    assert again.planner is None and again.config.speaker == "<boss>"
    assert RetrievalModel.from_pretrained(tmp_path / "plain").speaker == "<boss>"
    one, other = (
        p(picture(1), SAID[0], generator=seeded(0)[0], output_type="pt").images for p in (plain, again)
    )
    assert torch.equal(one, other)
    assert again.settings(plan_place="likeliest", plan_temperature=1.0).plan_temperature == 1.0
    with pytest.raises(InputError, match="plan_temperature: 0.5 given to a model without a plan"):
        again.settings(plan_temperature=0.5)
