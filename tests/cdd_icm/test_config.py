"""Configs: what is read, what is refused, and the one line that says why."""

import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import Literal

import pytest
import yaml
from pydantic import Field

from cdd_icm.cli import main
from cdd_icm.config import (
    AnnotatedPlanConfig,
    Config,
    FusionConfig,
    NoPlanConfig,
    RelationalPlanConfig,
    differing_keys,
    from_dict,
    load_config,
    section,
    to_dict,
)
from cdd_icm.config.describe import describe
from cdd_icm.config.plan import KINDS, any_of
from cdd_icm.errors import InputError
from cdd_icm.evaluation.train_detector import DetectorConfig
from retrieval.config import RetrievalConfig

CONFIGS = Path(__file__).parents[2] / "configs" / "generate"


@pytest.mark.parametrize(
    "path", sorted(CONFIGS.parent.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_presets_load_and_survive_yaml(path):
    cls = {"generate": Config, "detect": DetectorConfig, "retrieve": RetrievalConfig}[path.parent.name]
    if path.stem.endswith("_joint"):  # generators that retrieval is compared with
        cls = Config
    config = load_config(path, cls=cls)
    assert from_dict(cls, yaml.safe_load(yaml.safe_dump(to_dict(config)))) == config


def test_overrides():
    config = load_config(
        CONFIGS / "tiny.yaml",
        ["training.learning_rate=1e-4", "unet.widths=[64, 96]", "data.num_workers=3", "seed=7"],
    )
    assert config.training.learning_rate == 1e-4  # YAML itself reads this as text
    assert config.unet.widths == (64, 96)
    assert (config.data.num_workers, config.seed) == (3, 7)


FAULTS = {
    "no plain value": ("encoder.model={embed_dim: 2020-01-01}", "expected text, a number or a list"),
    "no plain value in a list": ("training.frozen=[2020-01-01]", "expected text, a number or a list"),
    "unknown key": (
        "training.batch_sze=3",
        "unknown key training.batch_sze; the nearest is training.batch_size",
    ),
    "key of a section": ("batch_size=3", "unknown key batch_size; the nearest is training.batch_size"),
    "unknown section": ("trainig.batch_size=3", "unknown key trainig; the nearest is training"),
    "text for a number": (
        "training.batch_size=many",
        "training.batch_size is 'many', expected a whole number",
    ),
    "fraction for a number": (
        "training.batch_size=1.5",
        "training.batch_size is 1.5, expected a whole number",
    ),
    "true for a number": ("training.batch_size=true", "training.batch_size is True, expected a whole number"),
    "number for a section": ("training=3", "training is 3, expected a section"),
    "nearest choice": (
        "training.mixed_precision=bf15",
        "expected auto, no, bf16 or fp16; the nearest is bf16",
    ),
    "seed": ("seed=-1", "seed is -1, expected at least 0"),
    "no words": (
        "encoder.model.text_cfg.context_length=1",
        "encoder.model.text_cfg.context_length is 1, expected at least 3",
    ),
    "number for a tower": ("encoder.model.text_cfg=3", "encoder.model: text_cfg is 3, expected a section"),
    "key of a tower": (
        "encoder.model.vision_cfg.image_sise=64",
        "encoder.model: unknown key vision_cfg.image_sise; the nearest is vision_cfg.image_size",
    ),
    "unknown tower": (
        "encoder.model.visoin_cfg={}",
        "encoder.model: unknown key visoin_cfg; the nearest is vision_cfg",
    ),
    "text for a tower's number": (
        "encoder.model.text_cfg.width=wide",
        "encoder.model: text_cfg.width is 'wide', expected a whole number",
    ),
    "no width": ("encoder.model={vision_cfg: {}, text_cfg: {}}", "encoder.model: embed_dim is missing"),
    "tokens that are left out": (
        "encoder.model.vision_cfg.patch_dropout=0.5",
        "encoder.model.vision_cfg.patch_dropout is 0.5, expected 0",
    ),
    "a token more": (
        "encoder.model.text_cfg.embed_cls=true",
        "encoder.model.text_cfg.embed_cls is True, expected false",
    ),
    "pictures that are not square": (
        "encoder.model.vision_cfg.image_size=[64, 32]",
        "encoder.model.vision_cfg.image_size is (64, 32), expected one number",
    ),
    "no pooled vector": (
        "encoder.model.vision_cfg.pool_type=none",
        "encoder.model.vision_cfg.pool_type is 'none', expected one that pools",
    ),
    "wrong choice": ("training.tracker=mlflow", "training.tracker is 'mlflow', expected"),
    "no such sampler": ("sampling.scheduler=DPMSolver", "sampling.scheduler is 'DPMSolver', expected"),
    "zero": ("training.batch_size=0", "training.batch_size is 0, expected at least 1"),
    "not a number": (
        "training.learning_rate=.nan",
        "(line 1: .nan is not a finite number)",
    ),
    "no rate": ("training.learning_rate=0", "training.learning_rate is 0, expected a number over 0"),
    "number for text": ("output_dir=3", "output_dir is 3, expected text"),
    "text for true": (
        "objective.cdd_trains_fusion=yep",
        "objective.cdd_trains_fusion is 'yep', expected true or false",
    ),
    "number for a list": ("unet.widths=64", "unet.widths is 64, expected a list"),
    "number for a model": ("encoder.model=3", "encoder.model is 3, expected text or a section"),
    "a date": ("output_dir=2024-12-31", "output_dir is datetime.date(2024, 12, 31), expected text"),
    "accumulation": (
        "training.gradient_accumulation=3",
        "training.gradient_accumulation is 3, expected a divisor of training.batch_size",
    ),
    "dropout over 1": (
        "objective.condition_dropout=1.5",
        "objective.condition_dropout is 1.5, expected at most 1",
    ),
    "text guidance": (
        "objective.condition_dropout=0",
        "sampling.guidance_scale is 2.0, expected 1 where objective.condition_dropout is 0",
    ),
    "two scales": (
        "{sampling: {image_guidance_scale: 1.5, guidance_scale: 1}, objective: {condition_dropout: 0}}",
        "sampling.image_guidance_scale is 1.5, expected 1 where objective.condition_dropout is 0",
    ),
    "ICM guidance without an alternative": (
        "{sampling: {icm_guidance_scale: 1, guidance_scale: 1}, objective: {condition_dropout: 0}}",
        "sampling.icm_guidance_scale is 1.0, expected 0 where objective.condition_dropout is 0",
    ),
    "share in per cent": ("plan.recaption=40", "plan.recaption is 40, expected at most 1"),
    "untrained matcher": (
        "{sampling: {num_candidates: 4}, objective: {icm_weight: 0}}",
        "sampling.num_candidates is 4, expected 1 where objective.icm_weight is 0",
    ),
    "key of a preset": (
        "sampling_presets={fast: {num_steps: 4}}",
        "sampling_presets.fast: unknown key num_steps; the nearest is num_inference_steps",
    ),
    "preset that is none": ("sampling_presets={fast: 4}", "sampling_presets.fast is 4, expected a section"),
    "preset for an untrained matcher": (
        "{sampling_presets: {best: {num_candidates: 4}}, objective: {icm_weight: 0}}",
        "sampling_presets.best: sampling.num_candidates is 4, expected 1 where objective.icm_weight is 0",
    ),
    "size": ("data.image_size=40", "data.image_size is 40, expected a multiple of 16"),
    "widths": ("unet.widths=[48, 128]", "unet.widths[0] is 48, expected a multiple of 32"),
    "narrow": ("unet.widths=[32, 128]", "unet.widths[0] is 32, expected at least 64"),
    "groups of channels": ("unet.widths=[64, 100]", "unet.widths[1] is 100, expected a multiple of 32"),
    "no widths": ("unet.widths=[]", "unet.widths is [], expected at least 1 entries"),
    "the matcher's groups": ("matcher.width=40", "matcher.width is 40, expected a multiple of 16"),
    "heads": ("fusion.heads=5", "fusion.heads is 5, expected a divisor of fusion.width"),
    "vocabulary without bytes": (
        "encoder.model.text_cfg.vocab_size=100",
        "encoder.model.text_cfg.vocab_size is 100, expected at least 259",
    ),
    "key of no plan": ("plan={kind: none, grid: 8}", "unknown key plan.grid; the nearest is plan.kind"),
    "unknown kind of plan": (
        "plan.kind=anotated",
        "plan.kind is 'anotated', expected none, annotated, relational, edits or pieces; the nearest is "
        "annotated",
    ),
    "plan without a kind": ("plan={grid: 8}", "plan.kind is missing"),
    "plan that is no section": ("plan=8", "plan is 8, expected a section"),
    "horizon in the middle": (
        "plan={kind: relational, horizon: 0.5}",
        "plan.horizon is 0.5, expected less than 0.5",
    ),
    "cells smaller than pixels": (
        "plan.grid=100000",
        "plan.grid is 100000, expected at most data.image_size",
    ),
    "cells that no kernels fit": (
        "plan={kind: relational, grid: 12}",
        "plan.grid is 12, expected twice a divisor of data.image_size",
    ),
    "cells between the patches": (
        "plan.grid=24",
        "plan.grid is 24, expected at most data.image_size / unet.patch",
    ),
    "cells between the pixels": (
        "{plan: {grid: 12, template_turns: 9}}",
        "plan.grid is 12, expected a divisor of data.image_size where plan.template_turns",
    ),
    "a stream that joins": (
        "{data: {path: a.tar}, objective: {augmentations: [join]}}",
        "objective.augmentations is ('join',), expected no join where the data is streamed",
    ),
    "no key": ("training.batch_size", "'training.batch_size': expected key=value"),
    "a seed too large": (f"seed={10**30}", f"seed is {10**30}, expected at most 9223372036854775807"),
    "a rate too large": (f"training.learning_rate={10**400}", "expected a number"),
    "a number too large for a fraction": (f"sampling.num_candidates={10**400}", "expected at most 256"),
    "a typing error's candidates": (
        "sampling.num_candidates=10000000000000",
        "sampling.num_candidates is 10000000000000, expected at most 256",
    ),
    "unknown architecture": (
        "encoder.model=ViT-B-31",
        "encoder.model is 'ViT-B-31', expected an architecture of open_clip; the nearest is ViT-B-32",
    ),
    "a date of month 31": ("output_dir=2024-31-12", "the value is not YAML (month must be in 1..12)"),
    "endless brackets": ("output_dir=" + "[" * 9999, "the value is not YAML (maximum recursion depth"),
    "a key that comes twice": ("data={path: a, path: b}", "not YAML (line 1: the key path comes twice)"),
    "value that is not YAML": ("seed=[", "'seed=[': the value is not YAML"),
}


@pytest.mark.parametrize(("override", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(override, says, tmp_path):
    file, overrides = CONFIGS / "tiny.yaml", [override]
    if override.startswith("{"):
        values = yaml.safe_load(file.read_text())
        for section, changed in yaml.safe_load(override).items():
            values[section] = values.get(section, {}) | changed if changed else {"kind": "none"}
        file, overrides = tmp_path / "config.yaml", []
        file.write_text(yaml.safe_dump(values))
    with pytest.raises(InputError) as error:
        load_config(file, overrides)
    message = str(error.value)
    assert says in message and "\n" not in message
    assert message.startswith((f"{file}: ", f"{override!r}: "))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        (b"a: [", r"not YAML \(line 1: "),
        (b"a: 1\nb:\n\t- 1\n", r"not YAML \(line 3: found character '\\t'"),
        (b"a:\n  b: 1\n  c: 2\n  b: 3\n", r"not YAML \(line 4: the key b comes twice\)"),
        (b"day: 2024-31-12", r"not YAML \(month must be in 1..12\)"),
        (b"\xff\xfe\x00a", "UTF-16 text, expected UTF-8"),
        (b"- 1", "expected a mapping"),
    ],
)
def test_files_that_are_no_configs(content, says, tmp_path):
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        load_config(file)
    assert str(error.value).startswith(str(file)) and "\n" not in str(error.value)


def test_a_key_that_is_merged_may_be_given_anew(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("data: {<<: &one {image_size: 64, num_workers: 1}, image_size: 96}")
    assert (load_config(file).data.image_size, load_config(file).data.num_workers) == (96, 1)


def test_differing_keys():
    one, other = (
        load_config(CONFIGS / "tiny.yaml", [f"seed={seed}", f"data.num_workers={seed}"]) for seed in (1, 2)
    )
    assert differing_keys(one, other) == ["seed", "data.num_workers"]
    assert differing_keys(one, one) == []


def test_a_new_kind_of_plan_is_an_entry_of_the_registry():
    @section
    class BoxPlan:
        kind: Literal["boxes"] = "boxes"
        boxes: int = 3

    @section
    class Planned:
        plan: any_of({**KINDS, "boxes": BoxPlan}) = Field(default_factory=BoxPlan)

    assert from_dict(Planned, {"plan": {"kind": "boxes", "boxes": 5}}).plan == BoxPlan(boxes=5)
    assert from_dict(Planned, {"plan": {"kind": "annotated"}}).plan == AnnotatedPlanConfig()
    with pytest.raises(InputError, match="unknown key plan.box; the nearest is plan.boxes"):
        from_dict(Planned, {"plan": {"kind": "boxes", "box": 5}})
    with pytest.raises(
        InputError,
        match="plan.kind is 'bxes', expected none, annotated, relational, edits, pieces or boxes; ",
    ):
        from_dict(Planned, {"plan": {"kind": "bxes"}})
    assert "plan.boxes = 3" in describe(Planned)


def test_a_constructor_refuses_in_one_line():
    with pytest.raises(InputError, match="^seed is -1, expected at least 0$"):
        Config(seed=-1)
    with pytest.raises(InputError, match="^fusion.heads is 5, expected a divisor of fusion.width$"):
        Config(fusion=FusionConfig(heads=5))


def test_the_description_names_every_key_with_its_meaning(capsys):
    def keys(values, prefix=""):
        for key, value in values.items():
            nested = isinstance(value, dict) and f"{prefix}{key}" not in ("encoder.model", "sampling_presets")
            yield from keys(value, f"{prefix}{key}.") if nested else [f"{prefix}{key}"]

    assert main(["config"]) == 0
    text = capsys.readouterr().out
    for path in CONFIGS.glob("*.yaml"):
        for key in keys(to_dict(load_config(path))):
            assert f"\n{key} = " in f"\n{text}"
    paragraphs = re.findall(r"^\S+ = .*\n    .*\n    \S", text, flags=re.MULTILINE)
    assert len(paragraphs) == len(re.findall(r"^\S+ = ", text, flags=re.MULTILINE)) > 50  # each has a meaning
    assert "encoder.pretrained = null\n    text or null; set by generate/paper\n" in text
    assert main(["config", str(CONFIGS / "tiny.yaml"), "plan.recaption=1"]) == 0
    text = capsys.readouterr().out
    assert "plan.recaption = 1.0  (default 0.0)" in text and "data.image_size = 64  (default 128)" in text
    assert main(["config", str(CONFIGS / "tiny.yaml"), "plan.gird=3"]) == 2
    assert "unknown key plan.gird; the nearest is plan.grid" in capsys.readouterr().err


@pytest.mark.parametrize("plan", [kind() for kind in KINDS.values()], ids=KINDS)
def test_a_generator_has_few_keys(plan):
    """Half of the 102 that there once were."""

    def count(section):
        return sum(count(value) if is_dataclass(value) else 1 for value in vars(section).values())

    assert count(Config(plan=plan)) <= 51


@pytest.mark.parametrize(
    ("overrides", "plan"),
    [
        (["plan.kind=none"], NoPlanConfig()),
        (["plan.recaption=0.5", "plan.kind=relational"], RelationalPlanConfig(recaption=0.5)),
        (["plan.kind=annotated", "plan.template_turns=9"], AnnotatedPlanConfig(grid=8, template_turns=9)),
    ],
)
def test_another_kind_of_plan_replaces_what_the_file_says_of_the_former(overrides, plan):
    assert load_config(CONFIGS / "tiny.yaml", overrides).plan == plan  # the file's has a grid of 8


def test_a_key_of_another_kind_than_the_one_given_is_refused():
    with pytest.raises(InputError, match="unknown key plan.grid; the nearest is plan.kind"):
        load_config(CONFIGS / "tiny.yaml", ["plan.kind=none", "plan.grid=8"])
