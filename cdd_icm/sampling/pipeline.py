"""`CDDICMPipeline`: one turn, from reference picture and instruction to the next picture."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DiffusionPipeline
from jaxtyping import Float
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
from cdd_icm.diffusion.samplers import check_scheduler, scheduler_like, set_steps
from cdd_icm.errors import InputError, of_type
from cdd_icm.hub import without_code
from cdd_icm.io import replacing
from cdd_icm.limits import MEMORY
from cdd_icm.lock import ThreadLock, serial, unchanged
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.fusion import Fused, GatedFusion
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.tokenizer import as_built, tokenize, vocabulary_digest
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.plan.protocol import Plan
from cdd_icm.progress import Progress
from cdd_icm.sampling.conditions import encode_branches, later_conditions
from cdd_icm.sampling.denoiser import Denoiser
from cdd_icm.sampling.folder import CANVAS, check_folder, local_folder, read_canvas
from cdd_icm.sampling.inputs import (
    NO_CALLBACK,
    CDDICMOutput,
    Generators,
    ImageInput,
    StepCallback,
    TurnInputs,
    check_output_type,
    to_output,
    to_reference,
)
from cdd_icm.sampling.noise import draw_noise
from cdd_icm.sampling.push import Pushable


class CDDICMPipeline(Pushable, DiffusionPipeline):
    """Conditional denoising diffusion with image-compositional matching (Wang 2023, arXiv 2304.02192).

    Several threads may use one pipeline: their calls run one after the other, each with its own generator,
    callback and candidates, and draw what they would draw alone.

    Args:
        planner: the model's plan (see `plan.protocol`), or None. If a plan changes nothing, the reference is
            returned unchanged.
        history: number of earlier instructions that are encoded. speaker: see `prompt.compose_text`.
        prediction_type: the UNet's parameterisation, which may differ from the scheduler's.
        sampling: the model's defaults for the arguments of `__call__`.
        canvas: the empty picture with which the training dialogs begin, or None.
        sampling_presets: alternative defaults by name, see `use_preset`.
        objective: training settings on which guidance depends (see `config.check_trained`); missing ones
            count as trained.
        vocabulary: digest of the tokenizer that was saved with the weights.
    """

    model_cpu_offload_seq = "towers->fusion->unet"
    _optional_components = ["planner"]
    # they are small, and have methods other than forward, which the offload hooks don't see
    _exclude_from_cpu_offload = ["matcher", "planner"]

    def __init__(
        self,
        towers: CLIPTowers,
        fusion: GatedFusion,
        unet: ConditionalUNet,
        matcher: Matcher,
        tokenizer: Any,
        scheduler: Any,
        planner: Plan | None = None,
        history: int = 1,
        speaker: str = "",
        prediction_type: str = "sample",
        sampling: dict[str, Any] | None = None,
        canvas: Image.Image | None = None,
        sampling_presets: dict[str, dict[str, Any]] | None = None,
        objective: dict[str, float] | None = None,
        vocabulary: str = "",
    ):
        super().__init__()
        self._lock = ThreadLock()
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
            vocabulary=vocabulary,
        )
        self.canvas = canvas

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs) -> CDDICMPipeline:
        """Like any diffusers pipeline, from a folder or a hub name, with the canvas; reads only safetensors.

        Raises:
            InputError: the folder is not a valid pipeline (see `folder.check_folder`), or there is no such
                folder or hub name.
        """
        kwargs = without_code(kwargs)
        folder = local_folder(pretrained_model_name_or_path, kwargs)
        safe = {"use_safetensors": True, "trust_remote_code": False}
        with unchanged(folder):
            checked = check_folder(folder)
            canvas = kwargs.pop("canvas", None) or read_canvas(folder)
            kwargs = {"tokenizer": checked.tokenizer, **kwargs}
            return super().from_pretrained(folder, **{**kwargs, "canvas": canvas, **safe})

    @serial
    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:
        """Like any diffusers pipeline; the canvas is saved as `canvas.png`."""
        file = Path(save_directory) / CANVAS
        if self.canvas is None:
            file.unlink(missing_ok=True)
        else:  # first, because the folder may be pushed to the hub
            with replacing(file) as path:
                self.canvas.save(path)
        self.register_to_config(vocabulary=vocabulary_digest(as_built(self.tokenizer)))
        super().save_pretrained(save_directory, **kwargs)

    @classmethod
    def from_pipe(cls, pipeline: DiffusionPipeline, **kwargs) -> CDDICMPipeline:
        """Like any diffusers pipeline, with the canvas and the planner, which diffusers would leave out."""
        kept = {name: getattr(pipeline, name, None) for name in ("canvas", "planner")}
        twin = super().from_pipe(pipeline, **{**kept, **kwargs})
        twin._lock = getattr(pipeline, "_lock", twin._lock)  # they share the parts
        return twin

    def enable_sequential_cpu_offload(self, *args, **kwargs) -> None:
        """Like any diffusers pipeline, but for the UNet only: the other parts are small, and their weights
        are used directly, which the offload hooks don't see."""
        self._exclude_from_cpu_offload = ["towers", "fusion", "planner", "matcher"]
        super().enable_sequential_cpu_offload(*args, **kwargs)

    def progress_bar(self, iterable=None, total: int | None = None) -> Progress:
        """Like any diffusers pipeline, but prints lines if standard error is not a terminal."""
        first = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
        options = {"disable": not first, **getattr(self, "_progress_bar_config", {})}
        return Progress(iterable, total=total, **options)

    @property
    def image_size(self) -> int:
        """Side of the pictures, in pixels."""
        return self.unet.config.image_size

    def settings(self, **given) -> SamplingConfig:
        """The sampling settings that `__call__` uses: those given and not None, else the model's own. The
        scheduler is the pipeline's, whatever they say.

        Raises:
            InputError: an unknown name, a wrong type, an invalid value, or guidance that the model was not
                trained for.
        """
        if "scheduler" in given:
            raise InputError("scheduler: not an argument of a call; set it with `pipeline.scheduler = ...`")
        given = {name: value for name, value in given.items() if value is not None}
        own = self.config.sampling
        for name in ("plan_temperature", "plan_place"):
            default = own.get(name, getattr(SamplingConfig, name))
            if self.planner is None and given.get(name, default) != default:
                raise InputError(f"{name}: {given[name]!r} given to a model without a plan")
        sampling = from_dict(SamplingConfig, {**own, **given}, "sampling")
        check_trained(sampling, ObjectiveConfig(**self.config.objective))
        return sampling

    @serial
    def use_preset(self, name: str) -> None:
        """Makes the preset `name` of `sampling_presets` the pipeline's defaults, including its scheduler.

        Raises:
            InputError: there is no such preset; the message lists the presets.
        """
        of_type(name, str, "preset", "the name of a preset")
        presets = self.config.sampling_presets
        if name not in presets:
            known = f"this model has {', '.join(sorted(presets))}" if presets else "this model has none"
            raise InputError(f"preset: {name!r} is unknown; {known}")
        settings = with_preset(self.config.sampling, presets[name], f"sampling_presets.{name}")
        del settings["scheduler"]
        if "scheduler" in presets[name]:
            self.scheduler = scheduler_like(self.scheduler, presets[name]["scheduler"])
        self.register_to_config(sampling=to_plain(settings))

    @serial
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
            image: the reference(s): PIL images of any mode and size (converted as by `data.picture.rgb`),
                uint8 arrays (H, W, 3), or float tensors (3, H, W) in [0, 1], which are rounded to 8 bits.
                They are resized to a square, never cropped.
            instruction: what to draw or change. Long texts are truncated (see `tokenizer.tokenize`); a text
                without a speaker tag gets the model's `speaker`.
            history: the dialog's earlier instructions, oldest first; a list of such lists for a batch.
            num_inference_steps: denoising steps.
            guidance_scale: s_T, guidance by the instruction; 1 disables it.
            image_guidance_scale: s_I, guidance by the reference; 1 disables it.
            icm_guidance_scale: w, weight of the matcher's gradient; 0 disables it.
            num_candidates: number of pictures drawn for each instruction, each with its own plan; the one
                with the highest matcher score is returned.
            plan_temperature: temperature of the plan's distributions; 0 chooses the likeliest traits, and
                cells by `plan_place`.
            plan_place: at temperature 0, choose an object's "likeliest" cell, or a likely one near the
                "median" column and row; see `decoding.median_score`.
            generator: one, or one for each instruction. With one for each, a picture does not depend on the
                rest of the batch. A single one is used for the instructions in turn.
            output_type: "pil", "np" (B, R, R, 3) float in [0, 1], or "pt" (B, 3, R, R) float in [0, 1].
            callback_on_step_end: as in any diffusers pipeline; `latents` are the noisy pictures. It may
                return None to change nothing. If it sets the pipeline's `_interrupt`, sampling stops after
                this step.

        Raises:
            InputError: an empty instruction, lists of different lengths, an invalid picture, a setting out of
                range, or a scheduler whose noise levels are not the model's.
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
        callback = StepCallback.of(callback_on_step_end, callback_on_step_end_tensor_inputs)
        out = self.draw(image, instruction, history, settings, generator, output_type, callback)
        return out if return_dict else (out.images, out.scores, out.answers)

    @torch.no_grad()
    @serial
    def draw(
        self,
        image: ImageInput | list[ImageInput],
        instruction: str | list[str],
        history: list[str] | list[list[str]] | None,
        settings: SamplingConfig,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        callback: StepCallback = NO_CALLBACK,
    ) -> CDDICMOutput:
        """`__call__` with sampling settings that `settings` has checked."""
        check_output_type(output_type)
        check_scheduler(self.scheduler)
        device = self.execution_device
        set_steps(self.scheduler, settings.num_inference_steps, device)
        inputs = TurnInputs.of(image, instruction, history, generator)
        drawn = len(inputs.images) * settings.num_candidates
        MEMORY.check(12 * drawn * self.image_size**2, f"instruction: {drawn} pictures at once need at least")
        reference = torch.stack([to_reference(i, self.image_size) for i in inputs.images]).to(device)

        n = settings.num_candidates
        conditions, context = encode_branches(self, inputs, reference, settings)
        reference = reference.repeat_interleave(n, dim=0)  # (B n, 3, R, R)
        latents, plan_noise = draw_noise(reference.shape, n, inputs.generator, self.planner, device)
        plan = None
        if self.planner is not None:
            texts = [text for text in inputs.instructions for _ in range(n)]
            histories = [history for history in inputs.histories for _ in range(n)]
            full = conditions["full"]
            plan = self.planner.sample(full, reference, plan_noise, settings, texts, histories, context)
            conditions |= {} if plan.texts is None else {"unet_full": self.encode(reference, plan.texts)}
        denoiser = Denoiser(
            self.unet,
            self.matcher,
            self.scheduler,
            self.config.prediction_type,
            settings,
            reference,
            conditions,
            plan,
        )
        generators = inputs.generator
        if isinstance(generators, list):
            generators = [g for g in generators for _ in range(n)]
        pictures = self._denoise(latents, denoiser, generators, callback).clamp(-1, 1)
        if plan is not None:
            # nothing is drawn, but guidance against the branch without a plan would change the picture
            pictures = torch.where(plan.no_op[:, None, None, None], reference, pictures)
            pictures = self._draw_later(pictures, denoiser, generators, callback)
        scores = None
        if n > 1:
            pictures, scores = self._choose(pictures, conditions["full"], n)
        out = to_output(pictures, output_type)
        self.maybe_free_model_hooks()
        return CDDICMOutput(out, scores, None if plan is None else plan.answers_of_best(scores))

    @property
    def execution_device(self) -> torch.device:
        """Where the model computes, also if offloading keeps its weights elsewhere meanwhile. Slow: searches
        all modules."""
        return self._execution_device

    def encode(self, reference: Float[Tensor, "B 3 R R"], texts: list[str]) -> Fused:
        """The fused condition of references in [-1, 1] and texts, see `prompt.compose_text`."""
        ids, mask = (x.to(reference.device) for x in tokenize(self.tokenizer, texts))
        return self.fusion(self.towers(reference.to(self.towers.dtype), ids, mask))

    def _denoise(
        self,
        latents: Float[Tensor, "B 3 R R"],
        denoiser: Denoiser,
        generator: Generators,
        callback: StepCallback,
    ) -> Float[Tensor, "B 3 R R"]:
        """Runs all steps of the scheduler, starting from unit Gaussian noise."""
        options = {}
        if "generator" in inspect.signature(self.scheduler.step).parameters:
            options["generator"] = generator
        latents = latents * self.scheduler.init_noise_sigma
        self._interrupt = False
        with self.progress_bar(total=len(self.scheduler.timesteps)) as bar:
            for i, t in enumerate(self.scheduler.timesteps):
                if self._interrupt:
                    break
                output = denoiser(latents, t)
                latents = self.scheduler.step(output, t, latents, **options, return_dict=False)[0]
                latents = callback(self, i, t, latents)
                bar.update()
        if not latents.isfinite().all():
            raise InputError(
                "unet: its output is not finite; the weights are damaged or the guidance too strong"
            )
        return latents

    def _draw_later(
        self,
        pictures: Float[Tensor, "B 3 R R"],
        first: Denoiser,
        generators: Generators,
        callback: StepCallback,
    ) -> Float[Tensor, "B 3 R R"]:
        """The pictures with what their plans draw later; only unfinished ones take further noise."""
        for plan in first.plan.later:
            items = (~plan.no_op).nonzero()[:, 0]  # (b,)
            if self._interrupt or not len(items):
                break
            own = [generators[i] for i in items.tolist()] if isinstance(generators, list) else generators
            reference, texts = pictures[items], [plan.texts[i] for i in items.tolist()]
            conditions = later_conditions(self, first.conditions, items, reference, texts)
            part = replace(plan, feature_map=plan.feature_map[items])
            denoiser = replace(first, reference=reference, conditions=conditions, plan=part)
            set_steps(self.scheduler, first.settings.num_inference_steps, reference.device)  # from its start
            latents, _ = draw_noise(reference.shape, 1, own, None, reference.device)
            pictures[items] = self._denoise(latents, denoiser, own, callback).clamp(-1, 1)
        return pictures

    def _choose(
        self, pictures: Float[Tensor, "Bn 3 R R"], condition: Fused, n: int
    ) -> tuple[Float[Tensor, "B 3 R R"], Float[Tensor, "B n"]]:
        """The candidate with the highest matcher score among every `n`, and all scores."""
        clean = torch.zeros(len(pictures), dtype=torch.long, device=pictures.device)
        scores = self.matcher(pictures.to(self.matcher.dtype), clean, condition.query).unflatten(0, (-1, n))
        pictures = pictures.unflatten(0, (-1, n))
        return pictures[torch.arange(len(scores)), scores.argmax(dim=1)], scores
