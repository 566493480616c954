"""What two gloo processes do in the tests: InfoNCE on the halves of a batch, then a training run whose second
process meets a loss that is not finite, a validation, then one that is stopped after its first step and goes
on, after one that leaves the matcher out of the loss."""

import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, PartialState
from safetensors.torch import save_file

from cdd_icm.config import load_config
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.objectives.icm import info_nce, inner_product
from cdd_icm.sampling.dialogs import generate_dialogs
from cdd_icm.train import generator, loop
from cdd_icm.train.generator import GeneratorRecipe, train
from cdd_icm.train.processes import Coordinator


def info_nce_batch(*several):
    """Queries, images of one vector each or of `several`, two hard images; which rows count, and which hard
    images are there."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((8,), (8, *several), (2, 8, *several))
    parts = (torch.randn(*shape, 6, generator=generator) for shape in shapes)
    valid = torch.tensor([1, 0, 1, 1, 1, 1, 0, 1], dtype=torch.bool)
    there = torch.stack([torch.ones(8, dtype=torch.bool), torch.arange(8) % 4 != 2])
    return [part.requires_grad_() for part in parts], valid, there


def best_vector(queries, images):
    return torch.einsum("be,nve->bnv", queries, images).amax(dim=-1)


def loss_of_share(share, *several):
    (queries, images, hard_images), valid, there = info_nce_batch(*several)
    leaves = [queries, images, hard_images, torch.tensor(3.0, requires_grad=True)]
    loss = info_nce(
        queries[share],
        images[share],
        leaves[-1],
        hard_images=hard_images[:, share],
        valid=valid[share],
        hard_images_valid=there[:, share],
        score=best_vector if several else inner_product,
    )
    loss.backward()
    return loss.detach(), [leaf.grad for leaf in leaves]


def spoilt_in_the_second_process(*given, forward=CDDICM.forward, calls=[], **named):  # noqa: B006
    out = forward(*given, **named)
    calls.append(given)
    if torch.distributed.get_rank() == 1 and len(calls) == 3:
        out["changed_error"] = out["changed_error"] * torch.tensor([1, torch.nan])
        out["loss"] = out["loss"] * torch.nan
    return out


def publish(config, folder: Path, rank: int = 0) -> None:
    """Validates a model before its first step, and notes which dialogs this process draws."""
    torch.manual_seed(0)
    recipe, accelerator = GeneratorRecipe(replace(config, output_dir=str(folder))), Accelerator(cpu=True)
    model, drawn = recipe.build(accelerator).eval().requires_grad_(False), []
    with pytest.MonkeyPatch.context() as patch:

        def noting(pipeline, dialogs, **options):
            drawn.extend(dialog.id for dialog in dialogs)
            return generate_dialogs(pipeline, dialogs, **options)

        patch.setattr(generator, "generate_dialogs", noting)
        recipe.publish(model, Coordinator(accelerator), 4, False)
    (folder / f"drawn_{rank}.json").write_text(json.dumps(drawn))


def main(folder: Path) -> None:
    state = PartialState(cpu=True)
    rank = state.process_index
    for vectors, several in ((1, ()), (3, (3,))):
        loss, gradients = loss_of_share(slice(4 * rank, 4 * rank + 4), *several)
        results = {"loss": loss, **{str(i): gradient for i, gradient in enumerate(gradients)}}
        save_file(results, folder / f"info_nce_{vectors}_{rank}.safetensors")
    config = load_config(folder / "config.yaml")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(FloatingPointError) as error:
        patch.setattr(CDDICM, "forward", spoilt_in_the_second_process)
        train(replace(config, output_dir=str(folder / "spoilt")))
    (folder / f"error_{rank}.txt").write_text(str(error.value))
    with pytest.MonkeyPatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(
            Coordinator, "any", lambda coordinator, flag, any=Coordinator.any: any(coordinator, True)
        )
        train(config)
    publish(config, folder / "validated", rank)
    searches, prepare = [], loop.prepare
    with pytest.MonkeyPatch.context() as patch:

        def noting(*given):
            model, *rest = prepare(*given)
            searches.append(model.find_unused_parameters)
            return model, *rest

        patch.setattr(loop, "prepare", noting)
        without = replace(config.objective, icm_weight=0.0)
        loop.fit(GeneratorRecipe(replace(config, output_dir=str(folder / "without_icm"), objective=without)))
        train(config)  # last, as it ends the process group
    (folder / f"searches_{rank}.json").write_text(json.dumps(searches))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
