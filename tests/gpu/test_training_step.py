"""A training step on a GPU: what it computes, that the CPU never waits for it, and its attention kernels."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from cdd_icm.diffusion.noise import RandomNumbers
from tests.cdd_icm.model.test_cddicm import make_batch, make_model

CPU = torch.device("cpu")
PLANS = [{}, {"plan": {"kind": "none"}}, {"plan": {"kind": "relational", "grid": 8}}]


def step(config, device):
    """Loss and gradients of one step, with the random numbers of the CPU."""
    model = make_model(config).to(device)
    draws = RandomNumbers(
        **{name: part.to(device) for name, part in vars(RandomNumbers.make(config, 0, 3, CPU)).items()}
    )
    batch = make_batch()._each(lambda part: part.to(device))
    batch.planned, batch.most = 3, 1  # as the collator counts them, on the CPU
    return model, batch, draws


@pytest.mark.parametrize("plan", PLANS)
def test_a_step_computes_what_the_cpu_computes(make_config, cuda, plan):
    config, found = make_config(**plan), []
    for device in (CPU, cuda):
        model, batch, draws = step(config, device)
        loss = model(batch, draws)["loss"]
        loss.backward()
        gradients = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
        found.append((loss.detach().cpu(), gradients))
    (loss, gradients), (other, others) = found
    torch.testing.assert_close(other, loss, rtol=1e-4, atol=1e-5)
    assert gradients.keys() == others.keys()
    scale = max(gradient.abs().max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(others[name], gradient, rtol=1e-2, atol=float(scale) * 1e-4, msg=name)


@pytest.mark.parametrize("plan", PLANS)
def test_the_cpu_never_waits_in_a_step(make_config, cuda, plan):
    model, batch, draws = step(make_config(**plan), cuda)
    model(batch, draws)["loss"].backward()  # kernels are chosen and loaded in the first
    torch.cuda.set_sync_debug_mode("error")
    try:
        model(batch, draws)["loss"].backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_attention_takes_the_fused_kernels(make_config, cuda):
    model, batch, draws = step(make_config(), cuda)
    model.train()
    with profile(activities=[ProfilerActivity.CPU]) as seen, torch.autocast("cuda", torch.bfloat16):
        model(batch, draws)["loss"].backward()
    names = {event.key for event in seen.key_averages() if "scaled_dot_product" in event.key}
    fused = {name for name in names if any(kind in name for kind in ("flash", "efficient", "cudnn"))}
    assert fused and not any("attention_math" in name for name in names), names
