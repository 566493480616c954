"""Files that a visitor sends: a picture to draw on, a session to go on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cdd_icm.errors import InputError
from cdd_icm.limits import MIB
from cdd_icm.studio import keep
from cdd_icm.studio.handlers import Handlers, begin_on, changes, refusal
from cdd_icm.studio.views import View
from cdd_icm.studio.visits import Visit

Read = TypeVar("Read")


class Uploading(Handlers):
    """The handlers of uploads."""

    @changes
    def upload_canvas(self, visit: Visit, file: str) -> str:
        """A picture was uploaded: a branch begins on it."""
        visit.check_free()
        picture = _taken(file, lambda path: keep.picture_of(path, visit.limits))
        begin_on(self.visits, visit, picture, "own canvas")
        size = visit.session.pipeline.image_size
        squeezed = "" if picture.width == picture.height else ", squeezed to a square (nothing is cropped)"
        return f"A branch begins on your picture, at {size}x{size} pixels{squeezed}."

    def too_large(self, credentials: str, size: str) -> View:
        """A file of so many bytes was chosen, and not sent."""
        try:
            limit = self.visit(credentials).limits.upload
            mib = int(size) / MIB if size.isdigit() and len(size) < 16 else 0.0
            over = f"{mib:.1f} MiB, over the limit of {limit / MIB:g} MiB"
            raise InputError(f"upload: {over}; nothing was sent")
        except InputError as error:
            return refusal(error)

    @changes
    def reopen(self, visit: Visit, file: str) -> str:
        """A downloaded session was uploaded: it becomes a branch."""
        visit.check_free()
        pipelines = {name: engine.pipeline for name, engine in self.visits.engines.items()}
        read = lambda path: keep.unzipped(path, pipelines, visit.branch.model, visit.limits)  # noqa: E731
        model, session = _taken(file, read)
        visit.settle()
        branch = visit.branches.add("reopened", model, session)
        visit.save()
        return f"The session is back, as branch {branch.name!r} with {len(session.turns)} turns."


def _taken(file: str | None, read: Callable[[Path], Read]) -> Read:
    """What `read` makes of an uploaded file, which is deleted."""
    if not file:
        raise InputError("upload: no file arrived")
    try:
        return read(Path(file))
    finally:
        Path(file).unlink(missing_ok=True)
