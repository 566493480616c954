"""The settings of a run: frozen dataclasses, from YAML and `key=value` overrides, checked before any work."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import re
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from cdd_icm.errors import InputError
from cdd_icm.sources import local_path, scheme_of

SPEAKER = re.compile(r"<\w+>")
"""Who says what follows: CoDraw's texts have <teller> and <drawer>."""
END_ID = 2
"""The end of a text in a learnt vocabulary, in which 0 is padding and 1 the start."""
SMALLEST_VOCABULARY = 256 + 3
"""Every byte, padding, start and end."""
SHORTEST_TEXT = 3
"""Start, a word and end."""
LARGEST_SEED = 2**63 - 1
"""That torch takes."""
MOST_CANDIDATES = 256
"""They are drawn at once; a typing error should not fill the memory."""


def _least(settings: Any, least: int, *names: str) -> None:
    """Raises InputError where a field, unless it is None, is not a finite number of at least `least`."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not least <= value < math.inf:
            raise InputError(f"{name} is {value!r}, expected at least {least}")


def _most(settings: Any, most: int, *names: str) -> None:
    for name in names:
        if getattr(settings, name) > most:
            raise InputError(f"{name} is {getattr(settings, name)!r}, expected at most {most}")


def _over_0(settings: Any, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not 0 < value < math.inf:
            raise InputError(f"{name} is {value!r}, expected a number over 0")


def check_speaker(speaker: Any) -> None:
    """Raises InputError where it is no mark of who speaks and not empty."""
    if speaker != "" and not (isinstance(speaker, str) and SPEAKER.fullmatch(speaker)):
        raise InputError(f"speaker is {speaker!r}, expected none, or a word in angle brackets")


@dataclass(frozen=True)
class DataConfig:
    path: str = ""
    """Anything that `cdd-icm data info` reads: a folder, a zip, a JSON or HDF5 file, shards (also by URL)."""
    train_split: str = "train"
    validation_split: str = "val"
    image_size: int = 128
    """Side R of the square pictures, in pixels; other pictures are squeezed to it, never cropped."""
    limit: int | None = None
    """Use only the first so many training dialogs."""
    cache_dir: str | None = None
    """Where decoded pictures are kept; by default the user's cache folder."""
    num_workers: int = 0
    """Loader processes. The cache makes 0 enough on small machines."""
    streaming: bool = False
    """Reads shards from end to end while training and caches no picture, for data that outgrow the disk;
    always so where `path` is a URL. Of a folder `<train_split>-*.tar` are read, else the shards that the
    pattern names. Vocabulary, classes and looks are then those of the first 500 dialogs."""

    def __post_init__(self):
        _least(self, 1, "image_size", "limit")
        _least(self, 0, "num_workers")
        if self.streams and self.limit is not None:
            raise InputError(f"limit is {self.limit!r}, expected none where data are streamed")

    @property
    def streams(self) -> bool:
        """Whether the training data are read as a stream of shards."""
        return self.streaming or "://" in self.path


@dataclass(frozen=True)
class EncoderConfig:
    model: str | dict[str, Any] = "ViT-B-32"
    """An open_clip architecture name, or a model config of its (`embed_dim`, `vision_cfg`, `text_cfg`)."""
    pretrained: str | None = None
    """open_clip's `pretrained` tag or a local checkpoint file; None trains from scratch."""
    trainable_blocks: int | None = None
    """How many of the last blocks of each tower are trained; 0 freezes both, None trains all."""
    vocab_size: int | None = None
    """Size of a byte-pair vocabulary learnt from the training text; None takes CLIP's own."""
    history: int = 1
    """How many earlier instructions are read before the newest."""
    speaker: str = ""
    """The mark that the data's texts begin with, such as CoDraw's <teller>; put before those without one."""

    def __post_init__(self):
        _least(self, 0, "trainable_blocks", "history")
        check_speaker(self.speaker)
        text: dict[str, Any] = {}
        if isinstance(self.model, dict):
            _check_open_clip(self.model)
            text = self.model["text_cfg"]
        else:
            _check_name(self.model)
        if self.vocab_size is None:
            return
        _least(self, SMALLEST_VOCABULARY, "vocab_size")
        # By default CLIP pools where the largest id is, which is no end in a learnt vocabulary.
        pools_at_end = text.get("pool_type") == "eos" and text.get("eos_id") == END_ID
        if text.get("vocab_size", 0) < self.vocab_size or not pools_at_end:
            raise InputError(
                f"vocab_size is {self.vocab_size!r}, expected none, or a model config whose text_cfg has at "
                f"least that vocab_size, pool_type eos and eos_id {END_ID}"
            )


def _check_name(model: str) -> None:
    """Raises InputError where open_clip has no architecture of that name; it fetches those with a colon."""
    from open_clip import list_models  # here, as it takes seconds that few commands need

    if ":" not in model and model not in (known := list_models()):
        near = difflib.get_close_matches(model, known, n=1, cutoff=0.0)[0]
        raise InputError(f"model is {model!r}, expected an architecture of open_clip; the nearest is {near}")


def _check_open_clip(model: dict[str, Any]) -> None:
    """Raises InputError where open_clip has no such key or takes no such value, or the towers can't."""
    from open_clip import CLIP  # here, as it takes seconds that few configs need

    keys = [
        (name, of.annotation) + (() if of.default is of.empty else (of.default,))
        for name, of in inspect.signature(CLIP).parameters.items()
    ]
    keys.append(("custom_text", bool, False))  # of its model configs, which chooses the class
    known = from_dict(dataclasses.make_dataclass("Model", keys), model, "model")
    vision, text = known.vision_cfg, known.text_cfg
    rules = {
        "vision_cfg.image_size": (isinstance(vision.image_size, int), "one number, as pictures are square"),
        "vision_cfg.patch_dropout": (not vision.patch_dropout, "0, as the fusion needs all tokens"),
        "vision_cfg.pool_type": (vision.pool_type != "none", "one that pools"),
        "text_cfg.context_length": (text.context_length >= SHORTEST_TEXT, f"at least {SHORTEST_TEXT}"),
        "text_cfg.embed_cls": (not text.embed_cls, "false, as tokens stand for words"),
        "text_cfg.pool_type": (text.pool_type != "none", "one that pools"),
    }
    for key, (holds, wanted) in rules.items():
        if not holds:
            section, name = key.split(".")
            raise InputError(f"model.{key} is {getattr(getattr(known, section), name)!r}, expected {wanted}")


@dataclass(frozen=True)
class FusionConfig:
    width: int = 256
    """D, the width of the fused tokens and of the query."""
    layers: int = 2
    heads: int = 4
    gated: bool = True
    """False replaces the gate by a plain linear map of the concatenation (a row of the ablation)."""
    normalised: bool = False
    """Queries and keys of the attention are normalised: heads can't settle on one word for good."""

    def __post_init__(self):
        _least(self, 1, "width", "layers", "heads")


@dataclass(frozen=True)
class UNetConfig:
    patch_size: int = 4
    """Pixel-unshuffle factor at the input: a 128-pixel picture is seen as 32x32 patches of 4x4."""
    widths: tuple[int, ...] = (96, 192, 320)
    """Channels at each resolution, each half of the one before."""
    layers_per_block: int = 1
    attention: tuple[bool, ...] = (False, False, True)
    """At which resolutions tokens are attended to; the middle block always does."""
    heads: int = 8
    query: bool = True
    """The fused query joins the timestep embedding."""
    cross_attention: bool = True
    """The fused tokens are the cross-attention context."""
    spatial: bool = True
    """The fused image tokens are added, in their places, to the middle feature map."""
    reference: bool = True
    """The reference picture is concatenated to the noisy input."""
    composite: bool = True
    """The network paints a picture and a soft mask; where the mask is 0 the reference shows through."""

    def __post_init__(self):
        _least(self, 1, "patch_size", "layers_per_block", "heads")


@dataclass(frozen=True)
class PlanConfig:
    kind: str = "annotated"
    """Which kind of plan: a name in `plan.registry`."""
    grid: int = 0
    """Cells along a side of the grid on which a turn is planned before it is painted; 0 paints without a
    plan. Needs data whose objects are annotated."""
    weight: float = 0.1
    """Weight of the plan's log-likelihood in the joint loss."""
    see_weight: float = 0.025
    """Weight of the image tower's telling which objects stand where in the reference."""
    relation_weight: float = 0.1
    """Weight of the fused tokens' telling on which side of the reference's objects the new ones go."""
    ask: int = 0
    """How many times each class asks text and picture about itself: 2 for data whose turns draw several
    objects, 0 where the words name one."""
    read: int = 0
    """How often the words that are asked look at their neighbours before: 2 for texts that say several things
    of several objects. Needs `ask` or `kernels`."""
    kernels: int = 0
    """Half-planes, and what becomes of them, that say where a new object goes beside each one that stands
    (`placement.py`): for texts that place one object by its sides of others. The planner then looks for what
    stands in the picture itself, and `see_weight` and `relation_weight` teach it and not the towers and the
    fusion. 0 lets the fused tokens say where."""
    horizon: float | None = None
    """Height in the picture, as a share of its side from the top, at which the ground would end, for pictures
    of things on the ground (`camera.ground`); it may lie outside. None where the picture itself is flat."""
    forms: tuple[str, ...] = ()
    """Traits of an object's look that change its whole picture, such as how large it is and which way it is
    turned: each class has a template of its own at the UNet's input for each combination of the values of
    those that its objects have."""
    reach: float = 0.3
    """How far around its cell a planned object tells the UNet of itself, as a share of the picture's side:
    half the size of the largest objects."""
    channels: int = 32
    """Width of what it tells."""
    fine: int = 1
    """Places along a cell's side: the UNet is told the annotated place this much more finely than it is
    planned. As many as a cell has pixels let it learn sharp sprites; a planned object stands in the middle of
    its cell."""
    step: int = 1
    """Side of a template's pixel, in those places."""
    template_turns: int = 0
    """Turns from which the templates of a run without `init` begin, as the mean of what was painted around
    their objects (`templates.py`): for data of flat pieces that always look the same. 0 begins at random."""

    def __post_init__(self):
        _least(self, 1, "channels", "fine", "step")
        _least(self, 0, "grid", "weight", "see_weight", "relation_weight", "ask", "read", "kernels", "reach")
        _least(self, 0, "template_turns")
        _most(self, 1, "reach")
        if self.template_turns and self.channels < 4:
            raise InputError(
                f"template_turns is {self.template_turns!r}, expected 0 with fewer than 4 channels"
            )
        if self.read and not (self.ask or self.kernels):
            raise InputError(f"read is {self.read!r}, expected 0 where ask and kernels are 0")
        if self.horizon is not None and not self.kernels:
            raise InputError(f"horizon is {self.horizon!r}, expected none where kernels is 0")
        if self.horizon is not None and not -math.inf < self.horizon < 0.5:
            raise InputError(f"horizon is {self.horizon!r}, expected less than 0.5, the middle")
        if self.kernels and not self.grid:
            raise InputError(f"kernels is {self.kernels!r}, expected 0 where grid is 0")
        if self.kernels and self.ask:
            raise InputError(f"kernels is {self.kernels!r}, expected 0 where ask is not 0")
        if self.kernels and self.weight and not self.see_weight:
            raise InputError(f"see_weight is {self.see_weight!r}, expected more where kernels plan")
        if self.kernels and self.relation_weight and not self.weight:
            raise InputError(f"relation_weight is {self.relation_weight!r}, expected 0 where weight is 0")


@dataclass(frozen=True)
class MatcherConfig:
    width: int = 96
    temperature: float = 0.07
    max_logit_scale: float = 100.0
    """Upper bound of the learnt inverse temperature."""

    def __post_init__(self):
        _least(self, 1, "width")
        _over_0(self, "temperature", "max_logit_scale")


Balance = Literal["regions", "pixels"]


@dataclass(frozen=True)
class DiffusionConfig:
    num_train_timesteps: int = 1000
    beta_schedule: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "squaredcos_cap_v2"
    prediction_type: Literal["sample", "v_prediction"] = "sample"
    """Not epsilon: at zero terminal SNR it says nothing about the picture."""
    timestep_shift: float = 1.0
    """s > 1 trains more on the noisy end of the schedule: see `noise.draw_timestep`."""
    max_snr_weight: float = 5.0
    """Bound of the loss weight min(SNR + 1, bound) on the squared error of the picture."""
    changed_weight: float = 8.0
    """Weight of the error inside the region that the turn changes, against 1 outside."""
    changed_balance: Balance = "regions"
    """Between the means of both, or between single pixels, for data whose turns may also move what stands:
    see `region.balanced`."""
    reference_noise: float = 0.1
    """References get Gaussian noise, its standard deviation drawn from [0, this], in [-1, 1] pixel units."""

    def __post_init__(self):
        _least(self, 2, "num_train_timesteps")
        _over_0(self, "timestep_shift", "max_snr_weight", "changed_weight")
        _least(self, 0, "reference_noise")


@dataclass(frozen=True)
class ObjectiveConfig:
    icm_weight: float = 0.1
    """lambda of L = L_CDD + lambda L_ICM + mu L_where."""
    where_weight: float = 0.1
    """mu: the fused image tokens tell which patches will change."""
    mask_weight: float = 1.0
    """nu: the UNet's mask is open where the turn changes the picture and shut elsewhere, so that what stands
    stays; without `unet.composite` it has no mask."""
    cdd_teaches_fusion: bool = True
    """Whether the gradient of L_CDD reaches fusion and towers. It is noisy; where plan and ICM teach them,
    small models learn the words sooner without it."""
    cdd_every: int = 1
    """The UNet denoises every so many-th sample; everything else, several times cheaper, sees all of them."""
    words_first: int = 0
    """During so many samples at the start the UNet denoises, and beside a plan the matcher matches, one of
    each micro-batch: what the words mean is learnt sooner, and several times cheaper, than how to paint it.
    The learning rate falls once over them, and again over the rest."""
    words_batch_size: int | None = None
    """`training.batch_size` of those samples, where it is another one."""
    idle_share: float = 0.0
    """Share of the samples that ask for nothing, by one of `idle_texts`: the picture stays as it is."""
    idle_texts: tuple[str, ...] = ()
    opposites: tuple[tuple[str, str], ...] = ()
    """Word pairs whose exchange makes an instruction false, such as [left, right]: hard negatives for ICM."""
    mirror: tuple[tuple[str, str], ...] = ()
    """Word pairs such as [left, right]. Where there are some, half of the samples are seen in a mirror: their
    pictures and objects are, and the words of each pair change places, so that nothing but the words tells
    which side is meant."""
    join: float = 0.0
    """Share of the samples that another dialog's first turn is joined to, words, objects and pixels, unless
    both have a class of object in common: which words belong to which object is learnt sooner. For scenes
    that are laid out of flat pieces; the shards of a stream aren't joined."""
    retell: float = 0.0
    """Share of the samples whose instruction is told anew from the annotation, see `grammars.recaption`."""
    scenes: int = 0
    """Dialogs without pictures beside each sample, which teach `plan.kernels` where words mean: the objects
    of one of the training data's pictures, placed and told anew, see `synthetic_scenes.imagined`."""
    drop_text: float = 0.1
    drop_reference: float = 0.05
    drop_both: float = 0.05
    """Condition dropout: probabilities of training without text, reference, or both."""

    def __post_init__(self):
        _least(
            self, 0, "icm_weight", "where_weight", "drop_text", "drop_reference", "drop_both", "idle_share"
        )
        _least(self, 0, "mask_weight", "words_first", "join", "retell", "scenes")
        _least(self, 1, "cdd_every", "words_batch_size")
        _most(self, 1, "idle_share", "join", "retell")
        if self.idle_share and not self.idle_texts:
            raise InputError(f"idle_texts is {self.idle_texts!r}, expected some, or idle_share=0")
        if self.drop_text + self.drop_reference + self.drop_both > 1:
            raise InputError(
                f"drop_text is {self.drop_text!r}, expected at most 1 with drop_reference and drop_both"
            )


@dataclass(frozen=True)
class RunConfig:
    """What every training run has."""

    batch_size: int = 32
    """Samples of one optimiser step on one process."""
    total_samples: int = 100_000
    learning_rate: float = 3e-4
    min_learning_rate: float = 1e-5
    warmup_samples: int = 5_000
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    """Bound of the gradient's norm; for the generator, of each of its parts."""
    ema_half_life: float = 0.05
    """Half-life of the weight average, as a share of the samples seen so far; 0: no average."""
    ema_samples: int = 128
    """The average moves on once in so many samples: in every step of a small batch it costs some per cent."""
    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = "no"
    """auto: bf16 where the device computes in it. A CPU that only emulates it takes many times as long."""
    checkpoint_samples: int = 10_000
    keep_checkpoints: int = 2
    log_samples: int = 500
    validation_samples: int = 20_000
    tracker: Literal["none", "tensorboard", "wandb"] = "none"

    def __post_init__(self):
        _least(self, 1, "batch_size", "total_samples", "checkpoint_samples")
        _least(self, 1, "ema_samples", "keep_checkpoints", "log_samples", "validation_samples")
        _least(self, 0, "min_learning_rate", "warmup_samples", "weight_decay", "ema_half_life")
        _over_0(self, "learning_rate", "max_grad_norm")
        if self.min_learning_rate > self.learning_rate:
            raise InputError(
                f"min_learning_rate is {self.min_learning_rate!r}, expected at most learning_rate, "
                f"{self.learning_rate!r}"
            )


@dataclass(frozen=True)
class TrainingConfig(RunConfig):
    gradient_accumulation: int = 1
    """Micro-batches that share the `batch_size` samples of a step."""
    frozen: tuple[Literal["towers", "fusion", "planner", "unet", "matcher"], ...] = ()
    """Parts that keep the weights that they begin with, such as those of a run that taught the words."""
    validation_dialogs: int = 4

    def __post_init__(self):
        super().__post_init__()
        _least(self, 1, "gradient_accumulation", "validation_dialogs")
        if self.batch_size % self.gradient_accumulation:
            raise InputError(
                f"gradient_accumulation is {self.gradient_accumulation!r}, expected a divisor of batch_size, "
                f"{self.batch_size}"
            )


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


@dataclass(frozen=True)
class SamplingConfig:
    """Defaults of the pipeline, stored with the model."""

    scheduler: Sampler = "DPMSolverMultistepScheduler"
    num_inference_steps: int = 12
    guidance_scale: float = 2.0
    image_guidance_scale: float = 1.0
    icm_guidance_scale: float = 0.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    num_candidates: int = 1
    plan_temperature: float = 1.0
    """Places and looks are drawn from the plan's distribution, sharpened by this; 0 takes the likeliest
    looks, and places by `plan_place`."""
    plan_place: Literal["likeliest", "median"] = "likeliest"
    """Where an object goes without temperature, see `decoding.sample_plan`."""

    def __post_init__(self):
        _least(self, 1, "num_inference_steps", "num_candidates")
        _least(self, 0, "plan_temperature", "guidance_scale", "image_guidance_scale", "icm_guidance_scale")
        _most(self, MOST_CANDIDATES, "num_candidates")
        low, high = self.guidance_interval
        if not 0 <= low <= high <= 1:
            raise InputError(f"guidance_interval is {(low, high)}, expected 0 <= low <= high <= 1")


def _fast() -> dict[str, dict[str, Any]]:
    return {"fast": {"num_inference_steps": 4, "guidance_scale": 1.0, "image_guidance_scale": 1.0}}


@dataclass(frozen=True)
class Config:
    output_dir: str = "runs/default"
    seed: int = 0
    init: str | None = None
    """What the run begins with, wherever names and shapes agree: a pipeline folder, whose tokenizer comes
    along, or the safetensors of a checkpoint."""
    data: DataConfig = field(default_factory=DataConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    unet: UNetConfig = field(default_factory=UNetConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    sampling_presets: dict[str, dict[str, Any]] = field(default_factory=_fast)
    """Other settings than `sampling`, by name, stored with the model too; what one leaves out is as there."""

    def __post_init__(self):
        _least(self, 0, "seed")
        _most(self, LARGEST_SEED, "seed")
        size, u, o, s = self.data.image_size, self.unet, self.objective, self.sampling
        halvings = 2 ** (len(u.widths) - 1)
        side, places = size // u.patch_size, self.plan.grid * self.plan.fine
        attending = [w for w, a in zip(u.widths[:-1], u.attention, strict=False) if a] + list(u.widths[-1:])
        trained = {"fusion", "unet", "matcher"}
        trained |= {"planner"} if self.plan.grid else set()
        trained |= {"towers"} if self.encoder.trainable_blocks != 0 else set()
        rules = {
            "fusion.heads": (self.fusion.width % self.fusion.heads == 0, "a divisor of fusion.width"),
            # diffusers normalises 32 groups of channels; groups of one would lose the timestep that is added
            "unet.widths": (
                u.widths and all(w >= 64 and w % 32 == 0 for w in u.widths),
                "multiples of 32 from 64 on",
            ),
            "unet.attention": (len(u.attention) == len(u.widths), "one entry for each of unet.widths"),
            "data.image_size": (
                size % 16 == 0 and size % (u.patch_size * halvings) == 0,
                f"a multiple of 16 (matcher) and of {u.patch_size * halvings} (unet.patch_size, unet.widths)",
            ),
            "unet.heads": (
                all(u.heads <= w for w in attending),
                f"at most {min(attending, default=0)}, the smallest of unet.widths that attends",
            ),
            "unet.composite": (not u.composite or u.reference, "false where unet.reference is false"),
            "objective.cdd_every": (
                self.training.batch_size // self.training.gradient_accumulation % o.cdd_every == 0,
                "a divisor of training.batch_size / training.gradient_accumulation",
            ),
            "objective.words_batch_size": (
                (o.words_batch_size or 0) % self.training.gradient_accumulation == 0
                and not (o.words_batch_size and self.data.streams),
                "a multiple of training.gradient_accumulation, and none where the data is streamed",
            ),
            "plan.grid": (self.plan.grid <= size, "at most data.image_size"),
            "plan.kernels": (
                not self.plan.kernels
                or (self.plan.grid % 2 == 0 and size % max(1, self.plan.grid // 2) == 0),
                f"0 unless plan.grid, {self.plan.grid}, is twice a divisor of data.image_size",
            ),
            "plan.fine": (
                places <= side or (places <= size and places % side == 0),
                f"a number that makes {self.plan.grid} times it a multiple of {side} (data.image_size / "
                "unet.patch_size), and at most data.image_size",
            ),
            "objective.scenes": (not o.scenes or self.plan.kernels, "0 where plan.kernels is 0"),
            "objective.join": (not (o.join and self.data.streams), "0 where the data is streamed"),
            "training.frozen": (
                bool(trained - set(self.training.frozen)),
                f"some part left to train: {', '.join(sorted(trained))}",
            ),
            "matcher.width": (self.matcher.width % 16 == 0, "a multiple of 16"),
        }
        for key, (holds, wanted) in rules.items():
            if not holds:
                section, name = key.split(".")
                raise InputError(f"{key} is {getattr(getattr(self, section), name)!r}, expected {wanted}")
        check_trained(s, o)
        for name, preset in self.sampling_presets.items():
            merged = with_preset(vars(s), preset, f"sampling_presets.{name}")
            try:  # the rules above hold for it too
                dataclasses.replace(self, sampling=SamplingConfig(**merged), sampling_presets={})
            except InputError as error:
                raise InputError(f"sampling_presets.{name}: {error}") from None


def check_data_path(data: DataConfig) -> None:
    """Raises InputError where a run has nothing to train on, or an address that is refused."""
    if not data.path:
        raise InputError("data.path is '', expected the data to train on")
    scheme_of(data.path)


def check_trained(sampling: SamplingConfig, objective: ObjectiveConfig) -> None:
    """Raises InputError where `sampling` asks for what `objective` left out of the training."""
    for name, off, needs, why in (
        ("guidance_scale", 1, "drop_text", "guidance needs that dropout"),
        ("image_guidance_scale", 1, "drop_both", "guidance needs that dropout"),
        ("image_guidance_scale", 1, "drop_text", "guidance needs that dropout"),
        ("icm_guidance_scale", 0, "icm_weight", "the matcher is not trained"),
        ("icm_guidance_scale", 0, "drop_text", "its alternative is the empty text"),
        ("num_candidates", 1, "icm_weight", "the matcher that picks is not trained"),
    ):
        value = getattr(sampling, name)
        if value != off and not getattr(objective, needs):
            raise InputError(
                f"sampling.{name} is {value!r}, expected {off} where objective.{needs} is 0: {why}"
            )


def with_preset(sampling: dict[str, Any], preset: dict[str, Any], source: str) -> dict[str, Any]:
    """All of `SamplingConfig`'s settings: those of `preset`, where it leaves one out those of `sampling`.

    Raises:
        InputError: an unknown name, a wrong type or an impossible value; the message begins with `source`.
    """
    if not isinstance(preset, dict):
        raise InputError(f"{source}: {preset!r}, expected sampling settings")
    return dict(vars(from_dict(SamplingConfig, {**sampling, **preset}, source)))


def load_config(path: str | Path, overrides: list[str] | tuple[str, ...] = (), cls: type = Config) -> Any:
    """Reads a YAML file into the dataclass `cls` and applies overrides such as `training.batch_size=16`.

    Raises:
        InputError: the file is missing or not YAML, a key is unknown (the nearest known one is named), a
            value has the wrong type, or the combination is impossible.
    """
    try:
        text = local_path(path).read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not YAML ({error})") from None
    values = _parse(text, f"{path}: not YAML") or {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of keys, found {type(values).__name__}")
    for override in overrides:
        key, value = parse_override(override)
        node = values
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise InputError(f"{override!r}: {parent} is not a section")
        node[last] = value
    return from_dict(cls, values, source=str(path))


def parse_override(override: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value in YAML."""
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"{override!r}: expected key=value")
    return key, _parse(text, f"{override!r}: the value is not YAML")


class _Loader(yaml.SafeLoader):
    """YAML in which no key comes twice: PyYAML by itself forgets the first."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key {key.value} comes twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
        return node


def _parse(text: str, wrong: str) -> Any:
    """What a YAML text holds; where it is none, the InputError begins with `wrong` and names the line."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise InputError(f"{wrong} (line {error.problem_mark.line + 1}: {error.problem})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date of month 31, endless brackets
        raise InputError(f"{wrong} ({str(error).splitlines()[0]})") from None


def differing_keys(a: Any, b: Any, prefix: str = "") -> list[str]:
    """The keys, such as "training.batch_size", in which two configs of one class differ."""
    found = []
    for name in (f.name for f in dataclasses.fields(a)):
        mine, other = getattr(a, name), getattr(b, name)
        if dataclasses.is_dataclass(mine):
            found += differing_keys(mine, other, f"{prefix}{name}.")
        elif mine != other:
            found.append(f"{prefix}{name}")
    return found


def from_dict(cls: type, values: dict[str, Any], source: str = "config", prefix: str = "") -> Any:
    """Builds the dataclass `cls` from plain values, strictly."""
    if not isinstance(values, dict):
        raise InputError(f"{source}: {prefix.rstrip('.') or 'config'} is {values!r}, expected a section")
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            near = _nearest(str(key), hints)
            raise InputError(f"{source}: unknown key {prefix}{key}; the nearest is {prefix}{near}")
    for f in dataclasses.fields(cls):
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and f.name not in values:
            raise InputError(f"{source}: {prefix}{f.name} is missing")
    values = {key: _convert(value, hints[key], f"{prefix}{key}", source) for key, value in values.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{source}: {prefix}{error}") from None


def _nearest(key: str, hints: dict[str, Any]) -> str:
    """The known key most like `key`: of the section itself, or of a section inside it."""
    known = {name: name for name in hints}
    for name, hint in hints.items():
        if dataclasses.is_dataclass(hint):
            known = {**{f.name: f"{name}.{f.name}" for f in dataclasses.fields(hint)}, **known}
    return known[difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]]


def to_dict(config: Any) -> dict[str, Any]:
    """Plain lists and dicts that YAML can write and `from_dict` reads back."""
    return to_plain(dataclasses.asdict(config))


def without_places(config: Any) -> dict[str, Any]:
    """`to_dict` without this machine's folders: what another one needs to repeat the run."""
    settings = to_dict(config)
    del settings["output_dir"], settings["data"]["cache_dir"]
    for section, key in ((settings["data"], "path"), (settings["data"], "images"), (settings, "init")):
        if section.get(key):
            section[key] = Path(section[key]).name
    return settings


def to_plain(value: Any) -> Any:
    """The same with lists in place of tuples, as YAML and JSON give them back."""
    if isinstance(value, dict):
        return {k: to_plain(v) for k, v in value.items()}
    return [to_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _convert(value: Any, hint: Any, key: str, source: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, source, f"{key}.")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in sorted(arguments, key=lambda a: a is float):
            try:
                return _convert(value, option, key, source)
            except InputError:
                continue
    elif origin is Literal:
        if value in arguments:
            return value
        if value is False and "no" in arguments:  # as YAML reads a bare no
            return "no"
    elif origin is tuple and isinstance(value, list | tuple):
        element = arguments[0] if arguments[-1] is Ellipsis else None
        if element is not None:
            return tuple(_convert(v, element, f"{key}[{i}]", source) for i, v in enumerate(value))
        if len(value) == len(arguments):
            return tuple(_convert(v, a, key, source) for v, a in zip(value, arguments, strict=True))
    elif origin is dict and isinstance(value, dict):
        return value
    elif hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        # YAML reads 1e-4 as text; there is no other way to mean it.
        try:
            return float(value)
        except (ValueError, OverflowError):  # a whole number may be too large
            pass
    elif hint is type(None) and value is None:
        return None
    elif isinstance(hint, type) and type(value) is hint:
        return value
    name = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    if origin is Literal:
        near = difflib.get_close_matches(str(value), map(str, arguments), n=1, cutoff=0.0)[0]
        name += f"; the nearest is {near}"
    raise InputError(f"{source}: {key} is {value!r}, expected {name}")
