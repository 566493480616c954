"""`AnnotatedPlan`: plans objects on a grid of cells; trained on data with annotated objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cdd_icm.config import AnnotatedPlanConfig, Config, RelationalPlanConfig, SamplingConfig, from_dict
from cdd_icm.data.augment import all_objects, check_flips, no_objects_error
from cdd_icm.data.batch import Instructions, RawBatch, Tokenize
from cdd_icm.data.dialog import Dialog, class_names
from cdd_icm.diffusion.region import Balance
from cdd_icm.errors import InputError
from cdd_icm.model.conditioning import Conditions
from cdd_icm.model.fusion import Fused
from cdd_icm.plan.annotated.cells import Cells
from cdd_icm.plan.annotated.decoding import sample_plan
from cdd_icm.plan.annotated.grammars.registry import grammar_for
from cdd_icm.plan.annotated.losses import plan_loss
from cdd_icm.plan.annotated.network import PlanNetwork
from cdd_icm.plan.annotated.relations import Relations, each_class, relation_loss
from cdd_icm.plan.annotated.truth import AnnotatedTruth, AnnotatedTruthEncoder, Recaption, SyntheticTurns
from cdd_icm.plan.protocol import Plan, SampledPlans, Terms
from cdd_icm.plan.shared.detector import cell_loss
from cdd_icm.plan.shared.object_tensors import middle_place
from cdd_icm.plan.shared.saved_classes import unknown_classes
from cdd_icm.plan.shared.splats import TemplateSplats
from cdd_icm.plan.shared.template_ids import TemplateTable
from cdd_icm.plan.shared.template_initialisation import add_mean_pictures
from cdd_icm.plan.shared.tuning import Tuning
from cdd_icm.plan.shared.vocabulary import Vocabulary

QUERY_LAYERS = 2
"""Number of `ClassQueryLayer`s for data whose turns draw several objects."""
WORD_CONTEXT_LAYERS = 2
"""Number of `WordContext` layers before class queries or placement attend to the words."""

KERNELS = 32
"""Half-planes whose weighted product says where a new object goes beside each existing one."""

AnyConfig = AnnotatedPlanConfig | RelationalPlanConfig


def is_relational(plan: AnyConfig) -> bool:
    """Whether new objects are placed by their sides of existing ones."""
    return plan.kind == "relational"


def horizon_of(plan: AnyConfig) -> float | None:
    """The height at which the ground would end, None for flat pictures."""
    return plan.horizon if is_relational(plan) else None


def synthetic_scenes(plan: AnyConfig) -> int:
    """Dialogs without pictures beside each sample."""
    return plan.synthetic_scenes if is_relational(plan) else 0


def draws_several(dialogs: Sequence[Dialog]) -> bool:
    """Whether some turn adds more than one object."""
    counts = [[0, *(len(turn.objects or ()) for turn in dialog.turns)] for dialog in dialogs]
    return any(after - before > 1 for each in counts for before, after in pairwise(each))


class AnnotatedPlan(Plan, ModelMixin, ConfigMixin):
    """Plans which classes of object the turn draws or moves, and in which cell of a grid.

    A plan is (B, C) integers: the cell of each class, counted row by row from the top left, or -1 if the turn
    does not draw it. A class is drawn at most once per turn, as in CoDraw and i-CLEVR. If traits are
    annotated, the plan also has (B, C, K) integers: the value of each of the K traits, or -1.

    Args:
        width, text_width: D of the fused tokens, E of the pooled text. image_size: R.
        classes: the names of the C classes. traits: the values of each trait.
        forms: for each class, the traits that change its whole appearance, see `TemplateTable`.
        heads: attention heads. grid: G, cells along a side. cell_width: d, the width of a cell's features.
        query_layers: number of `ClassQueryLayer`s, for texts that draw several objects, such as "the sun at
            the top left, a small tree on the right"; 0 for texts that draw one.
        context_layers: number of `WordContext` layers.
        kernels, horizon: see `Placement`, which places the one new object; with 0 kernels its cell is
            predicted from the fused tokens.
        places_per_cell: ratio of the feature map's resolution to the grid's.
        splat_channels, splat_radius, splat_pixel: see `TemplateSplats`.
        tuning: see `Tuning`; missing entries have their default values.
    """

    @register_to_config
    def __init__(
        self,
        width: int,
        text_width: int,
        image_size: int,
        classes: Sequence[str],
        traits: Mapping[str, Sequence[str]] | None = None,
        forms: Mapping[str, Sequence[str]] | None = None,
        heads: int = 4,
        grid: int = 16,
        cell_width: int = 64,
        query_layers: int = 0,
        context_layers: int = 0,
        kernels: int = 0,
        horizon: float | None = None,
        places_per_cell: int = 1,
        splat_channels: int = 32,
        splat_radius: int = 0,
        splat_pixel: int = 1,
        tuning: Mapping[str, float] | None = None,
    ):
        super().__init__()
        traits = traits or {}
        self.tuning = from_dict(Tuning, dict(tuning or {}), "planner", "tuning.")
        self.table = TemplateTable(classes, traits, forms or {})
        self.map_channels, self.map_size = splat_channels, grid * places_per_cell
        self.network = PlanNetwork(
            classes=len(classes),
            trait_sizes=[len(values) for values in traits.values()],
            width=width,
            text_width=text_width,
            heads=heads,
            grid=grid,
            cell_width=cell_width,
            query_layers=query_layers,
            context_layers=context_layers,
            kernels=kernels,
            horizon=horizon,
            image_size=image_size,
            tuning=self.tuning,
        )
        self.splats = TemplateSplats(
            self.table.count, splat_channels, splat_radius, self.map_size, splat_pixel
        )

    @classmethod
    def settings(cls, config: Config, dialogs: Sequence[Dialog]) -> dict[str, Any]:
        objects = all_objects(dialogs)
        if not objects:
            raise no_objects_error(config, "plan.kind=none")
        vocabulary = Vocabulary.of(objects, config.plan.template_attributes, config.data.path)
        return cls.settings_for(config, vocabulary, draws_several(dialogs))

    @staticmethod
    def settings_for(config: Config, vocabulary: Vocabulary, several: bool) -> dict[str, Any]:
        """`settings` for a known vocabulary; `several`: see `draws_several`."""
        plan, size = config.plan, config.data.image_size
        places, pixel = plan.places(size), plan.template_pixel(size)
        query_layers = QUERY_LAYERS if several and not is_relational(plan) else 0
        return {
            "image_size": size,
            **vars(vocabulary),
            "heads": config.fusion.heads,
            "grid": plan.grid,
            "query_layers": query_layers,
            "context_layers": WORD_CONTEXT_LAYERS if query_layers or is_relational(plan) else 0,
            "kernels": KERNELS if is_relational(plan) else 0,
            "horizon": horizon_of(plan),
            "places_per_cell": places // plan.grid,
            "splat_channels": plan.template_channels,
            "splat_radius": round(plan.template_reach * places / pixel),
            "splat_pixel": pixel,
            "tuning": vars(Tuning()),
        }

    @classmethod
    def augmentation(cls, config: Config, dialogs: Sequence[Dialog]) -> Callable[[RawBatch], RawBatch] | None:
        share = config.plan.recaption
        if not share:
            return None
        objects = all_objects(dialogs)
        if not objects:
            raise no_objects_error(config, "plan.recaption=0")
        check_flips(config, objects)
        grammar = grammar_for(class_names(dialogs), horizon_of(config.plan), config.data.path)
        return Recaption(share, grammar, Tuning().moved_distance)

    def initialise(self, config: Config, dialogs: Sequence[Dialog], progress: bool) -> None:
        add_mean_pictures(
            self.splats,
            self.table,
            self.config.classes,
            self.config.traits or {},
            self.tuning.moved_distance,
            dialogs,
            config.plan.template_turns,
            config.data.image_size,
            config.seed,
            progress,
        )

    def training_heads(self, config: Config, image_width: int) -> nn.ModuleDict:
        """`relations` trains the fused tokens and `existing` the image tower. With kernels there are none:
        the placement and the detector are trained instead."""
        c = self.config
        if c.kernels:
            return nn.ModuleDict()
        heads = nn.ModuleDict(
            {
                "relations": Relations(len(c.classes), c.width, c.grid),
                "existing": Cells(image_width, len(c.classes), c.grid),
            }
        )
        nn.init.constant_(heads["existing"].mix[-1].bias, -6.0)  # initially no object is detected
        return heads

    @property
    def balance(self) -> Balance:
        """Turns that draw several objects may also move what exists."""
        return "pixels" if self.config.query_layers else "regions"

    def map_parameters(self) -> list[nn.Parameter]:
        return list(self.splats.parameters())

    def truth_encoder(
        self, config: Config, dialogs: Sequence[Dialog], tokenize: Tokenize
    ) -> AnnotatedTruthEncoder:
        c, scenes, grammar, synthetic = self.config, [], None, synthetic_scenes(config.plan)
        if synthetic:
            last = [dialog.turns[-1].objects or () for dialog in dialogs]
            scenes = [objects for objects in last if len(objects) > 1]
            if not scenes:
                raise InputError(
                    f"{config.data.path}: no picture with two objects; set plan.synthetic_scenes=0"
                )
            grammar = grammar_for(class_names(dialogs), c.horizon, config.data.path)
        return AnnotatedTruthEncoder(
            tuple(c.classes),
            dict(c.traits or {}),
            c.grid,
            c.places_per_cell,
            self.tuning.moved_distance,
            tokenize,
            relational=c.kernels > 0,
            detects=c.kernels > 0,
            synthetic_dialogs=synthetic,
            scenes=scenes,
            grammar=grammar,
        )

    def feature_map(self, truth: AnnotatedTruth, items: slice) -> Float[Tensor, "b P G G"]:
        ids = self.table.ids(truth.places, truth.traits)  # (B, C, M)
        return self.splats(ids[items], truth.drawn_objects)

    def loss(
        self,
        truth: AnnotatedTruth,
        conditions: Conditions,
        reference_noise: Float[Tensor, "B 3 R R"],
        heads: Mapping[str, nn.Module],
        encode_words: Callable[[Int[Tensor, "S Nw"]], Float[Tensor, "S Nw D"]],
        config: Config,
    ) -> Terms:
        """The terms `plan`, `relation`, `detection` and `synthetic`."""
        plan, fused, valid = config.plan, conditions.fused, conditions.complete
        kernels, grid = self.config.kernels, self.config.grid
        logits = self.network(
            fused,
            existing=truth.existing,
            antecedent=truth.antecedent,
            max_objects=truth.max_existing,
        )
        if kernels:
            sides = each_class(logits.sides)  # (B, C, C, 2)
            detected = self.network.detector(truth.shifted + reference_noise)  # (B, C, G, G)
            detection = cell_loss(detected, truth.shifted_existing, torch.ones_like(valid))
        else:
            sides = heads["relations"](fused.image_tokens, truth.existing)  # (B, C, C, 2)
            detected = heads["existing"](conditions.encoded.image_tokens)  # (B, C, G, G)
            detection = cell_loss(detected, truth.existing, ~conditions.no_reference)
        relation = relation_loss(sides, truth.existing, truth.cells, grid, valid)
        terms: Terms = {
            "plan": (plan_loss(logits, truth.cells, valid, truth.traits), 1.0),
            "relation": (relation, plan.relation_weight),
            "detection": (detection, plan.detection_weight),
        }
        if truth.synthetic is not None:
            dialogs = synthetic_scenes(plan) * len(valid)
            terms["synthetic"] = self._synthetic_loss(truth.synthetic, dialogs, encode_words, config), 1.0
        return terms

    def _synthetic_loss(
        self, turns: SyntheticTurns, dialogs: int, encode_words: Callable[[Tensor], Tensor], config: Config
    ) -> Float[Tensor, ""]:
        """The weighted plan and relation terms of synthetic turns, summed over turns and averaged over
        dialogs."""
        plan, words = config.plan, encode_words(turns.ids)  # (S, Nw, D)
        cells, sides = self.network.placement(
            words, turns.mask, turns.existing, turns.antecedent, turns.max_existing
        )
        place = cross_entropy(cells, turns.cells.amax(dim=1))
        valid = torch.ones_like(turns.cells[:, 0], dtype=torch.bool)
        relation = relation_loss(each_class(sides), turns.existing, turns.cells, self.config.grid, valid)
        turn = place + plan.relation_weight * relation
        return turn * (len(turns.ids) / dialogs)

    def noise(self, generator: torch.Generator | None) -> Float[Tensor, "C N"]:
        """Standard Gumbel noise, see `sample_plan`."""
        choices = self.config.grid**2 + sum(self.network.trait_sizes)
        uniform = torch.empty(len(self.config.classes), choices, device=generator and generator.device)
        return -uniform.exponential_(generator=generator).log()

    def context(self, histories: Sequence[Sequence[str]]) -> Instructions | None:
        """With kernels, the previous instruction: the object that it draws is what "it" refers to."""
        if not (self.config.kernels and any(histories)):
            return None
        return [(history[-1], history[:-1]) if history else ("", ()) for history in histories]

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
        antecedent = None
        if context is not None:
            has_history = torch.tensor([bool(history) for history in histories], device=reference.device)
            antecedent = self.network.drawn_class(context).where(has_history, -1)  # (B,)
        logits = self.network(condition, reference, antecedent=antecedent)
        cells, traits = sample_plan(
            logits, noise, settings.plan_temperature, self.tuning, settings.plan_place
        )
        places = middle_place(cells, self.config.grid, self.config.places_per_cell)
        return SampledPlans(self.splats(self.table.ids(places, traits)), no_op=(cells < 0).all(dim=1))

    @classmethod
    def check_data(cls, saved: Mapping[str, Any], dialogs: Sequence[Dialog]) -> str | None:
        return unknown_classes(saved, dialogs)
