"""What the page does when somebody clicks, types or opens it."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs

import gradio as gr

from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.io import to_json
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import cut_line
from cdd_icm.number import whole
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio import keep, markup
from cdd_icm.studio.drawing import Drawing, Request
from cdd_icm.studio.engine import Engine
from cdd_icm.studio.examples import EXAMPLES
from cdd_icm.studio.finder import Finder
from cdd_icm.studio.finding import Finding
from cdd_icm.studio.handlers import changes, refusal
from cdd_icm.studio.matching import has_matcher
from cdd_icm.studio.overlay import difference, share_changed
from cdd_icm.studio.uploading import Uploading
from cdd_icm.studio.views import (
    PICTURE,
    Explainer,
    View,
    drawing_view,
    model_view,
    presets_of,
    staged,
    whole_view,
)
from cdd_icm.studio.visits import TOKEN, Visit, Visits


class Events(Finding, Uploading):
    """The handlers. Each takes the visitor's credentials, which the page keeps, and what is in the fields.

    Args:
        finder: finds pictures; None for a page without.
    """

    def __init__(self, engines: Sequence[Engine], visits: Visits, finder: Finder | None = None):
        self.finder = finder
        self.engines = {engine.name: engine for engine in engines}
        self.visits, self.explainer = visits, Explainer()

    async def opened(self, key: str, search: str) -> AsyncIterator[View]:
        """The page was opened or reloaded: the dialog that its address names, or a new one."""
        visit, note, key = await asyncio.to_thread(self._open, key, search)
        view = await asyncio.to_thread(self._whole, visit, note)
        most = self.visits.limits.candidates
        yield {
            **view,
            "credentials": f"{visit.token} {key}",
            "key": to_json({"key": key}),
            "model": visit.branch.model,
            **model_view(visit.session.pipeline, most),
        }
        if visit.is_drawing:
            drawing = visit.drawing
            async for step in _steps(visit, drawing):
                yield step
            yield await asyncio.to_thread(self._end, visit, drawing, PICTURE)

    def _whole(self, visit: Visit, note: str) -> View:
        with visit.lock:
            return whole_view(visit, self.explainer, PICTURE, note)

    def _open(self, key: str, search: str) -> tuple[Visit, str, str]:
        key = key if TOKEN.fullmatch(key or "") else secrets.token_urlsafe(32)
        query = {name: values[0] for name, values in parse_qs((search or "").lstrip("?")).items()}
        token, note = query.get("session", ""), ""
        try:
            turn = whole(query["turn"]) if "turn" in query else None
        except ValueError:
            turn = None
        try:
            self.visits.count(key)
            if visit := self.visits.find(token, key):
                count = len(visit.session.turns)
                looked = turn is not None and 0 <= turn < count and query.get("branch") == visit.branch.name
                if looked and not visit.is_drawing:
                    visit.selected = turn
                return visit, "", key
            if visit := self.visits.copy(token, key, query.get("branch", ""), turn):
                return visit, "A copy of the dialog that the link leads to: it is yours.", key
            if token:
                note = "The dialog in this address is not here; this is a new one."
        except InputError as error:
            say(f"studio: {error}")
            note = f"The dialog in this address can't be opened: {error}"
        return self.visits.create(key), note, key

    async def draw(
        self, credentials: str, text: str, seed: str, guidance: float, count: float, preset: str, view: str
    ) -> AsyncIterator[View]:
        """A sentence was entered. The turn does not depend on the page: who leaves finds it done later.

        What is to be shown at the end is left to `ended`: Gradio makes each part anew that an event may
        change, at every step, and would be slower at that than the model at drawing.
        """
        try:
            visit = await asyncio.to_thread(self.visit, credentials)
            engine = self.engines[visit.branch.model]
            drawing = visit.begin(self._request(visit, text, seed, guidance, count, preset))
            drawing.enter(engine.queue, visit.owner)
        except InputError as error:
            yield {**refusal(error), "ended": ""}
            return
        async for step in _steps(visit, drawing):
            yield step
        yield {"ended": visit.name_end(drawing)}

    def ended(self, credentials: str, view: str, name: str) -> View:
        """What the page shows after `draw`, which named the end of its turn; nothing without a name."""
        try:
            visit = self.own(credentials)
            drawing = visit.take_end(name)
            return {} if drawing is None else self._end(visit, drawing, view)
        except InputError as error:
            return refusal(error)

    def _request(
        self, visit: Visit, text: str, seed: str, guidance: float, count: float, preset: str
    ) -> Request:
        try:
            number = whole(str(seed).strip())
        except ValueError:
            raise InputError(f"seed: {str(seed)!r:.40}, expected a whole number") from None
        pipeline = visit.session.pipeline
        settings = dict(presets_of(pipeline).get(preset, {}))
        if guidance != pipeline.settings(**settings).guidance_scale:
            settings["guidance_scale"] = float(guidance)
        most = self.visits.limits.candidates
        if not 1 <= int(count) <= most:
            raise InputError(f"candidates: {int(count)}, expected 1 to {most}")
        if count > 1 and not has_matcher(pipeline):
            raise InputError("candidates: this model has no trained matcher to choose with, expected 1")
        return Request(text or "", number, int(count), {**settings, "num_candidates": 1})

    def _end(self, visit: Visit, drawing: Drawing, view: str) -> View:
        with visit.lock:
            shown = whole_view(visit, self.explainer, view)
            shown["say"] = gr.update(value="", placeholder="Go on: say what to draw or change")
        if drawing.state == "failed":
            shown |= refusal(InputError(drawing.error))
        elif drawing.state == "cancelled":
            shown["message"] = markup.message("Cancelled; nothing was changed.")
        elif len(drawing.candidates) < drawing.request.candidates:
            shown["message"] = markup.message(f"Cancelled after {len(drawing.candidates)} candidates.")
        else:
            answer = visit.session.answer
            told = "Drawn." if answer is None else f"{answer}."
            cut = _cut(visit.session)
            shown["message"] = markup.message(told[0].upper() + told[1:] + (f" But: {cut}." if cut else ""))
        if drawing.state != "done":
            shown["say"] = gr.update(value=drawing.request.text)
        return shown

    def cancel(self, credentials: str) -> View:
        """Cancel was clicked: whoever follows the turn shows that it ends."""
        try:
            visit = self.visit(credentials)
            if visit.is_drawing:
                visit.drawing.cancel()
                return {"message": markup.message("Cancelling.")}
        except InputError as error:
            return refusal(error)
        return {"message": markup.message("Nothing is being drawn.")}

    @changes
    def undo(self, visit: Visit) -> str:
        visit.settle()
        visit.session.undo()
        visit.save(visit.branch)
        return "The last turn is undone."

    @changes
    def redo(self, visit: Visit) -> str:
        visit.settle()
        visit.session.redo()
        visit.save(visit.branch)
        return "The turn is back."

    @changes
    def look(self, visit: Visit, turn: str) -> str:
        visit.check_free()
        count = len(visit.session.turns)
        number = whole(turn) if turn.isdigit() and len(turn) < 9 else count
        visit.selected = None if number >= count else number
        if visit.selected is None:
            return ""
        at = f"turn {number}" if number else "the canvas"
        return f"You look at {at}. What you say now begins a branch there."

    @changes
    def latest(self, visit: Visit) -> str:
        visit.selected = None
        return ""

    @changes
    def fork(self, visit: Visit) -> str:
        shown = visit.selected
        visit.settle()
        branch = visit.branches.fork(len(visit.session.turns) if shown is None else shown)
        visit.save()
        return f"The new branch is called {branch.name!r}."

    @changes
    def show_branch(self, visit: Visit, name: str) -> str:
        visit.settle()
        visit.branches.show(name)
        visit.save(visit.branch)
        return f"Branch {name!r}."

    @changes
    def rename(self, visit: Visit, name: str) -> str:
        visit.branches.rename(name or "")
        visit.save(visit.branch)
        return f"The branch is called {visit.branch.name!r} now."

    @changes
    def delete(self, visit: Visit) -> str:
        visit.settle()
        name = visit.branch.name
        visit.branches.delete()
        visit.save()
        return f"The branch {name!r} is deleted."

    @changes
    def choose(self, visit: Visit, number: str) -> str:
        visit.choose(int(number) if number.isdigit() and len(number) < 4 else -1)
        return f"Candidate {int(number) + 1} is the turn now."

    @changes
    def use_model(self, visit: Visit, name: str) -> str:
        """Another model: on an empty branch it takes over, otherwise a branch begins."""
        visit.check_free()
        if name == visit.branch.model:
            return ""
        session = DrawingSession(self.visits.pipeline(name), seed=1)
        if not visit.session.turns and not visit.session.undone:
            visit.settle()
            visit.branch.model, visit.branch.session = name, session
            return f"The model {name} draws now."
        visit.settle()
        branch = visit.branches.add(name, name, session)
        visit.save()
        return f"The model {name} draws in a branch of its own, {branch.name!r}; your other turns are kept."

    def model_fields(self, credentials: str) -> View:
        """The fields that depend on the model of the branch that is shown."""
        try:
            visit = self.visit(credentials)
            fields = model_view(visit.session.pipeline, self.visits.limits.candidates)
            return {"model": visit.branch.model, **fields, "examples": self.examples(visit.branch.model)}
        except InputError as error:
            return refusal(error)

    def new(self, credentials: str, view: str) -> View:
        """A new dialog; the one before keeps its address."""
        try:
            before = self.visit(credentials)
            key = credentials.partition(" ")[2]
            visit = self.visits.create(key, model=before.branch.model)
            with visit.lock:
                shown = whole_view(
                    visit, self.explainer, view, "A new dialog; back in the browser leads to the one before."
                )
            return {**shown, "credentials": f"{visit.token} {key}"}
        except InputError as error:
            return refusal(error)

    def show(self, credentials: str, view: str) -> View:
        """Another view of the same turn."""
        try:
            visit = self.visit(credentials)
            with visit.lock:
                shown = len(visit.session.turns) if visit.selected is None else visit.selected
                return {"stage": staged(visit, self.explainer, shown, view)}
        except InputError as error:
            return refusal(error)

    def compare(self, credentials: str, one: str, other: str) -> View:
        """The last pictures of two branches."""
        try:
            visit = self.visit(credentials)
            with visit.lock:
                branches = {branch.name: branch for branch in visit.branches.branches}
                if one not in branches or other not in branches:
                    raise InputError("compare: choose two branches")
                pictures = [branches[name].session.picture for name in (one, other)]
            if pictures[0].size != pictures[1].size:
                pictures[1] = pictures[1].resize(pictures[0].size)
            large = [picture.resize((512, 512)) for picture in pictures]
            differ = difference(*pictures)
            share = share_changed(*pictures)
            told = f"{one} and {other} differ in {share} of the picture."
            if share == "nothing":
                told = f"{one} and {other} show the same."
            html = markup.stage(
                differ, f"Difference of {one} and {other}: {share}", note="difference; black: the same"
            )
            return {"slider": tuple(large), "difference": html, "message": markup.message(told)}
        except InputError as error:
            return refusal(error)

    def download(self, credentials: str, what: str) -> View:
        """A file of the branch that is shown."""
        try:
            visit = self.visit(credentials)
            with visit.lock:
                session, model = visit.session.branch(), visit.branch.model
            name, kind, content = _file(what, session, model, self.engines[model].path)
            value = {"name": name, "kind": kind, "content": base64.b64encode(content).decode()}
            shown = {"download": to_json({**value, "again": secrets.token_hex(4)})}
            return {**shown, "message": markup.message(f"{name} is saved by your browser.")}
        except InputError as error:
            return refusal(error)

    def examples(self, model: str) -> str:
        return markup.examples(EXAMPLES.get(model, EXAMPLES["blocks"]))


async def _steps(visit: Visit, drawing: Drawing) -> AsyncIterator[View]:
    """A turn until it is over."""
    async for _ in drawing.changes():
        if not drawing.is_over:
            yield drawing_view(visit, drawing)


def _file(what: str, session: DrawingSession, model: str, path: str) -> tuple[str, str, bytes]:
    """Name, media type and content of a download."""
    match what:
        case "strip":
            return "strip.png", "image/png", keep.strip(session)
        case "animation":
            return "dialog.webp", "image/webp", keep.animation(session)
        case "session":
            return "session.zip", "application/zip", keep.zipped(session, model)
        case _:
            return "draw_again.py", "text/x-python", keep.snippet(session, str(path)).encode()


def _cut(session: DrawingSession) -> str | None:
    """A line about what the model did not read of the last sentence, if that was too long for it."""
    turns, pipeline = session.turns, session.pipeline
    if not turns:
        return None
    history, speaker = pipeline.config.history, pipeline.config.speaker
    return cut_line(pipeline.tokenizer, compose_text(turns[-1].instruction, (), history, speaker))
