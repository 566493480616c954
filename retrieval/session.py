"""`RetrievalSession`: search as a conversation, in which each text refines the previous result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from cdd_icm.errors import InputError, of_type
from cdd_icm.filmstrip import stack
from cdd_icm.lock import ThreadLock, serial
from retrieval.index.encoder import Encoder
from retrieval.index.search import Hit, search, sheet
from retrieval.index.store import Store


@dataclass(frozen=True)
class SearchTurn:
    """One turn of a session."""

    text: str
    reference: Image.Image | None
    """The query's picture; None where the conversation started without one."""
    hits: list[Hit]
    chosen: int = 0
    """Index of the hit that is the next turn's reference."""


class RetrievalSession:
    """A conversation that grows turn by turn, as `cdd_icm.sampling.session.DrawingSession` does: the best
    hit, or the one that was picked, is the next reference, and the earlier texts are the history. A reference
    that was a hit of the previous turn is left out of the hits of its own turn. Several threads may use one
    session: each method runs whole, as if one thread called them in some order.

    Args:
        store, encoder: shared by all sessions; a session never changes them.
        picture: the first reference; None starts from a text alone.
        k, filter: for every search, see `retrieval.index.search.search`.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        picture: Image.Image | None = None,
        k: int = 10,
        filter: str = "",
    ):
        self.store, self.encoder, self.k, self.filter = store, encoder, k, filter
        self._lock = ThreadLock()
        self._first = picture
        self._turns: list[SearchTurn] = []
        self._position = 0  # turns beyond it were undone

    @serial
    def say(self, text: str) -> list[Hit]:
        """Searches with the reference, the text and its history, and returns the hits, best first.

        Raises:
            InputError: an empty text, the picked picture's file is gone, or what `search` raises; the session
                is unchanged.
        """
        done = self.turns
        reference = self.reference
        excluded = done[-1].hits[done[-1].chosen].entry.content if done and done[-1].hits else None
        hits = search(
            self.store,
            self.encoder,
            reference,
            text,
            self.k + (excluded is not None),
            self.filter,
            [turn.text for turn in done],
        )
        hits = [hit for hit in hits if hit.entry.content != excluded][: self.k]
        self._turns = [*done, SearchTurn(text, reference, hits)]
        self._position += 1
        return hits

    @serial
    def pick(self, rank: int) -> Image.Image:
        """Makes the hit of that rank, from 1, the reference of the next turn, and returns it.

        Raises:
            InputError: there is no turn yet or no hit of that rank, or its file is gone.
        """
        of_type(rank, int, "pick", "a rank")
        if not 1 <= rank <= len(self.hits):
            raise InputError(f"pick: {rank}, expected a rank from 1 to {len(self.hits)}")
        picture = self.hits[rank - 1].picture()
        turn = replace(self._turns[self._position - 1], chosen=rank - 1)
        self._turns = [*self._turns[: self._position - 1], turn]
        return picture

    @property
    @serial
    def hits(self) -> list[Hit]:
        """The hits of the last turn."""
        turns = self.turns
        return turns[-1].hits if turns else []

    @property
    @serial
    def reference(self) -> Image.Image | None:
        """The reference of the next turn: the last turn's chosen hit, or its own reference where it found
        nothing."""
        turns = self.turns
        if not turns:
            return self._first
        last = turns[-1]
        return last.hits[last.chosen].picture() if last.hits else last.reference

    @property
    @serial
    def turns(self) -> list[SearchTurn]:
        """The turns so far, without those that were undone."""
        return self._turns[: self._position]

    @serial
    def undo(self) -> list[Hit]:
        """Undoes the last turn and returns the hits of the one before it.

        Raises:
            InputError: there is nothing to undo.
        """
        if self._position == 0:
            raise InputError("undo: there is no turn yet")
        self._position -= 1
        return self.hits

    @serial
    def redo(self) -> list[Hit]:
        """Restores the turn that `undo` removed and returns its hits.

        Raises:
            InputError: no turn was undone, or there has been a new one since.
        """
        if self._position == len(self._turns):
            raise InputError("redo: no turn was undone")
        self._position += 1
        return self.hits

    @serial
    def sheet(self) -> Image.Image:
        """All turns, one below the other: each query with its hits.

        Raises:
            InputError: there is no turn yet.
        """
        if not self.turns:
            raise InputError("sheet: there is no turn yet")
        return stack([sheet(turn.reference, turn.text, turn.hits) for turn in self.turns])
