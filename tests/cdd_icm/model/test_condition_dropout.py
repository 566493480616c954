"""How often the conditions are dropped."""

import pytest
import torch

from cdd_icm.model.conditioning import dropped


def test_conditions_are_dropped_as_often_as_the_config_says(make_config):
    config = make_config(objective__condition_dropout=0.4)
    no_text, no_reference = dropped(torch.arange(100_000) / 100_000, config.objective)
    assert (no_text & ~no_reference).float().mean() == pytest.approx(0.2, abs=1e-4)
    assert (~no_text & no_reference).float().mean() == pytest.approx(0.1, abs=1e-4)
    assert (no_text & no_reference).float().mean() == pytest.approx(0.1, abs=1e-4)


def test_nothing_is_dropped_where_nothing_should_be(make_config):
    config = make_config(objective__condition_dropout=0, sampling__guidance_scale=1)
    assert not torch.stack(dropped(torch.zeros(9), config.objective)).any()
