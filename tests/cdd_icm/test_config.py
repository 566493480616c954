"""Configs: what is read, what is refused, and the one line that says why."""

from pathlib import Path

import pytest
import yaml

from cdd_icm.config import Config, differing_keys, from_dict, load_config, to_dict
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
        ["training.learning_rate=1e-4", "sampling.guidance_interval=[0, 0.5]", "data.limit=3", "seed=7"],
    )
    assert config.training.learning_rate == 1e-4  # YAML itself reads this as text
    assert config.sampling.guidance_interval == (0.0, 0.5)
    assert (config.data.limit, config.seed) == (3, 7)


FAULTS = {
    "unknown key": (
        "training.batch_sze=3",
        "unknown key training.batch_sze; the nearest is training.batch_size",
    ),
    "key of a section": ("batch_size=3", "unknown key batch_size; the nearest is training.batch_size"),
    "unknown section": ("trainig.batch_size=3", "unknown key trainig; the nearest is training"),
    "text for a number": ("training.batch_size=many", "training.batch_size is 'many', expected int"),
    "fraction for a number": ("training.batch_size=1.5", "training.batch_size is 1.5, expected int"),
    "true for a number": ("training.batch_size=true", "training.batch_size is True, expected int"),
    "number for a section": ("training=3", "training is 3, expected a section"),
    "nearest choice": (
        "training.mixed_precision=bf15",
        "expected Literal['auto', 'no', 'bf16', 'fp16']; the nearest is bf16",
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
        "encoder.model: text_cfg.width is 'wide', expected int",
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
    "epsilon": ("diffusion.prediction_type=epsilon", "diffusion.prediction_type is 'epsilon', expected"),
    "zero": ("training.batch_size=0", "training.batch_size is 0, expected at least 1"),
    "not a number": (
        "training.learning_rate=.nan",
        "training.learning_rate is nan, expected a number over 0",
    ),
    "too few checkpoints": (
        "training.keep_checkpoints=0",
        "training.keep_checkpoints is 0, expected at least 1",
    ),
    "accumulation": (
        "training.gradient_accumulation=3",
        "training.gradient_accumulation is 3, expected a divisor of batch_size",
    ),
    "dropout over 1": ("objective.drop_text=0.95", "objective.drop_text is 0.95, expected at most 1 with"),
    "text guidance": (
        "objective.drop_text=0",
        "sampling.guidance_scale is 2.0, expected 1 where objective.drop",
    ),
    "two scales": (
        "{sampling: {image_guidance_scale: 1.5}, objective: {drop_both: 0}}",
        "sampling.image_guidance_scale is 1.5, expected 1 where objective.drop_both is 0",
    ),
    "two scales without the one branch": (
        "{sampling: {image_guidance_scale: 1.5, guidance_scale: 1}, objective: {drop_text: 0}}",
        "sampling.image_guidance_scale is 1.5, expected 1 where objective.drop_text is 0",
    ),
    "ICM guidance without an alternative": (
        "{sampling: {icm_guidance_scale: 1, guidance_scale: 1}, objective: {drop_text: 0}}",
        "sampling.icm_guidance_scale is 1.0, expected 0 where objective.drop_text is 0",
    ),
    "share in per cent": ("objective.retell=40", "objective.retell is 40.0, expected at most 1"),
    "rate that rises": (
        "training.learning_rate=1e-6",
        "training.min_learning_rate is 1e-05, expected at most learning_rate, 1e-06",
    ),
    "words in parts": (
        "{objective: {words_batch_size: 9}, training: {gradient_accumulation: 2}}",
        "objective.words_batch_size is 9, expected a multiple of training.gradient_accumulation",
    ),
    "stream of words in other batches": (
        "{data: {streaming: true}, objective: {words_batch_size: 8}}",
        "objective.words_batch_size is 8, expected",
    ),
    "untrained matcher": (
        "{sampling: {num_candidates: 4}, objective: {icm_weight: 0}}",
        "sampling.num_candidates is 4, expected 1 where objective.icm_weight is 0",
    ),
    "key of a preset": (
        "sampling_presets={fast: {num_steps: 4}}",
        "sampling_presets.fast: unknown key num_steps; the nearest is num_inference_steps",
    ),
    "preset that is none": ("sampling_presets={fast: 4}", "sampling_presets.fast: 4, expected sampling"),
    "preset for an untrained matcher": (
        "{sampling_presets: {best: {num_candidates: 4}}, objective: {icm_weight: 0}}",
        "sampling_presets.best: sampling.num_candidates is 4, expected 1 where objective.icm_weight is 0",
    ),
    "interval": (
        "sampling.guidance_interval=[0.9, 0.1]",
        "sampling.guidance_interval is (0.9, 0.1), expected 0 <= low <= high <= 1",
    ),
    "size": ("data.image_size=40", "data.image_size is 40, expected a multiple of 16"),
    "widths": ("unet.widths=[48, 128]", "unet.widths is (48, 128), expected multiples of 32 from 64 on"),
    "attention": ("unet.attention=[true]", "unet.attention is (True,), expected one entry for each of"),
    "composite": (
        "unet.reference=false",
        "unet.composite is True, expected false where unet.reference is false",
    ),
    "heads": ("fusion.heads=5", "fusion.heads is 5, expected a divisor of fusion.width"),
    "vocabulary past the embedding": (
        "encoder.vocab_size=600",
        "encoder.vocab_size is 600, expected none, or",
    ),
    "vocabulary without bytes": (
        "encoder.vocab_size=100",
        "encoder.vocab_size is 100, expected at least 259",
    ),
    "vocabulary of a known model": ("encoder.model=ViT-B-32", "encoder.vocab_size is 384, expected none, or"),
    "reading without asking": ("plan.read=2", "read is 2, expected 0 where ask and kernels are 0"),
    "kernels on no grid": ("{plan: {grid: 0, kernels: 4}}", "kernels is 4, expected 0 where grid is 0"),
    "horizon in the middle": (
        "{plan: {grid: 8, kernels: 4, horizon: 0.5}}",
        "plan.horizon is 0.5, expected less than 0.5",
    ),
    "cells smaller than pixels": ("plan.grid=100000", "plan.grid is 100000, expected at most data.image"),
    "cells that no kernels fit": (
        "{plan: {grid: 12, kernels: 4}}",
        "plan.kernels is 4, expected 0 unless plan.grid, 12, is twice a divisor of data.image_size",
    ),
    "places smaller than pixels": ("{plan: {grid: 16, fine: 8}}", "plan.fine is 8, expected a number that"),
    "places between the pixels": (
        "{plan: {grid: 8, fine: 3}}",
        "plan.fine is 3, expected a number that makes 8",
    ),
    "a part that is none": ("training.frozen=[words]", "training.frozen[0] is 'words'"),
    "templates of no colour": (
        "{plan: {channels: 3, template_turns: 9}}",
        "plan.template_turns is 9, expected 0 with fewer than 4 channels",
    ),
    "a stream that joins": (
        "{data: {streaming: true}, objective: {join: 0.5}}",
        "objective.join is 0.5, expected 0 where the data is streamed",
    ),
    "limit of a stream": ("{data: {streaming: true, limit: 3}}", "data.limit is 3, expected none"),
    "no key": ("training.batch_size", "'training.batch_size': expected key=value"),
    "a seed too large": (f"seed={10**30}", f"seed is {10**30}, expected at most 9223372036854775807"),
    "a rate too large": (f"training.learning_rate={10**400}", "expected float"),
    "a number too large for a fraction": (f"sampling.num_candidates={10**400}", "expected at most 256"),
    "reach in pixels": ("plan.reach=100", "plan.reach is 100.0, expected at most 1"),
    "a typing error's candidates": (
        "sampling.num_candidates=10000000000000",
        "sampling.num_candidates is 10000000000000, expected at most 256",
    ),
    "more heads than channels": (
        "unet.heads=129",
        "unet.heads is 129, expected at most 128, the smallest of unet.widths that attends",
    ),
    "nothing to train": (
        "{encoder: {trainable_blocks: 0}, training: {frozen: [fusion, planner, unet, matcher]}}",
        "training.frozen is ('fusion', 'planner', 'unet', 'matcher'), expected some part left to train",
    ),
    "nothing to train without a plan": (
        "{plan: {grid: 0}, training: {frozen: [towers, fusion, unet, matcher]}}",
        "expected some part left to train: fusion, matcher, towers, unet",
    ),
    "unknown architecture": (
        "encoder={model: ViT-B-31, vocab_size: null}",
        "encoder.model is 'ViT-B-31', expected an architecture of open_clip; the nearest is ViT-B-32",
    ),
    "a date of month 31": ("output_dir=2024-31-12", "the value is not YAML (month must be in 1..12)"),
    "endless brackets": ("output_dir=" + "[" * 9999, "the value is not YAML (maximum recursion depth"),
    "a key that comes twice": ("data={limit: 3, limit: 4}", "not YAML (line 1: the key limit comes twice)"),
    "value that is not YAML": ("seed=[", "'seed=[': the value is not YAML"),
}


@pytest.mark.parametrize(("override", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(override, says, tmp_path):
    file, overrides = CONFIGS / "tiny.yaml", [override]
    if override.startswith("{"):
        values = yaml.safe_load(file.read_text())
        for section, changed in yaml.safe_load(override).items():
            values.setdefault(section, {}).update(changed)
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
        (None, "cannot be read"),
        (b"a: [", r"not YAML \(line 1: "),
        (b"a: 1\nb:\n\t- 1\n", r"not YAML \(line 3: found character '\\t'"),
        (b"a:\n  b: 1\n  c: 2\n  b: 3\n", r"not YAML \(line 4: the key b comes twice\)"),
        (b"day: 2024-31-12", r"not YAML \(month must be in 1..12\)"),
        (b"\xff\xfe\x00a", "not YAML"),
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
    file.write_text("data: {<<: &one {limit: 2, num_workers: 1}, limit: 4}")
    assert (load_config(file).data.limit, load_config(file).data.num_workers) == (4, 1)


def test_differing_keys():
    one, other = (
        load_config(CONFIGS / "tiny.yaml", [f"seed={seed}", f"data.limit={seed}"]) for seed in (1, 2)
    )
    assert differing_keys(one, other) == ["seed", "data.limit"]
    assert differing_keys(one, one) == []
