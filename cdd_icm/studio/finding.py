"""Finding pictures by conversation: each answer can be refined by a sentence, and drawn on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cdd_icm.errors import InputError
from cdd_icm.studio import markup
from cdd_icm.studio.finder import Finder, Found
from cdd_icm.studio.handlers import Handlers, begin_on, changes, refusal
from cdd_icm.studio.views import View
from cdd_icm.studio.visits import Visit

MOST = 12
"""Pictures that a search shows."""
STEPS = 20
"""Answers of a conversation that are kept."""
SIDE = 256
"""Pixels of a found picture's longer side, as it is kept; encoders see fewer."""
TEXT = 500
"""Characters of a sentence or a filter."""


@dataclass(frozen=True)
class Step:
    """One answer of the conversation."""

    text: str
    found: list[Found]
    chosen: int = 0
    """Which of them is the next reference."""


class Finding(Handlers):
    """The handlers of "Find"."""

    finder: Finder | None

    def find(self, credentials: str, filter: str) -> View:
        """What is nearest to the picture on the stage: a new conversation."""
        try:
            visit = self.visit(credentials)
            with visit.lock:
                turns = visit.session.turns[: visit.selected]
                picture = turns[-1].picture if turns else visit.session.canvas
            found = self.finder.find(picture, None, [], MOST, _short(filter, "filter"))
            visit.search = [Step("", _small(found))]
            return _shown(
                visit, f"{len(found)} pictures, the nearest first." if found else "Nothing was found."
            )
        except InputError as error:
            return refusal(error)

    def refine(self, credentials: str, filter: str, text: str) -> View:
        """A sentence refines what was found last; without that it searches by itself."""
        try:
            visit = self.visit(credentials)
            if not (text or "").strip():
                raise InputError("refine: the sentence is empty")
            steps = visit.search
            last = steps[-1].found[steps[-1].chosen] if steps and steps[-1].found else None
            history = [step.text for step in steps if step.text]
            picture = None if last is None else last.picture
            given = _short(text, "refine"), history, MOST, _short(filter, "filter")
            found = self.finder.find(picture, *given, exclude=[] if last is None else [last.name])
            visit.search = [*steps, Step(text, _small(found))][-STEPS:]
            return {**_shown(visit, f"{len(found)} pictures for: {text}"), "refine": ""}
        except InputError as error:
            return refusal(error)

    def find_back(self, credentials: str, filter: str) -> View:
        """Back to the answer before."""
        try:
            visit = self.visit(credentials)
            visit.search = visit.search[:-1]
            return _shown(visit, "One step back.")
        except InputError as error:
            return refusal(error)

    def pick(self, credentials: str, hit: str) -> View:
        """The picture that was clicked is the next reference."""
        try:
            visit = self.visit(credentials)
            number = int(hit) if hit.isdigit() and len(hit) < 4 else -1
            if not visit.search or not 0 <= number < len(visit.search[-1].found):
                raise InputError(f"find: there is no picture number {number + 1}")
            *before, last = visit.search
            visit.search = [*before, Step(last.text, last.found, number)]
            return _shown(visit, f"The next sentence starts from number {number + 1}.")
        except InputError as error:
            return refusal(error)

    @changes
    def draw_on(self, visit: Visit) -> str:
        """A branch begins on the framed picture."""
        visit.check_free()
        last = visit.search[-1] if visit.search else None
        if last is None or not last.found or last.found[last.chosen].picture is None:
            raise InputError("find: nothing was found yet that could be drawn on")
        begin_on(self.visits, visit, last.found[last.chosen].picture, "found")
        return "A branch begins on the found picture, squeezed to a square."


def _small(found: list[Found]) -> list[Found]:
    """With pictures of which many can be kept."""
    small = []
    for each in found:
        picture = None
        if each.picture is not None:
            picture = each.picture.convert("RGB")
            picture.thumbnail((SIDE, SIDE))
        small.append(replace(each, picture=picture))
    return small


def _short(text: str, name: str) -> str:
    if len(text or "") > TEXT:
        raise InputError(f"{name}: {len(text)} characters, over the limit of {TEXT}")
    return text or ""


def _shown(visit: Visit, note: str) -> View:
    last = visit.search[-1] if visit.search else Step("", [])
    names = [_described(found) for found in last.found]
    html = markup.found([found.picture for found in last.found], names, last.chosen)
    return {"found": html, "message": markup.message(note)}


def _described(found: Found) -> str:
    tags = ", ".join(f"{name} {value}" for name, value in found.tags.items())
    return f"{found.name}{f' ({tags})' if tags else ''}"
