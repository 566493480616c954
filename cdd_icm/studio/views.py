"""What the page shows of a visitor's dialog: from a `Visit` to the values of the page's parts, by name."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from cdd_icm.hashing import fingerprint
from cdd_icm.io import to_json
from cdd_icm.sampling.dialogs import turn_generator
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.planned import planned_places
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio import markup
from cdd_icm.studio.drawing import Drawing
from cdd_icm.studio.matching import against_before, has_matcher, in_words, match_scores
from cdd_icm.studio.overlay import share_changed, with_changes, with_plan
from cdd_icm.studio.visits import Visit

View = dict[str, Any]
"""Values of the page's parts by name; those that are missing stay."""

PICTURE, PLANNED, CHANGED = "Picture", "Plan", "Changes"
VIEWS = (PICTURE, PLANNED, CHANGED)

WHOLE = (
    *("address", "stage", "strip", "told", "candidates", "undo", "redo", "fork", "latest", "cancel"),
    *("branch", "name", "one", "other", "message"),
)
"""The parts of `whole_view`."""
STEPS = ("stage", "message", "cancel", "candidates")
"""The parts of `drawing_view`."""
MODEL = ("preset", "count", "guidance")
"""The parts of `model_view`."""


@dataclass(frozen=True)
class Explained:
    """What is computed again of a turn, for display."""

    matched: str
    """The matcher's sentence; empty for a model without a trained one."""
    places: np.ndarray | None
    """See `planned_places`."""


class Explainer:
    """Computes and remembers `Explained` of the latest turns that were looked at."""

    def __init__(self, most: int = 300):
        self._most = most
        self._known: OrderedDict[str, Explained] = OrderedDict()

    def explain(self, session: DrawingSession, number: int) -> Explained:
        """Of turn `number`, from 1, which is done or undone."""
        turns = session.turns[:number]
        turn, before = turns[-1], turns[-2].picture if number > 1 else session.canvas
        history = [each.instruction for each in turns[:-1]]
        key = fingerprint(
            [str(session.pipeline.config.vocabulary), id(session.pipeline), turn.seed, turn.instruction,
             history, before.tobytes().hex(), turn.picture.tobytes().hex()]
        )  # fmt: skip
        if key not in self._known:
            self._known[key] = _explained(session.pipeline, turn, before, history)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return self._known[key]


def _explained(pipeline: CDDICMPipeline, turn: Any, before: Image.Image, history: list[str]) -> Explained:
    matched = ""
    if has_matcher(pipeline):
        pictures = [turn.picture, before]
        matched = against_before(*match_scores(pipeline, pictures, before, turn.instruction, history))
    generator = turn_generator(turn.seed, "session", len(history))
    settings = pipeline.settings(**{**turn.settings, "num_candidates": 1})
    places = planned_places(pipeline, before, turn.instruction, history, settings, generator)
    return Explained(matched, places)


def whole_view(visit: Visit, explainer: Explainer, view: str, note: str = "") -> View:
    """Everything that depends on the dialog. The caller holds the visit's lock."""
    session, branches = visit.session, visit.branches
    turns, undone = session.turns, session.undone
    shown = len(turns) if visit.selected is None else min(visit.selected, len(turns))
    earlier, names = shown < len(turns), branches.names
    choices = visit.choices
    scores = [choice.score for choice in choices]
    words = ["" if score is None else in_words(score, max(scores)) for score in scores]
    chosen = next((n for n, choice in enumerate(choices) if choice.session is session), 0)
    other = names[0] if names[0] != visit.branch.name else names[-1]
    return {
        "address": address(visit, shown),
        "stage": staged(visit, explainer, shown, view),
        "strip": markup.strip(session.canvas, turns, undone, shown),
        "told": _told(visit, explainer, shown),
        "candidates": markup.candidates([c.session.picture for c in choices], words, chosen),
        "undo": gr.update(interactive=bool(turns)),
        "redo": gr.update(interactive=bool(undone)),
        "fork": gr.update(visible=earlier, value=f"Branch from {f'turn {shown}' if shown else 'the canvas'}"),
        "latest": gr.update(visible=earlier),
        "cancel": gr.update(interactive=visit.is_drawing),
        "branch": gr.update(choices=names, value=visit.branch.name),
        "name": visit.branch.name,
        "one": gr.update(choices=names, value=visit.branch.name),
        "other": gr.update(choices=names, value=other),
        "message": markup.message(note),
    }


def address(visit: Visit, shown: int) -> str:
    """What the page's address should say: a link to the turn that is shown."""
    query = {"session": visit.token, "branch": visit.branch.name, "turn": str(shown)}
    return to_json({"query": query})


def staged(visit: Visit, explainer: Explainer, shown: int, view: str) -> str:
    """The large picture: of turn `shown`, seen as `view` says."""
    session = visit.session
    turns = session.turns[:shown]
    if not turns:
        return markup.stage(session.canvas, "The canvas, on which nothing was drawn yet", note="canvas")
    turn, before = turns[-1], turns[-2].picture if shown > 1 else session.canvas
    alt = f"The picture after turn {shown}: {turn.instruction}"
    note = f"turn {shown} of {len(session.turns)}" if shown < len(session.turns) else ""
    if view == CHANGED:
        return markup.stage(
            with_changes(before, turn.picture), f"{alt}. Only what changed is coloured", note=note
        )
    if view == PLANNED:
        places = explainer.explain(session, shown).places
        if places is None:
            return markup.stage(turn.picture, alt, note="this model draws without a plan")
        if not places.any():
            return markup.stage(turn.picture, alt, note="the plan was to change nothing")
        return markup.stage(
            with_plan(turn.picture, places), f"{alt}. The planned places are marked", note=note
        )
    return markup.stage(turn.picture, alt, note=note)


def drawing_view(visit: Visit, drawing: Drawing) -> View:
    """How far a turn is."""
    text, number = drawing.request.text, len(drawing.candidates) + 1
    if drawing.state == "waiting":
        ahead = drawing.place
        line = (
            f"In the queue: {ahead} {'turn' if ahead == 1 else 'turns'} before yours" if ahead else "Starting"
        )
    else:
        many = drawing.request.candidates
        line = f"Drawing candidate {number} of {many}" if many > 1 else "Drawing"
        line += f", step {drawing.steps}" if drawing.steps else ""
    view: View = {
        "message": markup.message(f"{line}. Escape cancels."),
        "cancel": gr.update(interactive=True),
    }
    if drawing.preview is not None:
        alt = f"Being drawn: {text}"
        view["stage"] = markup.busy_stage(drawing.preview, alt, f"step {drawing.steps}")
    elif drawing.state == "waiting":
        view["stage"] = markup.busy_stage(drawing.base.picture, f"Waiting to draw: {text}", "waiting")
    if drawing.candidates and drawing.request.candidates > 1:
        pictures = [candidate.session.picture for candidate in drawing.candidates]
        view["candidates"] = markup.candidates(pictures, ["drawn"] * len(pictures), -1)
    return view


def model_view(pipeline: CDDICMPipeline, most: int) -> View:
    """What the fields about the model offer."""
    presets = ["own settings", *(name for name, values in presets_of(pipeline).items() if values is not None)]
    trained = has_matcher(pipeline)
    guided = bool(dict(pipeline.config.objective).get("condition_dropout", 1))
    why = "" if trained else "This model has no trained matcher to choose with: one picture a turn."
    return {
        "preset": gr.update(choices=presets, value=presets[0]),
        "count": gr.update(
            value=1,
            maximum=most if trained else 2,
            interactive=trained,
            info=why or "Drawn with seed, seed + 1, ...; you choose.",
        ),
        "guidance": gr.update(
            value=pipeline.settings().guidance_scale,
            interactive=guided,
            info="How much the sentence counts; 1 is off and fastest."
            if guided
            else "This model was not trained for it.",
        ),
    }


def presets_of(pipeline: CDDICMPipeline) -> dict[str, dict[str, Any]]:
    """The presets that are settings of a turn; those with another scheduler would change it for everybody."""
    presets = dict(pipeline.config.sampling_presets)
    return {name: dict(values) for name, values in presets.items() if "scheduler" not in values}


def _told(visit: Visit, explainer: Explainer, shown: int) -> str:
    turns = visit.session.turns[:shown]
    if not turns:
        answer = visit.session.answer
        note = "" if answer is None else f"<p>{markup.escape(str(answer))}</p>"
        return f"{note}<p>Say what to draw, in a sentence; then go on from there.</p>"
    turn, before = turns[-1], turns[-2].picture if shown > 1 else visit.session.canvas
    matched = explainer.explain(visit.session, shown).matched
    details = f"seed {turn.seed}, guidance {turn.settings['guidance_scale']:g}, {visit.branch.model}"
    told = markup.understood(turn.instruction, turn.answer, matched, share_changed(before, turn.picture))
    return f"{told}<p>Drawn with {markup.escape(details)}.</p>"
