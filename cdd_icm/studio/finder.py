"""Finding pictures: what the studio needs of a store, and how it gets one without importing `retrieval`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from cdd_icm.errors import InputError
from cdd_icm.studio.queue import DeviceQueue

GROUP = "cdd_icm.finders"


@dataclass(frozen=True)
class Found:
    """A picture that was found."""

    name: str
    """Its path in the folder that was indexed, with forward slashes."""
    score: float
    """Cosine of its vector and the query's, in [-1, 1]."""
    picture: Image.Image | None
    """None where its file is gone or damaged, or no picture was asked for."""
    tags: Mapping[str, Any] = field(default_factory=dict)


class Finder(Protocol):
    """Finds pictures. Several threads may use one."""

    def find(
        self,
        picture: Image.Image | None,
        text: str | None,
        history: Sequence[str],
        k: int,
        filter: str,
        exclude: Sequence[str] = (),
        pictures: bool = True,
    ) -> list[Found]:
        """The k best, best first, for "this picture, but ...".

        Args:
            picture, text: one of them may be None.
            history: the earlier sentences of the conversation, oldest first.
            filter: a condition on tags; empty for none.
            exclude: names that are left out, such as that of the reference if it was found before.
            pictures: whether to read the found pictures' files.

        Raises:
            InputError: neither picture nor text, a filter that can't be read, or the store can't be reached.
        """

    def close(self) -> None:
        """Lets go of the store, so that another program can open it."""


@dataclass(frozen=True)
class InQueue:
    """A `Finder` whose searches wait their turn in a device's queue, so that they don't slow what is drawn
    there. Not for a job of that queue."""

    finder: Finder
    queue: DeviceQueue

    def find(self, *args: Any, **kwargs: Any) -> list[Found]:
        """As the finder's; also raises QueueFull."""
        return self.queue.submit(lambda: self.finder.find(*args, **kwargs)).result()

    def close(self) -> None:
        self.finder.close()


def open_finder(store: str, model: Path | None, device: str) -> Finder:
    """A finder over the store at a path or URL.

    The package `retrieval` is above this one, and no import runs upwards. It registers the function that
    opens a store as an entry point of the group `cdd_icm.finders` (pyproject.toml), as plugins do; whoever
    has another kind of store can register another in its place.

    Args:
        model: the retrieval model with which the store was made; None: the one that is shipped.

    Raises:
        InputError: no finder is installed, or the store can't be opened or was made with another model.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name == "retrieval")
    if not found:
        raise InputError(
            f"--store {store}: nothing is installed that opens stores; install the package again"
        )
    return found[0].load()(store, model, device)
