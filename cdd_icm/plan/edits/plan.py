"""`EditPlan`: plans which objects a turn adds, removes, moves or changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from cdd_icm.config import Config, SamplingConfig, from_dict
from cdd_icm.data.augment import all_objects, no_objects_error
from cdd_icm.data.batch import RawBatch, Tokenize
from cdd_icm.data.dialog import Dialog
from cdd_icm.model.conditioning import Conditions
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.edits.answers import Describer
from cdd_icm.plan.edits.decoding import Edits, choose_edits, existing_objects, look_of
from cdd_icm.plan.edits.losses import edit_loss
from cdd_icm.plan.edits.memory import REMEMBERED, Remembered, scene_of
from cdd_icm.plan.edits.network import EditNetwork
from cdd_icm.plan.edits.parts import in_parts
from cdd_icm.plan.edits.requests import (
    CHANGE,
    KEEP,
    MAX_ADDED,
    MAX_OBJECTS,
    Asked,
    RequestEncoder,
    Scene,
    of_items,
)
from cdd_icm.plan.edits.truth import EditTruth, EditTruthEncoder, Reversed
from cdd_icm.plan.edits.worlds import world_of
from cdd_icm.plan.protocol import Plan, SampledPlans, Terms
from cdd_icm.plan.shared.detector import ObjectDetector, cell_loss
from cdd_icm.plan.shared.known_words import known_words
from cdd_icm.plan.shared.splats import TemplateSplats
from cdd_icm.plan.shared.tuning import Tuning
from cdd_icm.plan.shared.vocabulary import Vocabulary
from cdd_icm.plan.shared.words import encode_texts, learn_words

CHANNELS = 32
"""P, the width of the embedding that marks a cell of the feature map."""
TEXTS = 50_000
"""Number of synthetic texts from which the vocabulary is learnt, beside the data's own."""


class EditPlan(Plan, ModelMixin, ConfigMixin):
    """Plans what becomes of each object of the reference, which it detects, and which objects are added.

    Args:
        width, text_width: D of the fused tokens, E of the pooled text. image_size: R.
        classes: the names of the C classes. traits: the values of each trait.
        vocabulary: the tokenizer of the plan's own words, as JSON of the library `tokenizers`.
        words: the words that are known, of which `Answer` tells others.
        heads: attention heads. grid: G, cells along a side. horizon: see `camera.to_ground`.
        tuning: see `Tuning`; missing entries have their default values.
    """

    @register_to_config
    def __init__(
        self,
        width: int,
        text_width: int,
        image_size: int,
        classes: Sequence[str],
        vocabulary: str,
        words: Sequence[str] = (),
        traits: Mapping[str, Sequence[str]] | None = None,
        heads: int = 4,
        grid: int = 32,
        horizon: float | None = None,
        tuning: Mapping[str, float] | None = None,
    ):
        super().__init__()
        self.tuning = from_dict(Tuning, dict(tuning or {}), "planner", "tuning.")
        self.trait_sizes = tuple(len(values) for values in (traits or {}).values())
        self.looks = len(classes) * math.prod(self.trait_sizes)
        self.map_channels, self.map_size = CHANNELS, grid
        self.tokenizer = Tokenizer.from_str(vocabulary)
        count = self.tokenizer.get_vocab_size()
        self.network = EditNetwork(count, len(classes), self.trait_sizes, width, heads, grid, horizon)
        self.detector = ObjectDetector(image_size, self.looks, grid)
        # one template for each look, which marks where to draw it, and one that marks what has to go
        self.splats = TemplateSplats(self.looks + 1, CHANNELS, radius=0, size=grid)

    @classmethod
    def settings(cls, config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any]:
        objects = all_objects(dialogs)
        if not objects:
            raise no_objects_error(config, "plan.kind=none")
        if config.plan.synthetic_turns:
            objects = [*objects, *world_of(config, dialogs).objects()]
        vocabulary = Vocabulary.of(objects, (), config.data.path)
        texts = cls.texts(config, dialogs)
        return {
            "image_size": config.data.image_size,
            "classes": vocabulary.classes,
            "vocabulary": learn_words(texts),
            "words": known_words(texts),
            "traits": vocabulary.traits,
            "heads": config.fusion.heads,
            "grid": config.plan.grid,
            "horizon": config.plan.horizon,
            "tuning": vars(Tuning()),
        }

    @classmethod
    def augmentation(cls, config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
        share = config.plan.reversed
        return Reversed(share, world_of(config, dialogs)) if share else None

    @classmethod
    def texts(cls, config: Config, dialogs: Sequence[Dialog]) -> list[str]:
        """The texts from which the vocabulary is learnt."""
        texts = [turn.instruction for dialog in dialogs for turn in dialog.turns]
        if config.plan.synthetic_turns:
            world, rng = world_of(config, dialogs), np.random.default_rng(config.seed)
            texts += [world.request(rng).text for _ in range(TEXTS)]
        return texts

    def reworded(self, truth: EditTruth) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]:
        return truth.ids, truth.mask

    def map_parameters(self) -> list[nn.Parameter]:
        return list(self.splats.parameters())

    def truth_encoder(
        self, config: Config, dialogs: Sequence[Dialog], tokenize: Tokenize
    ) -> EditTruthEncoder:
        c, synthetic = self.config, config.plan.synthetic_turns
        encode = RequestEncoder(
            tuple(c.classes), dict(c.traits or {}), c.grid, self.tuning.moved_distance, self.tokenizer
        )
        return EditTruthEncoder(
            encode, tokenize, self.looks, synthetic, world_of(config, dialogs) if synthetic else None
        )

    def feature_map(self, truth: EditTruth, items: slice) -> Float[Tensor, "b P G G"]:
        scene, asked = of_items(truth.scene, items), of_items(truth.asked, items)
        return self._map(scene, asked_edits(scene, asked))

    def loss(
        self,
        truth: EditTruth,
        conditions: Conditions,
        reference_noise: Float[Tensor, "B 3 R R"],
        heads: Mapping[str, nn.Module],
        encode_words: Callable[[Int[Tensor, "S Nw"]], Float[Tensor, "S Nw D"]],
        config: Config,
    ) -> Terms:
        """The terms of `edit_loss`, and `detection`."""
        terms: dict[str, Tensor] = {}
        for part in truth.parts:
            for name, value in edit_loss(self.network, part.requests, part.placed).items():
                terms[name] = terms.get(name, 0.0) + value / len(truth.parts)
        detected = self.detector(truth.shifted + reference_noise)  # (B, L, G, G)
        valid = torch.ones(len(detected), dtype=torch.bool, device=detected.device)
        terms["detection"] = cell_loss(detected, truth.shifted_looks, valid)
        weights = {"detection": config.plan.detection_weight}
        return {name: (value, weights.get(name, 1.0)) for name, value in terms.items()}

    def noise(self, generator: torch.Generator | None) -> Float[Tensor, "m N"]:
        """Standard Gumbel noise, see `choose_edits`."""
        choices = self.config.grid**2 + len(self.config.classes) + sum(self.trait_sizes)
        uniform = torch.empty(MAX_OBJECTS + MAX_ADDED, choices, device=generator and generator.device)
        return -uniform.exponential_(generator=generator).log()

    def sample(
        self,
        condition: Fused,
        reference: Float[Tensor, "B 3 R R"],
        noise: Float[Tensor, "B m N"],
        settings: SamplingConfig,
        instructions: Sequence[str],
        histories: Sequence[Sequence[str]],
        context: Fused | None,
    ) -> SampledPlans:
        detected = existing_objects(self.detector(reference), self.trait_sizes, self.tuning.expected_objects)
        memories = self._remember(histories, settings, reference.device)
        memories = [
            memory.seen_in(found, self.config.grid) for memory, found in zip(memories, detected, strict=True)
        ]
        scene = scene_of(memories, len(self.trait_sizes), reference.device)
        edits = self._edits(instructions, scene, noise, settings)
        describer = self._describer()
        answers = [describer.answer(text, scene, edits, i) for i, text in enumerate(instructions)]
        first, *later = (
            SampledPlans(
                self._map(scene, part),
                part.no_op,
                [describer.reworded(scene, part, i) for i in range(len(instructions))],
            )
            for part in in_parts(edits, self.config.grid)
        )
        return replace(first, answers=answers, later=later)

    def _describer(self) -> Describer:
        c = self.config
        return Describer(c.classes, dict(c.traits or {}), c.grid, c.horizon, frozenset(c.words))

    def _edits(self, texts: Sequence[str], scene: Scene, noise: Tensor, settings: SamplingConfig) -> Edits:
        ids, mask = (part.to(noise.device) for part in encode_texts(self.tokenizer, texts))
        logits = self.network(ids, mask, scene)
        return choose_edits(
            self.network, logits, scene, noise, settings.plan_temperature, self.tuning, settings.plan_place
        )

    def _remember(
        self, histories: Sequence[Sequence[str]], settings: SamplingConfig, device: torch.device
    ) -> list[Remembered]:
        """What the last `REMEMBERED` instructions of each dialog did, by their words alone."""
        memories = [Remembered() for _ in histories]
        likeliest = replace(settings, plan_temperature=0.0)
        turns = min(REMEMBERED, max((len(history) for history in histories), default=0))
        for ago in range(turns, 0, -1):
            known = [i for i, history in enumerate(histories) if len(history) >= ago]
            scene = scene_of([memories[i] for i in known], len(self.trait_sizes), device)
            silent = torch.zeros(len(known), *self.noise(None).shape, device=device)
            edits = self._edits([histories[i][-ago] for i in known], scene, silent, likeliest)
            for number, i in enumerate(known):
                memories[i] = memories[i].after(edits, number)
        return memories

    def _map(self, scene: Scene, edits: Edits) -> Float[Tensor, "B P G G"]:
        """The feature map: marks of what has to go, and of what is drawn."""
        goes = edits.actions != KEEP
        cleared = torch.stack([scene.cells.where(goes, -1), torch.full_like(scene.cells, self.looks)], dim=-1)
        looks = look_of(edits.classes, edits.traits, self.trait_sizes)
        drawn = torch.stack([edits.cells.where(looks >= 0, -1), looks], dim=-1)
        marks = torch.cat([cleared, drawn], dim=1)  # (B, n + m, 2)
        return self.splats(marks, marks[..., 0].numel())  # all, as counting them would synchronise with a GPU

    @classmethod
    def check_data(cls, saved: Mapping[str, Any], dialogs: Sequence[Dialog]) -> str | None:
        known = saved.get("classes")
        names = {obj.name for obj in all_objects(dialogs)}
        if isinstance(known, list) and (foreign := names - set(known)):
            return f"the model does not know {min(foreign)!r}"
        return None


def asked_edits(scene: Scene, asked: Asked) -> Edits:
    """The edits that are asked for. What is not said to change stays as it is in the scene."""
    changed = torch.cat([asked.actions == CHANGE, asked.added], dim=1)

    def after(values: Tensor, old: Tensor) -> Tensor:
        new = old.new_full((len(old), MAX_ADDED, *old.shape[2:]), -1)
        return torch.where(values >= 0, values, torch.cat([old, new], dim=1))

    return Edits(
        actions=asked.actions.clamp(min=KEEP),
        added=asked.added,
        classes=after(asked.classes, scene.classes).where(changed, -1),
        traits=after(asked.traits, scene.traits),
        cells=after(asked.cells, scene.cells).where(changed, -1),
        intents=asked.intents,
        confidence=torch.ones_like(asked.intents, dtype=torch.float),
    )
