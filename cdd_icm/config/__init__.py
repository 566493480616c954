"""The settings of a run: frozen dataclasses, from YAML and `key=value` overrides, checked before any work."""

from cdd_icm.config.base import LARGEST_SEED, section
from cdd_icm.config.encoder import END_ID, SPEAKER, EncoderConfig, check_speaker
from cdd_icm.config.loader import load_config, parse_override, parse_yaml
from cdd_icm.config.plan import AnnotatedPlanConfig, NoPlanConfig, RelationalPlanConfig
from cdd_icm.config.rules import Rule, check, check_trained
from cdd_icm.config.schema import (
    Config,
    DataConfig,
    DiffusionConfig,
    FusionConfig,
    MatcherConfig,
    ObjectiveConfig,
    Precision,
    RunConfig,
    Sampler,
    SamplingConfig,
    TrainingConfig,
    UNetConfig,
    check_data_path,
    with_preset,
)
from cdd_icm.config.values import differing_keys, from_dict, to_dict, to_plain, without_places

__all__ = [
    "END_ID",
    "LARGEST_SEED",
    "SPEAKER",
    "AnnotatedPlanConfig",
    "Config",
    "DataConfig",
    "DiffusionConfig",
    "EncoderConfig",
    "FusionConfig",
    "MatcherConfig",
    "NoPlanConfig",
    "ObjectiveConfig",
    "Precision",
    "RelationalPlanConfig",
    "Rule",
    "RunConfig",
    "Sampler",
    "SamplingConfig",
    "TrainingConfig",
    "UNetConfig",
    "check",
    "check_data_path",
    "check_speaker",
    "check_trained",
    "differing_keys",
    "from_dict",
    "load_config",
    "parse_override",
    "parse_yaml",
    "section",
    "to_dict",
    "to_plain",
    "with_preset",
    "without_places",
]
