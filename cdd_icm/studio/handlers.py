"""What all handlers of the page's events share: whose dialog it is, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from PIL import Image

from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio import markup
from cdd_icm.studio.views import Explainer, View, whole_view
from cdd_icm.studio.visits import Visit, Visits


class Handlers:
    """The base of `Events`."""

    visits: Visits
    explainer: Explainer

    def visit(self, credentials: str) -> Visit:
        """Raises InputError if there are too many requests or the dialog is not the visitor's."""
        self.visits.count((credentials or "").partition(" ")[2])
        return self.own(credentials)

    def own(self, credentials: str) -> Visit:
        """As `visit`, for what the page asks for by itself: it is not counted."""
        token, _, key = (credentials or "").partition(" ")
        visit = self.visits.find(token, key)
        if visit is None:
            raise InputError("this dialog is no longer here; reload the page to begin a new one")
        return visit


def changes(handler: Callable[..., str]) -> Callable[..., View]:
    """A handler that changes the dialog and returns a note: afterwards everything is shown anew."""

    @wraps(handler)
    def answer(self: Handlers, credentials: str, view: str, *given) -> View:
        try:
            visit = self.visit(credentials)
            with visit.lock:
                note = handler(self, visit, *given)
                return whole_view(visit, self.explainer, view, note)
        except InputError as error:
            return refusal(error)

    return answer


def refusal(error: InputError) -> View:
    """A line on the page and in the log. Nothing else changes."""
    say(f"studio: {error}")
    return {"message": markup.message(str(error), "alert")}


def begin_on(visits: Visits, visit: Visit, picture: Image.Image, name: str) -> None:
    """Begins a branch of the dialog on a picture, squeezed to the model's square. Raises InputError if there
    are too many branches."""
    model = visit.branch.model
    session = DrawingSession(visits.pipeline(model), picture, seed=1)
    visit.settle()
    visit.branches.add(name, model, session)
    visit.save()
