"""Searches a store for "this picture, but with ...", and shows query and hits as a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError, of_type
from cdd_icm.filmstrip import filmstrip, stack
from retrieval.index.encoder import Encoder
from retrieval.index.store import Entry, Store

ROW = 5  # pictures in a row of a sheet


@dataclass(frozen=True)
class Hit:
    """A picture that was found."""

    entry: Entry
    score: float
    """Cosine of its vector and the query's."""

    @property
    def gone(self) -> bool:
        """Whether its file is gone."""
        return not self.entry.file.is_file()

    def picture(self) -> Image.Image:
        """Reads its file. Raises InputError where that is gone or was damaged since it was indexed."""
        files = FolderFiles(self.entry.file.parent)
        return Image.fromarray(EncodedPicture(files, self.entry.file.name).decode())


def search(
    store: Store,
    encoder: Encoder,
    picture: Image.Image | None = None,
    text: str | None = None,
    k: int = 10,
    filter: str = "",
    history: Sequence[str] = (),
) -> list[Hit]:
    """The k best pictures, best first; fewer where not as many pass the filter.

    Args:
        picture: of any size and mode. `picture` or `text` may be left out, but not both.
        filter: a condition on the hits, see `Store.search`.
        history: the earlier sentences of a conversation, oldest first.

    Raises:
        InputError: neither picture nor text, an empty text, a picture exceeds the limits of
            `cdd_icm.data.picture`, or what `Store.search` raises.
    """
    if picture is None and text is None:
        raise InputError("query: neither a picture nor a text is given")
    if text is not None:
        of_type(text, str, "text", "text")
        if not text.strip():
            raise InputError(f"text: {text!r} is empty")
    (query,) = encoder.encode_query(
        None if picture is None else [picture],
        None if text is None else [text],
        [list(history)] if history else None,
    )
    return [Hit(entry, score) for score, entry in store.search(query, k, filter)]


def sheet(
    picture: Image.Image | None, text: str | None, hits: Sequence[Hit], height: int = 160
) -> Image.Image:
    """An image with the query in the first row and the hits below, in order, with rank, score and path. A hit
    whose file is gone, or was damaged since it was indexed, is a grey square with the word "gone" or
    "damaged"."""
    blank = Image.new("RGB", (height, height), (235, 235, 235))
    rows = [filmstrip([blank if picture is None else picture], [text or "(no text)"], height)]
    for start in range(0, len(hits), ROW):
        some = hits[start : start + ROW]
        pictures, captions = [], []
        for rank, hit in enumerate(some, start + 1):
            caption = f"{rank}. {hit.score:.3f} {hit.entry.path}"
            try:
                pictures.append(hit.picture())
            except InputError:
                pictures.append(blank)
                caption += " (gone)" if hit.gone else " (damaged)"
            captions.append(caption)
        rows.append(filmstrip(pictures, captions, height))
    return stack(rows)
