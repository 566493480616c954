"""The joint objective: its parts, its switches, and what a dropped condition hides."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cdd_icm.data.batch import Batch
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.unet import UNetOutput
from cdd_icm.plan.annotated.truth import AnnotatedTruth, SyntheticTurns
from tests.cdd_icm.plans import plan_of

CPU = torch.device("cpu")


def make_batch(changed=(), n=3):
    generator = torch.Generator().manual_seed(0)

    def picture(name):
        first, second = torch.rand(2, n, 3, 32, 32, generator=generator) * 2 - 1
        return second if name in changed else first

    def text(name):
        first, second = torch.randint(3, 300, (2, n, 24), generator=generator)
        return second if name in changed else first

    mask = torch.ones(n, 24, dtype=torch.bool)
    return Batch(
        turns=[("a", i) for i in range(n)],
        **{name: picture(name) for name in ("reference", "target", "other")},
        ids=text("ids"),
        mask=mask,
        **{"null_ids": torch.tensor([[1, 2] + [0] * 22]), "null_mask": torch.arange(24)[None] < 2},
        no_op=torch.zeros(n, dtype=torch.bool),
        plan=AnnotatedTruth(
            cells=torch.tensor([[-1, 5, -1]]).expand(n, -1),
            places=torch.tensor([[-1, 5, -1]]).expand(n, -1),
            existing=torch.tensor([[7, -1, -1]]).expand(n, -1),
            antecedent=torch.zeros(n, dtype=torch.long),
            shifted=picture("shifted"),
            shifted_existing=torch.tensor([[7, -1, -1]]).expand(n, -1),
        ),
    )


def make_model(config, several=False):
    torch.manual_seed(0)
    model = CDDICM(config, plan_of(config, ("ball", "cube", "tree"), several=several)).eval()
    torch.nn.init.normal_(model.unet.spatial_in.weight, std=0.1) if model.unet.spatial_in else None
    return model


NONE_DROPPED = {"objective__condition_dropout": 0, "sampling__guidance_scale": 1}
ALWAYS = {"objective__condition_dropout": 1}
TEXT, BOTH, REFERENCE = 0.2, 0.6, 0.9
"""Draws at which a dropout that always happens takes the text, both conditions, or the reference."""


def drawn(config, drop):
    """The draws of three samples, each with that draw of the dropout."""
    return replace(RandomNumbers.make(config, 0, 3, CPU), drop=torch.full((3,), drop))


def test_the_loss_is_the_weighted_sum_of_its_parts(make_config):
    config = make_config(objective__icm_weight=0.3)
    out = make_model(config)(make_batch(), RandomNumbers.make(config, 0, 3, CPU))
    expected = out["cdd"].mean() + out["mask"] + 0.3 * out["icm"]
    expected = expected + out["plan"] + 0.05 * out["detection"] + out["relation"]
    assert torch.allclose(out["loss"], expected)
    assert out["changed_error"].shape == (3,) and all(value.isfinite().all() for value in out.values())


SWITCHES = {
    "all": {},
    "no matcher": {"objective__icm_weight": 0},
    "no plan": {"plan": {"kind": "none"}},
    "no cross-attention": {"without": ["cross-attention"]},
    "no reference": {"without": ["reference-pixels"]},
    "no gate": {"without": ["gated-fusion"]},
}


@pytest.mark.parametrize("switched", SWITCHES.values(), ids=SWITCHES.keys())
def test_every_row_of_the_ablation_trains(make_config, switched):
    config = make_config(**switched)
    model, batch = make_model(config), make_batch()
    out = model(batch, RandomNumbers.make(config, 0, 3, CPU))
    out["loss"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert out["loss"].isfinite() and all(gradient.isfinite().all() for gradient in gradients.values())
    without = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad} - {
        name.split(".")[0] for name in gradients
    }
    expected = {"no matcher": {"matcher"}}
    assert without == expected.get(next(k for k, v in SWITCHES.items() if v is switched), set())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("several", "plan"),
    [
        (False, {}),
        (True, {"plan__template_turns": 1}),
        (False, {"plan": {"kind": "relational", "grid": 8}}),
    ],
)
def test_all_trained_weights_get_a_gradient(make_config, several, plan):
    """Or DDP would have to look for those that don't, and the optimiser would carry dead weights."""
    config = make_config(**plan)
    model = make_model(config, several)
    assert model.planner.splats.weight.shape[0] == config.plan.template_channels
    model(make_batch(), RandomNumbers.make(config, 0, 3, CPU))["loss"].backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


class Copies(TorchDispatchMode):
    """The copies from the CPU to another device that the CPU waits for."""

    def __init__(self):
        super().__init__()
        self.waited = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].device.type != out.device.type:
            self.waited += [args[0]] if not kwargs.get("non_blocking") else []
        return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("several", "plan"),
    [
        (False, {}),
        (True, {}),
        (False, {"plan": {"kind": "relational", "grid": 8, "synthetic_scenes": 1}}),
    ],
)
def test_a_step_never_looks_at_what_the_device_computes(make_config, several, plan, monkeypatch):
    """Each look would cost a GPU its lead over the CPU. Torch's meta device computes nothing to look at, and
    raises."""
    config, meta = make_config(**plan), torch.device("meta")
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it knows no meta device
    model, batch = make_model(config, several).to(meta), make_batch()
    batch.plan.drawn_objects, batch.plan.max_existing = 3, 1
    if config.plan.kind == "relational":
        cells = torch.tensor([[7, -1, -1], [7, 3, -1]])
        antecedent, ids = torch.tensor([0, 1]), batch.ids[:2]
        new = torch.tensor([[-1, 5, -1], [-1, -1, 9]])
        batch.plan.synthetic = SyntheticTurns(ids, ids > 0, cells, antecedent, new, 2)
    batch = batch.on(meta)
    draws = RandomNumbers(
        **{name: part.to(meta) for name, part in vars(RandomNumbers.make(config, 0, 3, CPU)).items()}
    )
    with Copies() as copies:
        model(batch, draws)["loss"].backward()
    assert copies.waited == []


def test_frozen_parts_get_no_gradient(make_config):
    config = make_config(training__frozen=["towers", "fusion", "planner"])
    model = make_model(config)
    model(make_batch(), RandomNumbers.make(config, 0, 3, CPU))["loss"].backward()
    learning = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert learning == {"unet", "matcher", "plan_heads", "planner"}
    planner = {name.split(".")[0] for name, p in model.planner.named_parameters() if p.grad is not None}
    assert planner == {"splats"}  # they are learnt with the UNet


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drop", "hidden", "seen"),
    [
        (TEXT, ["ids"], ["reference"]),
        (REFERENCE, [], ["ids"]),
        (BOTH, ["ids"], []),
    ],
)
@torch.no_grad()
def test_a_dropped_condition_is_hidden(make_config, drop, hidden, seen):
    config = make_config(**ALWAYS, objective__icm_weight=0)
    model, draws = make_model(config), drawn(config, drop)

    def loss(changed=()):
        batch = make_batch(changed)
        batch.target = make_batch().target
        return model(batch, draws)["cdd"].mean()

    for name in hidden:
        assert torch.equal(loss(), loss([name]))
    for name in seen:
        assert not torch.equal(loss(), loss([name]))


@torch.no_grad()
def test_the_unet_sees_the_noisy_reference_and_the_clean_one_is_composed(make_config, monkeypatch):
    config = make_config(**NONE_DROPPED, objective__icm_weight=0)
    model, batch, draws, seen = make_model(config), make_batch(), RandomNumbers.make(config, 0, 3, CPU), []

    def shut(noisy, timestep, fused, reference, level, feature_map):
        seen.append(reference)
        return UNetOutput(torch.randn_like(noisy), torch.full_like(noisy[:, :1], -1e4))

    monkeypatch.setattr(model.unet, "forward", shut)
    batch.target = batch.reference
    assert model(batch, draws)["cdd"].mean() == 0
    noise = draws.reference_level[:, None, None, None] * draws.reference_noise
    assert noise.any() and torch.allclose(seen[0], batch.reference + noise)


@torch.no_grad()
def test_a_dropped_reference_is_zeros_without_noise(make_config, monkeypatch):
    config = make_config(**ALWAYS, objective__icm_weight=0)
    model, seen = make_model(config), {}
    forward = model.unet.forward
    monkeypatch.setattr(
        model.unet, "forward", lambda *args, **more: seen.update(args=args) or forward(*args, **more)
    )
    model(make_batch(), drawn(config, BOTH))
    _, _, _, reference, level, _ = seen["args"]
    assert not reference.any() and not level.any()


@torch.no_grad()
def test_items_without_a_condition_are_no_rows_of_info_nce(make_config):
    config = make_config(**ALWAYS)
    assert make_model(config)(make_batch(), drawn(config, TEXT))["icm"] == 0


@torch.no_grad()
def test_the_unet_denoises_every_so_many_th_sample_and_all_else_sees_all(make_config):
    whole, part = (make_config(objective__cdd_every=n, training__batch_size=4) for n in (1, 2))
    draws = RandomNumbers.make(whole, 0, 4, CPU)
    full, half = (make_model(config)(make_batch(n=4), draws) for config in (whole, part))
    assert torch.allclose(half["changed_error"], full["changed_error"][::2], rtol=1e-4)
    assert torch.equal(half["level"], draws.timestep[::2] / 1000)
    for name in ("icm", "plan", "relation", "detection"):
        assert torch.allclose(half[name], full[name])


@torch.no_grad()
@pytest.mark.parametrize("kind", ["annotated", "none"])
def test_in_the_text_warmup_unet_and_matcher_see_one_item(make_config, kind):
    """But where no plan teaches the words, matching does."""
    config = make_config(training__batch_size=4, plan={"kind": kind})
    model, draws = make_model(config), RandomNumbers.make(config, 0, 4, CPU)
    words, whole = (model(make_batch(n=4), draws, text_warmup=warmup) for warmup in (True, False))
    assert torch.equal(words["level"], whole["level"][:1])
    assert torch.allclose(words["changed_error"], whole["changed_error"][:1], rtol=1e-4)
    for name in ("plan", "relation", "detection") if kind == "annotated" else ("icm",):
        assert torch.allclose(words[name], whole[name])
    if kind == "annotated":
        assert not torch.allclose(words["icm"], whole["icm"])


@torch.no_grad()
def test_the_mask_is_to_be_open_where_the_turn_changes_the_picture(make_config):
    config = make_config()
    model, batch, draws = make_model(config), make_batch(), RandomNumbers.make(config, 0, 3, CPU)
    out, n = model.unet.unet.conv_out, 3 * config.unet.patch_size**2  # the mask's channels are the last
    out.weight[n:] = 0.0

    def loss(logit):
        out.bias[n:] = logit
        return model(batch, draws)["mask"].item()

    batch.target = batch.reference
    assert loss(-20.0) < 1e-6 and loss(20.0) == pytest.approx(20 / 2, rel=1e-3)
    batch.target = -batch.reference.sign()  # everywhere else by more than the threshold
    assert loss(20.0) < 1e-6 and loss(-20.0) == pytest.approx(20 / 2, rel=1e-3)


@torch.no_grad()
def test_a_term_without_a_weight_is_not_computed(make_config):
    config = make_config(objective__icm_weight=0)
    out = make_model(config)(make_batch(), RandomNumbers.make(config, 0, 3, CPU))
    assert "icm" not in out and out["loss"].isfinite()


@torch.no_grad()
def test_a_dropped_text_hides_the_plan_too(make_config):
    config = make_config(**ALWAYS)
    model, draws, batch = make_model(config), drawn(config, TEXT), make_batch()
    before = model(batch, draws)
    batch.plan.cells = batch.plan.places = torch.tensor([[3, -1, 9]]).expand(3, -1)
    after = model(batch, draws)
    assert before["plan"] == 0 and torch.equal(before["cdd"], after["cdd"])


@torch.no_grad()
def test_the_unet_paints_what_is_planned(make_config):
    config = make_config(**NONE_DROPPED)
    model, draws, batch = make_model(config), RandomNumbers.make(config, 0, 3, CPU), make_batch()
    before = model(batch, draws)["cdd"]
    batch.plan.cells = batch.plan.places = torch.tensor([[3, -1, 9]]).expand(3, -1)
    assert not torch.equal(model(batch, draws)["cdd"], before)


@torch.no_grad()
def test_what_asks_for_nothing_is_no_row_of_info_nce(config):
    batch = make_batch()
    batch.no_op[:] = True
    assert make_model(config)(batch, RandomNumbers.make(config, 0, 3, CPU))["icm"] == 0
