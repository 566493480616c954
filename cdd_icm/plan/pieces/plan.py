"""`PiecePlan`: plans which pieces, one of each class at most, a turn draws, moves, changes or removes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from cdd_icm.config import Config, SamplingConfig, from_dict
from cdd_icm.data.augment import all_objects, no_objects_error
from cdd_icm.data.batch import RawBatch, Tokenize
from cdd_icm.data.dialog import Dialog
from cdd_icm.diffusion.region import Balance
from cdd_icm.errors import InputError
from cdd_icm.model.conditioning import Conditions
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.pieces.answers import Describer
from cdd_icm.plan.pieces.decoding import CHANGE, choose_changes, confidence
from cdd_icm.plan.pieces.detector import PieceDetector
from cdd_icm.plan.pieces.edits import Edited
from cdd_icm.plan.pieces.losses import piece_loss
from cdd_icm.plan.pieces.network import PieceLogits, PieceNetwork
from cdd_icm.plan.pieces.requests import RequestSource
from cdd_icm.plan.pieces.scene import Scene
from cdd_icm.plan.pieces.templates import CHANNELS, MIRROR, PieceTemplates
from cdd_icm.plan.pieces.truth import PieceTruth, PieceTruthEncoder, RequestEncoder
from cdd_icm.plan.pieces.worlds import clip_art_of, edit_of, objects_of_edits
from cdd_icm.plan.protocol import Plan, SampledPlans, Terms
from cdd_icm.plan.shared.known_words import known_words
from cdd_icm.plan.shared.object_tensors import middle_place
from cdd_icm.plan.shared.places import is_present
from cdd_icm.plan.shared.saved_classes import unknown_classes
from cdd_icm.plan.shared.template_initialisation import add_mean_pictures
from cdd_icm.plan.shared.tuning import Tuning
from cdd_icm.plan.shared.vocabulary import Vocabulary
from cdd_icm.plan.shared.words import learn_words

WIDTH = 160
"""Width of the network, which is not that of the towers: it has words of its own."""
TEXTS = 50_000
"""Number of written edits from which the vocabulary is learnt, beside the data's own texts."""
FOREIGN = ("unknown", "nonsense")
"""Intents of texts whose words the world need not have."""
REMEMBERED = 2
"""Number of earlier instructions in which it is looked up what "it" is."""


class PiecePlan(Plan, ModelMixin, ConfigMixin):
    """Plans what becomes of each class of object, at most one of which a picture has: from the words and from
    the objects that it detects in the reference. It reads the words itself, without the towers.

    Args:
        width, text_width: D of the fused tokens, E of the pooled text; not used. image_size: R.
        classes: the names of the C classes. traits: the values of each trait.
        forms: for each class, the traits that change its whole appearance, see `TemplateTable`.
        vocabulary: the tokenizer of the plan's own words, as JSON of the library `tokenizers`.
        words: the words that are known, of which `Answer` tells others.
        speaker: a tag of texts without one, see `compose_text`.
        heads: attention heads. grid: G, cells along a side.
        places_per_cell: ratio of the feature map's resolution to the grid's.
        template_radius, template_pixel: see `TemplateSplats`.
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
        forms: Mapping[str, Sequence[str]] | None = None,
        speaker: str = "",
        heads: int = 4,
        grid: int = 32,
        places_per_cell: int = 1,
        template_radius: int = 0,
        template_pixel: int = 1,
        tuning: Mapping[str, float] | None = None,
    ):
        super().__init__()
        traits = traits or {}
        self.tuning = from_dict(Tuning, dict(tuning or {}), "planner", "tuning.")
        self.trait_sizes = tuple(len(values) for values in traits.values())
        self.map_channels, self.map_size = 2 * CHANNELS, grid * places_per_cell
        self.tokenizer = Tokenizer.from_str(vocabulary)
        count = self.tokenizer.get_vocab_size()
        self.network = PieceNetwork(count, len(classes), self.trait_sizes, WIDTH, heads, grid)
        self.detector = PieceDetector(image_size, len(classes), self.trait_sizes, grid)
        self.templates = PieceTemplates(
            classes, traits, forms or {}, template_radius, self.map_size, template_pixel
        )

    @classmethod
    def settings(cls, config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any]:
        objects, plan, size = all_objects(dialogs), config.plan, config.data.image_size
        if not objects:
            raise no_objects_error(config, "plan.kind=none")
        if repeated := _repeated(dialogs):
            raise InputError(
                f"{config.data.path}: {repeated}; plan.kind=pieces plans one of each class: set another kind"
            )
        if plan.requests or plan.edits:
            edit_of(dialogs, config.data.path)
            objects = [*objects, *objects_of_edits()]
        vocabulary = Vocabulary.of(objects, plan.template_attributes, config.data.path)
        texts, known = cls.texts(config, dialogs)
        pixel = plan.template_pixel(size)
        return {
            "image_size": size,
            **vars(vocabulary),
            "vocabulary": learn_words(texts),
            "words": known_words(known),
            "speaker": config.encoder.speaker,
            "heads": config.fusion.heads,
            "grid": plan.grid,
            "places_per_cell": plan.places(size) // plan.grid,
            "template_radius": round(plan.template_reach * plan.places(size) / pixel),
            "template_pixel": pixel,
            "tuning": vars(Tuning()),
        }

    @classmethod
    def source(cls, config: Config, dialogs: Sequence[Dialog]) -> RequestSource:
        """The requests without pictures."""
        edit = edit_of(dialogs, config.data.path) if config.plan.requests else None
        return RequestSource.of(dialogs, Tuning().moved_distance, edit)

    @classmethod
    def texts(cls, config: Config, dialogs: Sequence[Dialog]) -> tuple[list[str], list[str]]:
        """The texts from which the vocabulary is learnt, and those of them whose words the world knows."""
        said = [turn.instruction for dialog in dialogs for turn in dialog.turns]
        if not config.plan.requests:
            return said, said
        source, rng = cls.source(config, dialogs), np.random.default_rng(config.seed)
        edits = [source.edited(source.said(rng), rng) for _ in range(TEXTS)]
        known = [edit.instruction for edit in edits if edit.intent not in FOREIGN]
        return said + [edit.instruction for edit in edits], said + known

    @classmethod
    def augmentation(cls, config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
        if not config.plan.edits:
            return None
        path = config.data.path
        return Edited(
            config.plan.edits, edit_of(dialogs, path), clip_art_of(dialogs, path), Tuning().moved_distance
        )

    def initialise(self, config: Config, dialogs: Sequence[Dialog], progress: bool) -> None:
        """The templates begin as mean pictures; those of objects in the mirror are the same, mirrored."""
        c = self.config
        add_mean_pictures(
            self.templates.splats,
            self.templates.table,
            c.classes,
            {name: values for name, values in (c.traits or {}).items() if name != MIRROR},
            self.tuning.moved_distance,
            dialogs,
            config.plan.template_turns,
            config.data.image_size,
            config.seed,
            progress,
            mirrored=True,
        )

    @property
    def balance(self) -> Balance:
        """Turns may change several objects."""
        return "pixels"

    def map_parameters(self) -> list[nn.Parameter]:
        return list(self.templates.parameters())

    def truth_encoder(
        self, config: Config, dialogs: Sequence[Dialog], tokenize: Tokenize
    ) -> PieceTruthEncoder:
        return PieceTruthEncoder(
            self._encoder(), self.map_size, config.plan.requests, self.source(config, dialogs)
        )

    def feature_map(self, truth: PieceTruth, items: slice) -> Float[Tensor, "b P h h"]:
        return self.templates(truth.drawn[items], truth.gone[items], truth.max_objects)

    def loss(
        self,
        truth: PieceTruth,
        conditions: Conditions,
        reference_noise: Float[Tensor, "B 3 R R"],
        heads: Mapping[str, nn.Module],
        encode_words: Callable[[Int[Tensor, "S Nw"]], Float[Tensor, "S Nw D"]],
        config: Config,
    ) -> Terms:
        """The terms of `piece_loss`, and `detection`."""
        spoken = truth.spoken
        logits = self.network(spoken.ids, spoken.mask, spoken.scene)
        terms = {
            name: (value, 1.0) for name, value in piece_loss(logits, spoken.scene, spoken.changes).items()
        }
        detection = self.detector.loss(truth.shifted + reference_noise, truth.shifted_scene)
        return terms | {"detection": (detection, config.plan.detection_weight)}

    def noise(self, generator: torch.Generator | None) -> Float[Tensor, "C N"]:
        """Standard Gumbel noise, see `choose_changes`."""
        choices = self.config.grid**2 + sum(self.trait_sizes)
        uniform = torch.empty(len(self.config.classes), choices, device=generator and generator.device)
        return -uniform.exponential_(generator=generator).log()

    def sample(
        self,
        condition: Fused,
        reference: Float[Tensor, "B 3 R R"],
        noise: Float[Tensor, "B C N"],
        settings: SamplingConfig,
        instructions: Sequence[str],
        histories: Sequence[Sequence[str]],
        context: Fused | None,
    ) -> SampledPlans:
        scene = self.detector.detect(reference, self.tuning.expected_objects)
        scene = replace(scene, touched=self._touched(histories, scene))
        logits = self._read(instructions, scene)
        changes = choose_changes(
            logits, scene, noise, settings.plan_temperature, self.tuning, settings.plan_place
        )
        sure = confidence(logits, scene, changes).tolist()
        describer = self._describer()
        answers = [describer.answer(text, scene, changes, sure[i], i) for i, text in enumerate(instructions)]
        gone = scene.cells.where(changes.gone(scene), -1)
        feature_map = self.templates(self._placed(changes.drawn), self._placed(replace(scene, cells=gone)))
        return SampledPlans(feature_map, changes.no_op, answers=answers)

    def _encoder(self) -> RequestEncoder:
        c = self.config
        return RequestEncoder(
            tuple(c.classes),
            dict(c.traits or {}),
            c.grid,
            self.tuning.moved_distance,
            c.speaker,
            self.tokenizer,
        )

    def _describer(self) -> Describer:
        c = self.config
        return Describer(c.classes, dict(c.traits or {}), c.grid, frozenset(c.words))

    def _read(self, texts: Sequence[str], scene: Scene) -> PieceLogits:
        ids, mask = (part.to(scene.cells.device) for part in self._encoder().words(texts))
        return self.network(ids, mask, scene)

    def _placed(self, scene: Scene) -> Scene:
        """The objects in the middle of their cells in the feature map."""
        c = self.config
        return replace(scene, cells=middle_place(scene.cells, c.grid, c.places_per_cell))

    def _touched(self, histories: Sequence[Sequence[str]], scene: Scene) -> Tensor:
        """The classes that the last earlier instruction of each dialog that drew something drew, by its words
        alone, (B, C). An instruction that adds is read beside the empty canvas, one that edits beside the
        present picture."""
        touched = torch.zeros_like(scene.touched)
        for ago in range(1, REMEMBERED + 1):
            known = [
                i for i, history in enumerate(histories) if len(history) >= ago and not bool(touched[i].any())
            ]
            if not known:
                break
            texts = [histories[i][-ago] for i in known]
            present = scene[torch.tensor(known, device=scene.cells.device)]
            for beside in (present.emptied(), present):
                logits = self._read(texts, beside)
                asks = (logits.intents.argmax(dim=-1) == CHANGE)[:, None]
                drawn = is_present(logits.drawn, self.tuning.presence_threshold) & asks
                touched[known] |= drawn & present.exists
        return touched

    @classmethod
    def check_data(cls, saved: Mapping[str, Any], dialogs: Sequence[Dialog]) -> str | None:
        return unknown_classes(saved, dialogs)


def _repeated(dialogs: Sequence[Dialog]) -> str | None:
    """The first picture that has two objects of one class, in words."""
    for dialog in dialogs:
        for number, turn in enumerate(dialog.turns):
            names = [obj.name for obj in turn.objects or ()]
            for name in names:
                if names.count(name) > 1:
                    return f"dialog {dialog.id}, turn {number + 1}: two objects {name!r}"
    return None
