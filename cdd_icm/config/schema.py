"""The settings of a generator's run: one frozen dataclass a section, the meaning under each key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cdd_icm.config.base import AtLeastOne, Count, NonNegative, Positive, Seed, Share, section
from cdd_icm.config.encoder import EncoderConfig
from cdd_icm.config.plan import KINDS, NoPlanConfig, any_of
from cdd_icm.config.rules import RULES, check, check_trained
from cdd_icm.config.values import from_dict
from cdd_icm.errors import InputError
from cdd_icm.sources import scheme_of

LARGEST_BATCH_OF_CANDIDATES = 256
"""They are drawn at once: a cap, so that a typo cannot exhaust memory."""


@section
class DataConfig:
    path: str = ""
    """Anything that `cdd-icm data info` reads: a folder, a zip, a JSON or HDF5 file, shards. Its split
    `train` is trained on, its split `val` validates. Shards that are named one by one or by a pattern, such
    as DIR/train-*.tar, and what is at a URL, are streamed: read from end to end while training, without a
    cache of pictures, for data that outgrow the disk. Vocabulary, classes and attributes are then those of
    the first 500 dialogs."""
    image_size: AtLeastOne = 128
    """Side R of the square pictures, in pixels; other pictures are squeezed to it, never cropped."""
    num_workers: Count = 0
    """Loader processes. Decoded pictures are kept in the user's cache folder ($XDG_CACHE_HOME), which makes 0
    enough on small machines."""

    @property
    def streams(self) -> bool:
        """Whether the training data are read as a stream of shards."""
        return "://" in self.path or self.path.endswith(".tar")


@section
class FusionConfig:
    width: AtLeastOne = 256
    """D, the width of the fused tokens and of the query."""
    layers: AtLeastOne = 2
    """Layers in which picture and text attend to each other."""
    heads: AtLeastOne = 4
    """Attention heads, a divisor of `width`."""


@section
class UNetConfig:
    patch_size: AtLeastOne = 4
    """Pixel-unshuffle factor at the input: a 128-pixel picture becomes 32x32 patches of 4x4."""
    # diffusers normalises 32 groups of channels; groups of one would lose the timestep that is added
    widths: Annotated[tuple[Annotated[int, Field(ge=64, multiple_of=32)], ...], Field(min_length=1)] = (
        *(96, 192, 320),
    )
    """Channels at each resolution, each half of the one before."""

    @property
    def attention(self) -> tuple[bool, ...]:
        """At which resolutions tokens are attended to: the last, and all from the third on. The middle block
        always does."""
        last = len(self.widths) - 1
        return tuple(level >= min(2, last) for level in range(len(self.widths)))

    @property
    def heads(self) -> int:
        """Attention heads: 8, or 4 where each would have fewer than 24 channels."""
        narrowest = min(width for width, attends in zip(self.widths, self.attention, strict=True) if attends)
        return 8 if narrowest >= 8 * 24 else 4

    @property
    def layers_per_block(self) -> int:
        """Residual layers at each resolution: one, or two in a network of four resolutions and more."""
        return 1 if len(self.widths) < 4 else 2


@section
class MatcherConfig:
    width: Annotated[int, Field(ge=16, multiple_of=16)] = 96
    """Channels at the matcher's first resolution, a multiple of 16."""


@section
class DiffusionConfig:
    timestep_shift: Positive = 1.0
    """s > 1 trains more on the noisy end of the schedule (`noise.draw_timestep`)."""
    max_snr_weight: Positive = 5.0
    """Bound of the loss weight min(SNR + 1, bound) on the squared error of the picture."""


@section
class ObjectiveConfig:
    icm_weight: NonNegative = 0.1
    """lambda of L = L_CDD + L_mask + lambda L_ICM + the plan's terms."""
    cdd_trains_fusion: bool = True
    """Whether the gradient of L_CDD reaches fusion and towers. It is noisy; where plan and ICM train them,
    small models learn the words sooner without it."""
    cdd_every: AtLeastOne = 1
    """The UNet denoises every so many-th sample; everything else, several times cheaper, sees all of them."""
    text_warmup_samples: Count = 0
    """During so many samples at the start the UNet denoises, and beside a plan the matcher matches, one of
    each micro-batch: what the words mean is learnt sooner, and several times cheaper, than how to paint it.
    The learning rate falls once over them, and again over the rest."""
    no_op_share: Share = 0.0
    """Share of the samples that ask for nothing, by one of `NO_OP_TEXTS`: the picture stays as it is."""
    augmentations: tuple[Literal["mirror", "join"], ...] = ()
    """`mirror`: half of the samples are mirrored; pictures, objects, and the words left and right change
    sides, so that nothing but the words tells which is meant. `join`: to half of the samples another dialog's
    first turn is joined, words, objects and pixels, unless both have a class of object in common; which words
    belong to which object is learnt sooner. Both are for scenes that are laid out of flat pieces."""
    condition_dropout: Share = 0.2
    """Probability of training without the text (half of it), without the reference or without both (a quarter
    each), which classifier-free guidance needs."""


Precision = Annotated[
    Literal["auto", "no", "bf16", "fp16"],
    BeforeValidator(lambda value: "no" if value is False else value),  # as YAML reads a bare no
]


@section
class RunConfig:
    """What every training run has."""

    batch_size: AtLeastOne = 32
    """Samples of one optimiser step on one process."""
    total_samples: AtLeastOne = 100_000
    """Samples of the whole run."""
    learning_rate: Positive = 3e-4
    """Peak of the cosine schedule."""
    warmup_samples: Count = 5_000
    """Samples over which the learning rate rises to its peak."""
    mixed_precision: Precision = "no"
    """auto: bf16 where the device computes in it. A CPU that only emulates it takes many times as long."""
    checkpoint_samples: AtLeastOne = 10_000
    """Samples between two checkpoints, of which the last two are kept. Validation follows every third
    checkpoint and the end of training."""
    log_samples: AtLeastOne = 500
    """Samples between two lines of `log.jsonl`."""
    tracker: Literal["none", "tensorboard", "wandb"] = "none"
    """Where the log goes beside `log.jsonl`."""

    @property
    def validation_samples(self) -> int:
        """Samples between two validations."""
        return 3 * self.checkpoint_samples


@section
class TrainingConfig(RunConfig):
    gradient_accumulation: AtLeastOne = 1
    """Micro-batches that share the `batch_size` samples of a step."""
    frozen: tuple[Literal["towers", "fusion", "planner", "unet", "matcher"], ...] = ()
    """Parts whose weights are not trained, such as those taken from `init`."""


Sampler = Literal[
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "SASolverScheduler",
    "UniPCMultistepScheduler",
]
"""diffusers' samplers of variance-preserving diffusion. EDMEuler has another noise schedule; KDPM2Ancestral
and DPMSolverSDE fail on this one; Heun, whose first step from pure noise is corrected without bound, draws
noise; DDIMParallel and DDPMParallel take DDIM's and DDPM's steps to the bit."""


@section
class SamplingConfig:
    """How a picture is drawn; stored with the model. These fields are the only list of sampling settings:
    command line, chat, presets and sessions take theirs from here."""

    scheduler: Sampler = "DPMSolverMultistepScheduler"
    """A diffusers scheduler."""
    num_inference_steps: AtLeastOne = 12
    """Denoising steps."""
    guidance_scale: NonNegative = 2.0
    """How much the instruction counts; 1 switches it off."""
    image_guidance_scale: NonNegative = 1.0
    """How much the reference counts; 1 switches it off."""
    icm_guidance_scale: NonNegative = 0.0
    """Weight of the matcher's gradient; 0 switches it off."""
    num_candidates: Annotated[int, Field(ge=1, le=LARGEST_BATCH_OF_CANDIDATES)] = 1
    """Pictures drawn for each instruction, of which the one that the matcher scores highest is kept."""
    plan_temperature: NonNegative = 1.0
    """Places and attributes are drawn from the plan's distribution, sharpened by this; 0 takes the likeliest
    attributes, and places by `plan_place`."""
    plan_place: Literal["likeliest", "median"] = "likeliest"
    """Where an object goes without temperature (`decoding.sample_plan`)."""


def _fast() -> dict[str, dict[str, Any]]:
    return {"fast": {"num_inference_steps": 4, "guidance_scale": 1.0, "image_guidance_scale": 1.0}}


@section
class Config:
    output_dir: str = "runs/default"
    """Folder of the run; the same command resumes the run in it."""
    seed: Seed = 0
    """Of all randomness."""
    init: str | None = None
    """Initial weights, for tensors whose name and shape agree: a pipeline folder, whose tokenizer is copied
    too, or a safetensors file of a checkpoint."""
    data: DataConfig = Field(default_factory=DataConfig)
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    fusion: FusionConfig = Field(default_factory=FusionConfig)
    unet: UNetConfig = Field(default_factory=UNetConfig)
    plan: any_of(KINDS) = Field(default_factory=NoPlanConfig)
    without: tuple[Literal["gated-fusion", "reference-pixels", "cross-attention"], ...] = ()
    """Parts that are left out, each a row of the ablation. Without `gated-fusion` a linear map of the
    concatenation replaces each gate. Without `reference-pixels` the reference is not concatenated to the
    noisy input, nor does it show through where the UNet's mask is 0. Without `cross-attention` the UNet does
    not attend to the fused tokens."""
    matcher: MatcherConfig = Field(default_factory=MatcherConfig)
    diffusion: DiffusionConfig = Field(default_factory=DiffusionConfig)
    objective: ObjectiveConfig = Field(default_factory=ObjectiveConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)
    sampling_presets: dict[str, dict[str, Any]] = Field(default_factory=_fast)
    """Other settings than `sampling`, by name, stored with the model too; what one leaves out is as there."""

    def __post_init__(self):
        check(self, (*RULES, *self.plan.RULES))
        check_trained(self.sampling, self.objective)
        for name, preset in self.sampling_presets.items():
            source = f"sampling_presets.{name}"
            merged = SamplingConfig(**with_preset(vars(self.sampling), preset, source))
            try:
                check_trained(merged, self.objective)
            except InputError as error:
                raise InputError(f"{source}: {error}") from None


def with_preset(sampling: dict[str, Any], preset: dict[str, Any], source: str) -> dict[str, Any]:
    """All of `SamplingConfig`'s settings: those of `preset`, where it leaves one out those of `sampling`.

    Raises:
        InputError: an unknown name, a wrong type or an impossible value; the message begins with `source`.
    """
    if not isinstance(preset, dict):
        raise InputError(f"{source}: {preset!r}, expected sampling settings")
    return dict(vars(from_dict(SamplingConfig, {**sampling, **preset}, source)))


def check_data_path(data: DataConfig) -> None:
    """Raises InputError where a run has nothing to train on, or an address that is refused."""
    if not data.path:
        raise InputError("data.path is '', expected the data to train on")
    scheme_of(data.path)
