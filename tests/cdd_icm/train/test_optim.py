"""The optimiser: what weight decay is for, and gradients that are bounded part by part."""

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from cdd_icm.config import RunConfig
from cdd_icm.evaluation.detector import Detector
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.train.optim import clip_gradients, decayed, make_optimizer
from tests.cdd_icm.plans import plan_of

SETTINGS = RunConfig(learning_rate=0.1)


def generator(make_config):
    config = make_config()
    return CDDICM(config, plan_of(config, ("ball", "cube"), several=True))


def detector(_):
    return Detector(["ball", "cube"], image_size=32, widths=(8, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("make", [generator, detector])
def test_weight_decay_shrinks_matrices_and_kernels_alone(make_config, make):
    model = make(make_config)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, SETTINGS, weight_decay=0.5)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        if p.requires_grad:
            shrinks = name in decayed(model)
            torch.testing.assert_close(p.detach(), before[name] * (0.95 if shrinks else 1.0), msg=name)


def test_norms_biases_and_scalars_have_no_weight_decay(make_config):
    model = generator(make_config)
    names = decayed(model)
    kept = {name for name, _ in model.named_parameters()} - names
    assert {"matcher.stem.weight", "towers.clip.text_projection", "fusion.text_in.weight"} <= names
    assert {"matcher.log_scale", "matcher.stem.bias", "fusion.text_norm.weight"} <= kept
    assert {"towers.clip.token_embedding.weight", "towers.clip.positional_embedding"} <= kept
    assert {"planner.network.class_embedding", "planner.network.class_queries"} <= kept
    for module in (module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)):
        assert any(p is module.weight for name, p in model.named_parameters() if name in names)


def test_each_part_has_its_own_bound():
    parts = nn.ModuleList([nn.Linear(2, 2, bias=False) for _ in range(3)])
    parts[0].weight.grad = torch.full((2, 2), 3.0)
    parts[1].weight.grad = torch.full((2, 2), 0.1)  # the third has no gradient
    norm = clip_gradients(Accelerator(cpu=True), [list(part.parameters()) for part in parts], 1.0)
    assert norm.item() == pytest.approx((6.0**2 + 0.2**2) ** 0.5)
    assert parts[0].weight.grad.norm().item() == pytest.approx(1.0, rel=1e-4)
    assert torch.equal(parts[1].weight.grad, torch.full((2, 2), 0.1))
