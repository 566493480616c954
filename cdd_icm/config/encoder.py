"""The towers' settings, and which model configs of open_clip the system can use."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
from typing import Any

from cdd_icm.config.base import Count, section
from cdd_icm.config.values import from_dict
from cdd_icm.errors import InputError

SPEAKER = re.compile(r"<\w+>")
"""A tag that says who speaks: CoDraw's texts have <teller> and <drawer>."""
END_ID = 2
"""The end of a text in a learnt vocabulary, in which 0 is padding and 1 the start."""
SMALLEST_VOCABULARY = 256 + 3
"""Every byte, padding, start and end."""
SHORTEST_TEXT = 3
"""Start, a word and end."""


def check_speaker(speaker: Any) -> None:
    """Raises InputError where `speaker` is neither empty nor a word in angle brackets."""
    if speaker != "" and not (isinstance(speaker, str) and SPEAKER.fullmatch(speaker)):
        raise InputError(f"speaker is {speaker!r}, expected none, or a word in angle brackets")


@section
class EncoderConfig:
    model: str | dict[str, Any] = "ViT-B-32"
    """An open_clip architecture name, or a model config of its (`embed_dim`, `vision_cfg`, `text_cfg`). Where
    its `text_cfg` pools at the end token of a learnt vocabulary (`pool_type: eos`, `eos_id: 2`), a byte-pair
    vocabulary of its `vocab_size` is learnt from the training text; any other takes CLIP's own."""
    pretrained: str | None = None
    """open_clip's `pretrained` tag or a local checkpoint file; null trains from scratch."""
    trainable_blocks: Count | None = None
    """How many of the last blocks of each tower are trained; 0 freezes both, null trains all."""
    history: Count = 1
    """How many earlier instructions are read before the newest."""
    speaker: str = ""
    """The tag that the data's texts begin with, such as CoDraw's <teller>; put before texts without one."""

    def __post_init__(self):
        check_speaker(self.speaker)
        if isinstance(self.model, dict):
            _check_model(self.model)
            vocabulary = self.learnt_vocabulary
            if vocabulary is not None and vocabulary < SMALLEST_VOCABULARY:
                raise InputError(
                    f"model.text_cfg.vocab_size is {vocabulary!r}, expected at least {SMALLEST_VOCABULARY}"
                )
        else:
            _check_name(self.model)

    @property
    def learnt_vocabulary(self) -> int | None:
        """Size of the byte-pair vocabulary that is learnt from the training text; None takes CLIP's own."""
        text = self.model["text_cfg"] if isinstance(self.model, dict) else {}
        # By default CLIP pools where the largest id is, which is no end in a learnt vocabulary.
        learnt = text.get("pool_type") == "eos" and text.get("eos_id") == END_ID
        return text.get("vocab_size", 0) if learnt else None


def _check_name(model: str) -> None:
    """Raises InputError where open_clip has no architecture of that name; it fetches those with a colon."""
    from open_clip import list_models  # here, as it takes seconds that few commands need

    if ":" not in model and model not in (known := list_models()):
        near = difflib.get_close_matches(model, known, n=1, cutoff=0.0)[0]
        raise InputError(f"model is {model!r}, expected an architecture of open_clip; the nearest is {near}")


def _check_model(model: dict[str, Any]) -> None:
    """Raises InputError where open_clip has no such key or takes no such value, or the towers can't."""
    from open_clip import CLIP  # here, as it takes seconds that few configs need

    keys = [
        (name, of.annotation) + (() if of.default is of.empty else (of.default,))
        for name, of in inspect.signature(CLIP).parameters.items()
    ]
    keys.append(("custom_text", bool, False))  # a key of its model configs, which chooses the class
    settings = {"__pydantic_config__": {"arbitrary_types_allowed": True}}  # torch's dtype is one
    known = from_dict(dataclasses.make_dataclass("Model", keys, namespace=settings), model, "model")
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
            part, name = key.split(".")
            raise InputError(f"model.{key} is {getattr(getattr(known, part), name)!r}, expected {wanted}")
