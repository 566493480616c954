"""A value that is not finite reaches no weight, also where the device is not asked in every step."""

import pytest
import torch
from accelerate import Accelerator

from cdd_icm.train.finite import FiniteCheck
from cdd_icm.train.optim import make_optimizer


@pytest.fixture
def check(tmp_path, monkeypatch):
    found = FiniteCheck(Accelerator(cpu=True), tmp_path)
    # its tensors stay on the CPU, which skips steps as a GPU does
    monkeypatch.setattr(found.accelerator.state, "device", torch.device("cuda"))
    return found


@pytest.mark.parametrize("spoilt", ["loss", "gradient"])
def test_a_gpu_skips_steps_from_the_first_value_on_that_is_not_finite(check, config, spoilt):
    weight = torch.nn.Linear(2, 1)
    optimizer = make_optimizer(weight, config.training)

    def step(samples, loss, norm):
        for parameter in weight.parameters():
            parameter.grad = torch.full_like(parameter, norm)
        check.add_loss(samples, ["a"], {"loss": torch.tensor(loss)})
        check.add_norm(samples, torch.tensor(norm))
        check.before_step(optimizer, lambda names, out: names)
        optimizer.step()
        return [value.clone() for value in weight.parameters()]

    first, before = step(0, 1.0, 1.0), step(4, 1.0, 1.0)
    assert not torch.equal(first[0], before[0])
    bad = {"loss": (torch.nan, 1.0), "gradient": (1.0, torch.inf)}[spoilt]
    assert all(map(torch.equal, step(8, *bad), before))
    assert all(map(torch.equal, step(12, 1.0, 1.0), before))  # nor does a later one move it
    with pytest.raises(FloatingPointError, match=rf"the {spoilt} is (nan|inf) at sample 8"):
        check.raise_if_not_finite(lambda names, out: names)
