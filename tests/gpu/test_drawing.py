"""Drawing on a GPU."""

import copy

import numpy as np
import torch


def test_a_gpu_draws_what_the_cpu_draws(any_pipeline, cuda):
    def draw(device):
        pipeline = copy.deepcopy(any_pipeline).to(device)
        generator = torch.Generator().manual_seed(0)  # the CPU's: both draw from the same noise
        return np.asarray(pipeline(pipeline.canvas, "add a red cube", generator=generator).images[0]).astype(
            int
        )

    one, other = draw("cpu"), draw(cuda)
    assert np.abs(one - other).max() <= 2
    assert np.ptp(one) > 10  # or nothing was drawn
