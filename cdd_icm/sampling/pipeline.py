"""`CDDICMPipeline`: one turn, from reference picture and instruction to the next picture."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from cdd_icm.config import (
    ObjectiveConfig,
    SamplingConfig,
    check_speaker,
    check_trained,
    from_dict,
    to_plain,
    with_preset,
)
from cdd_icm.data.fields import is_utf8
from cdd_icm.data.picture import rgb, to_float, to_square
from cdd_icm.diffusion.guidance import branches, combine, icm_step
from cdd_icm.diffusion.parameterisation import from_sample, to_sample
from cdd_icm.diffusion.region import composite
from cdd_icm.diffusion.samplers import check_scheduler, scheduler_like, set_steps
from cdd_icm.diffusion.schedule import noise_levels
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.fusion import Fused, GatedFusion
from cdd_icm.model.matcher import Matcher, log_match
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import tokenize
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.plan.annotated.decoding import sample_plan
from cdd_icm.plan.annotated.planner import Planner
from cdd_icm.plan.annotated.vocabulary import middle_place
from cdd_icm.sampling.folder import CANVAS, check_folder, read_canvas

OUTPUT_TYPES = ("pil", "np", "pt")

OUTSIDE = 0.01
"""How far numbers of a tensor may lie outside of [0, 1], as after resizing."""

ImageInput = Image.Image | np.ndarray | Tensor


@dataclass
class CDDICMOutput(BaseOutput):
    """`images`: the chosen pictures, one for each instruction, in the `output_type` that was asked for.
    `scores`: (B, num_candidates), what the matcher gave each candidate, or None where there was one."""

    images: list[Image.Image] | np.ndarray | Tensor
    scores: Float[Tensor, "B n"] | None = None


class CDDICMPipeline(DiffusionPipeline):
    """Conditional denoising diffusion with image-compositional matching (Wang 2023, arXiv 2304.02192).

    `sampling` holds the model's own defaults for the arguments of `__call__` that are left out, and
    `sampling_presets` other defaults, by name, which `use_preset` puts in their place; `objective` holds what
    guidance needs of the training (see `config.check_trained`; what is left out counts as trained);
    `history` is the number of earlier instructions that it reads, and `speaker` the mark that its texts begin
    with (see `prompt.compose_text`); `prediction_type` is what its network predicts (the scheduler may ask
    for another parameterisation); `planner` is there where it plans before it paints (see `plan`), and
    where it plans nothing the reference comes back unchanged; `canvas` is the empty picture that its training
    dialogs began with, None where nobody gave one.
    """

    model_cpu_offload_seq = "towers->fusion->unet"
    _optional_components = ["planner"]
    # they are small, and called by more names than forward, which the hooks don't see
    _exclude_from_cpu_offload = ["matcher", "planner"]

    def __init__(
        self,
        towers: CLIPTowers,
        fusion: GatedFusion,
        unet: ConditionalUNet,
        matcher: Matcher,
        tokenizer: Any,
        scheduler: Any,
        planner: Planner | None = None,
        history: int = 1,
        speaker: str = "",
        prediction_type: str = "sample",
        sampling: dict[str, Any] | None = None,
        canvas: Image.Image | None = None,
        sampling_presets: dict[str, dict[str, Any]] | None = None,
        objective: dict[str, float] | None = None,
    ):
        super().__init__()
        check_speaker(speaker)
        self.register_modules(
            **{"towers": towers, "fusion": fusion, "unet": unet, "planner": planner, "matcher": matcher},
            **{"tokenizer": tokenizer, "scheduler": scheduler},
        )
        self.register_to_config(
            history=history,
            speaker=speaker,
            prediction_type=prediction_type,
            sampling=dict(sampling or {}),
            sampling_presets=dict(sampling_presets or {}),
            objective=dict(objective or {}),
        )
        self.canvas = canvas

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs) -> CDDICMPipeline:
        """As every diffusers pipeline, from a folder or a hub name; only safetensors are read, and the canvas
        comes along.

        Raises:
            InputError: the folder is no whole pipeline of this kind (see `folder.check_folder`), or
                there is none and its name is none of a hub.
        """
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            try:
                validate_repo_id(str(folder))
            except HFValidationError:
                raise InputError(f"{folder}: no such folder") from None
            hub = ("cache_dir", "force_download", "local_files_only", "revision", "token")
            folder = Path(
                snapshot_download(
                    str(pretrained_model_name_or_path),
                    allow_patterns=["*.json", "*.txt", "*.safetensors", CANVAS],
                    **{name: kwargs.pop(name) for name in hub if name in kwargs},
                )
            )
        check_folder(folder)
        canvas = kwargs.pop("canvas", None) or read_canvas(folder)
        return super().from_pretrained(folder, **{**kwargs, "canvas": canvas, "use_safetensors": True})

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:
        """As every diffusers pipeline, with the canvas in `canvas.png`."""
        file = Path(save_directory) / CANVAS
        if self.canvas is None:
            file.unlink(missing_ok=True)
        else:  # first, so that it is there when diffusers pushes the folder to a hub
            with replacing(file) as path:
                self.canvas.save(path)
        super().save_pretrained(save_directory, **kwargs)

    @classmethod
    def from_pipe(cls, pipeline: DiffusionPipeline, **kwargs) -> CDDICMPipeline:
        """As every diffusers pipeline; the canvas comes along."""
        return super().from_pipe(pipeline, **{"canvas": getattr(pipeline, "canvas", None), **kwargs})

    def enable_sequential_cpu_offload(self, *args, **kwargs) -> None:
        """As every diffusers pipeline, of the UNet alone: the other parts are small, and their weights are
        reached for past the modules that hold them, where the hooks don't see it."""
        self._exclude_from_cpu_offload = ["towers", "fusion", "planner", "matcher"]
        super().enable_sequential_cpu_offload(*args, **kwargs)

    @property
    def image_size(self) -> int:
        """Side of the pictures, in pixels."""
        return self.unet.config.image_size

    def settings(self, **given) -> dict[str, Any]:
        """The sampling settings that `__call__` draws with: those that are given and not None, else the
        model's own.

        Raises:
            InputError: an unknown name, a wrong type, an impossible value, or guidance that the model was not
                trained for.
        """
        if "scheduler" in given:
            raise InputError(
                "scheduler: no setting of a call; give the pipeline one (`pipeline.scheduler = ...`)"
            )
        given = {name: value for name, value in given.items() if value is not None}
        own = from_dict(SamplingConfig, self.config.sampling, "sampling")
        for name in given if self.planner is None else ():
            if name.startswith("plan_") and given[name] != getattr(own, name, None):
                raise InputError(f"{name}: {given[name]!r} given to a model that plans nothing")
        sampling = from_dict(SamplingConfig, {**vars(own), **given}, "sampling")
        check_trained(sampling, ObjectiveConfig(**self.config.objective))
        settings = dict(vars(sampling))
        del settings["scheduler"]
        return settings

    def use_preset(self, name: str) -> None:
        """Makes the preset `name` of `sampling_presets` this pipeline's own settings, its scheduler included.

        Raises:
            InputError: the model has no preset of that name; the message names those that it has.
        """
        presets = self.config.sampling_presets
        if name not in presets:
            known = f"this model has {', '.join(sorted(presets))}" if presets else "this model has none"
            raise InputError(f"preset: {name!r} is unknown; {known}")
        settings = with_preset(self.config.sampling, presets[name], f"sampling_presets.{name}")
        del settings["scheduler"]
        if "scheduler" in presets[name]:
            self.scheduler = scheduler_like(self.scheduler, presets[name]["scheduler"])
        self.register_to_config(sampling=to_plain(settings))

    @torch.no_grad()
    def __call__(
        self,
        image: ImageInput | list[ImageInput],
        instruction: str | list[str],
        history: list[str] | list[list[str]] | None = None,
        *,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        image_guidance_scale: float | None = None,
        icm_guidance_scale: float | None = None,
        num_candidates: int | None = None,
        plan_temperature: float | None = None,
        plan_place: Literal["likeliest", "median"] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callable[[Any, int, int, dict], dict] | None = None,
        callback_on_step_end_tensor_inputs: tuple[str, ...] = ("latents",),
    ) -> CDDICMOutput | tuple:
        """Draws the next picture of each dialog.

        Args:
            image: the reference(s): PIL images of any mode and size by the rules of `data.picture.rgb`
                (transparency is laid on white), uint8 arrays (H, W, 3), or float tensors (3, H, W) in [0, 1],
                rounded to 8 bits. They are squeezed to the square, never cropped.
            instruction: what to do now. A text longer than the encoder reads loses its end (see
                `tokenizer.tokenize`); one that doesn't say who speaks gets the model's `speaker`.
            history: the dialog's earlier instructions, oldest first; for a batch, a list of such lists.
            num_inference_steps: denoising steps.
            guidance_scale: s_T, how much the instruction counts; 1 switches it off.
            image_guidance_scale: s_I, how much the reference counts; 1 switches it off.
            icm_guidance_scale: w, weight of the matcher's gradient; 0 switches it off.
            num_candidates: pictures drawn for each instruction, of which the one that the matcher scores
                highest is returned; each has a plan of its own.
            plan_temperature: how freely a model that plans chooses places and looks; 0 takes the
                likeliest looks, and places by `plan_place`.
            plan_place: of an object's places without temperature the "likeliest", or of the likely ones that
                in the "median" column and row, which is least often on the wrong side of something else; see
                `decoding.sample_plan`.
            generator: one, or one for each instruction. A picture depends on its own generator only: alone or
                inside a batch it is the same. A single one gives the instructions their noise one after the
                other.
            output_type: "pil", "np" (B, R, R, 3) float in [0, 1], or "pt" (B, 3, R, R) float in [0, 1].
            callback_on_step_end: as in every diffusers pipeline; `latents` are the noisy pictures. It may
                return None where it changes nothing. Where it sets the pipeline's `_interrupt`, no further
                step is made, and what there is comes back.

        Raises:
            InputError: an empty instruction, lists of different lengths, a picture that can't be one, a
                setting out of range, or a scheduler with other noise levels than the model's.
        """
        settings = self.settings(
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            image_guidance_scale=image_guidance_scale,
            icm_guidance_scale=icm_guidance_scale,
            num_candidates=num_candidates,
            plan_temperature=plan_temperature,
            plan_place=plan_place,
        )
        s = SamplingConfig(**settings)
        if output_type not in OUTPUT_TYPES:
            raise InputError(f"output_type: {output_type!r}, expected one of {', '.join(OUTPUT_TYPES)}")
        if isinstance(callback_on_step_end, PipelineCallback | MultiPipelineCallbacks):
            callback_on_step_end_tensor_inputs = callback_on_step_end.tensor_inputs
        if not set(callback_on_step_end_tensor_inputs) <= {"latents"}:
            given = callback_on_step_end_tensor_inputs
            raise InputError(f"callback_on_step_end_tensor_inputs: {given!r}, expected ('latents',) or none")
        check_scheduler(self.scheduler)
        device = self._execution_device  # asks every module of every part
        set_steps(self.scheduler, s.num_inference_steps, device)
        if isinstance(instruction, str):
            instruction, history = [instruction], [history or []]
        images = image if isinstance(image, list | tuple) else [image]
        histories = history or [[]] * len(instruction)
        generator = list(generator) if isinstance(generator, tuple) else generator
        _check_batch(instruction, images, histories, generator)

        n, batch = s.num_candidates, len(instruction)
        reference = torch.stack([self._to_tensor(i) for i in images]).to(device)  # (B, 3, R, R)
        texts = [self._text(i, h) for i, h in zip(instruction, histories, strict=True)]
        names = branches(s.guidance_scale, s.image_guidance_scale)
        if s.icm_guidance_scale and "image_only" not in names:
            names = (*names, "image_only")  # the alternative query f'
        shown = {name: torch.zeros_like(reference) if name == "nothing" else reference for name in names}
        said = {name: texts if name == "full" else [""] * batch for name in names}
        if self.planner is not None and self.planner.config.kernels and any(histories):
            shown["turn before"] = reference
            said["turn before"] = [self._text(h[-1], h[:-1]) if h else "" for h in histories]
        encoded = self.encode(torch.cat(list(shown.values())), sum(said.values(), []))
        conditions = dict(zip(shown, _split(encoded, batch), strict=True))
        latest = None
        if "turn before" in conditions:  # what it drew is what "it" means
            drawn = self.planner.drawn(conditions.pop("turn before"))
            had = torch.tensor([bool(h) for h in histories], device=device)
            latest = drawn.where(had, -1).repeat_interleave(n)
        conditions = {name: _repeat(condition, n) for name, condition in conditions.items()}
        reference = reference.repeat_interleave(n, dim=0)  # (B n, 3, R, R)

        latents, gumbel = self._randomness(batch * n, n, generator, device)
        plan = None
        if self.planner is not None:
            logits = self.planner(conditions["full"], reference, latest=latest)
            cells, look = sample_plan(logits, gumbel, s.plan_temperature, s.plan_place)
            grid = self.planner.config.grid
            place = middle_place(cells, grid, self.unet.config.plan_grid // grid)
            plan = self.planner.to_marks(place, look)  # (B n, C, M)
        latents = latents * self.scheduler.init_noise_sigma
        step_options = {}
        if "generator" in inspect.signature(self.scheduler.step).parameters:
            each = [g for g in generator for _ in range(n)] if isinstance(generator, list) else generator
            step_options["generator"] = each

        self._interrupt = False
        with self.progress_bar(total=len(self.scheduler.timesteps)) as bar:
            for i, t in enumerate(self.scheduler.timesteps):
                if self._interrupt:
                    break
                output = self._denoise(latents, t, reference, conditions, plan, s)
                latents = self.scheduler.step(output, t, latents, **step_options, return_dict=False)[0]
                if callback_on_step_end is not None:
                    offered = {"latents": latents}
                    tensors = {name: offered[name] for name in callback_on_step_end_tensor_inputs}
                    latents = (callback_on_step_end(self, i, t, tensors) or {}).get("latents", latents)
                bar.update()

        if not latents.isfinite().all():
            raise InputError(
                "unet: it painted no numbers; its weights are damaged or the guidance too strong"
            )
        pictures, scores = latents.clamp(-1, 1), None
        if plan is not None:
            # A plan lists all that changes; guidance away from a branch that was told nothing would drift.
            idle = (plan[..., 0] < 0).all(dim=1)
            pictures = torch.where(idle[:, None, None, None], reference, pictures)
        if n > 1:
            clean = torch.zeros(len(pictures), dtype=torch.long, device=device)
            scores = self.matcher(pictures.to(self.matcher.dtype), clean, conditions["full"].query).unflatten(
                0, (batch, n)
            )
            pictures = pictures.unflatten(0, (batch, n))[torch.arange(batch), scores.argmax(dim=1)]
        out = _to_output(pictures, output_type)
        self.maybe_free_model_hooks()
        return CDDICMOutput(images=out, scores=scores) if return_dict else (out, scores)

    def _text(self, instruction: str, history: Sequence[str]) -> str:
        return compose_text(instruction, tuple(history), self.config.history, self.config.speaker)

    def encode(self, reference: Float[Tensor, "B 3 R R"], texts: list[str]) -> Fused:
        """The fused condition of references in [-1, 1] and texts."""
        ids, mask = (x.to(reference.device) for x in tokenize(self.tokenizer, texts))
        return self.fusion(self.towers(reference.to(self.towers.dtype), ids, mask))

    def _denoise(
        self,
        latents: Tensor,
        t: Tensor,
        reference: Tensor,
        conditions: dict[str, Fused],
        plan: Int[Tensor, "B C M"] | None,
        s: SamplingConfig,
    ) -> Float[Tensor, "B 3 R R"]:
        """What the scheduler asks for at step t, all classifier-free branches in one forward pass."""
        noisy = self.scheduler.scale_model_input(latents, t)
        kind = self.scheduler.config.prediction_type
        step = torch.full((len(noisy),), int(t), device=noisy.device, dtype=torch.long)
        alpha, sigma = noise_levels(self.scheduler.alphas_cumprod, step)
        scales = (s.guidance_scale, s.image_guidance_scale)
        names = branches(*scales)
        k, null = len(names), torch.zeros_like(reference)
        untold = None if plan is None else torch.full_like(plan, -1)
        references = torch.cat([null if b == "nothing" else reference for b in names])
        painting = self.unet(
            noisy.repeat(k, 1, 1, 1),
            step.repeat(k),
            _cat([conditions[b] for b in names]),
            references,
            reference.new_zeros(k * len(noisy)),
            plan=None if plan is None else torch.cat([plan if b == "full" else untold for b in names]),
        )
        at = (part.repeat(k, 1, 1, 1) for part in (noisy, alpha, sigma))
        painted = to_sample(painting.prediction, *at, self.config.prediction_type)
        sample = composite(painted, painting.mask, references)
        sample = combine(dict(zip(names, sample.chunk(k), strict=True)), *scales)
        if s.icm_guidance_scale:
            gradient = self._match_gradient(noisy, step, conditions)
            sample = icm_step(sample, gradient, alpha, sigma, s.icm_guidance_scale)
        return from_sample(sample, noisy, alpha, sigma, kind)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _match_gradient(self, noisy: Tensor, step: Tensor, conditions: dict[str, Fused]) -> Tensor:
        """grad_{x_t} log p_ICM(match | x_t, f)."""
        noisy = noisy.clone().requires_grad_()  # copies, since those of inference mode have no gradient
        queries = conditions["full"].query.clone(), conditions["image_only"].query.clone()
        score = log_match(self.matcher, noisy.to(self.matcher.dtype), step.clone(), *queries)
        return torch.autograd.grad(score.sum(), noisy)[0].float()

    def _randomness(
        self,
        items: int,
        n: int,
        generator: torch.Generator | list[torch.Generator] | None,
        device: torch.device,
    ) -> tuple[Float[Tensor, "Bn 3 R R"], Float[Tensor, "Bn C N"] | None]:
        """The noise that each picture is made of, and the Gumbel noise of its plan, picture by picture, so
        that none depends on its neighbours in the batch. A list holds a generator for every `n` of them."""
        each = (
            [generator[i // n] for i in range(items)] if isinstance(generator, list) else [generator] * items
        )
        planner, latents, gumbel = self.planner, [], []
        for g in each:
            shape = (1, 3, self.image_size, self.image_size)
            latents.append(randn_tensor(shape, generator=g, device=device))
            if planner is not None:
                choices = planner.config.grid**2 + sum(planner.sizes)
                free = torch.empty(len(planner.config.classes), choices, device=g and g.device)
                gumbel.append(-free.exponential_(generator=g).log().to(device))
        return torch.cat(latents), torch.stack(gumbel) if gumbel else None

    def _to_tensor(self, image: ImageInput) -> Float[Tensor, "3 R R"]:
        if isinstance(image, Tensor):
            if image.ndim != 3 or image.shape[0] != 3 or not (image.is_floating_point() and image.numel()):
                raise InputError(
                    f"image: a tensor {image.dtype} {tuple(image.shape)}, expected float (3, H, W) in [0, 1]"
                )
            low, high = image.amin().item(), image.amax().item()
            if not (low >= -OUTSIDE and high <= 1 + OUTSIDE):  # so of NaN, too
                raise InputError(f"image: a tensor of numbers from {low:.3g} to {high:.3g}, expected [0, 1]")
            image = (image.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise InputError(f"image: an array {image.dtype} {image.shape}, expected uint8 (H, W, 3)")
            image = Image.fromarray(image)
        if not isinstance(image, Image.Image):
            raise InputError(f"image: {type(image).__name__}, expected a PIL image, an array or a tensor")
        return to_float(
            torch.from_numpy(to_square(rgb(image, "image"), self.image_size).copy()).permute(2, 0, 1)
        )


def _repeat(condition: Fused, n: int) -> Fused:
    return Fused(*(part.repeat_interleave(n, dim=0) for part in vars(condition).values()))


def _split(condition: Fused, size: int) -> list[Fused]:
    return [
        Fused(*parts) for parts in zip(*(part.split(size) for part in vars(condition).values()), strict=True)
    ]


def _cat(conditions: list[Fused]) -> Fused:
    return Fused(*(torch.cat(parts) for parts in zip(*(vars(c).values() for c in conditions), strict=True)))


def _check_batch(instructions: list, images: list, histories: list, generator: Any) -> None:
    if not instructions:
        raise InputError("instruction: none given")
    for position, text in enumerate(instructions, 1):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"instruction: number {position} is {text!r}, expected some words")
    for g in generator if isinstance(generator, list) else [generator]:
        if not (g is None or isinstance(g, torch.Generator)):
            raise InputError(f"generator: {g!r}, expected a torch.Generator, or a list of them")
    given = {"image": images, "history": histories}
    if isinstance(generator, list):
        given["generator"] = generator
    for name, values in given.items():
        if len(values) != len(instructions):
            raise InputError(f"{name}: {len(values)} given for {len(instructions)} instructions")
    for position, history in enumerate(histories, 1):
        if not isinstance(history, list | tuple) or not all(isinstance(text, str) for text in history):
            raise InputError(f"history: number {position} is {history!r}, expected a list of instructions")
    for text in (*instructions, *sum(map(list, histories), [])):
        if not is_utf8(text):
            raise InputError(f"instruction: {text!r} has characters that are none in UTF-8")


def _to_output(
    pictures: Float[Tensor, "B 3 R R"], output_type: str
) -> list[Image.Image] | np.ndarray | Tensor:
    unit = (pictures.cpu() + 1) / 2
    if output_type == "pt":
        return unit
    array = unit.permute(0, 2, 3, 1).numpy()
    if output_type == "np":
        return array
    return [Image.fromarray((picture * 255).round().astype(np.uint8)) for picture in array]
