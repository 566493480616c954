"""`StoreFinder`: a store of pictures for the studio of `cdd_icm`, which knows only its protocol `Finder`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PIL import Image

from cdd_icm.device import find_device
from cdd_icm.errors import InputError
from cdd_icm.studio.finder import Found
from retrieval.index.encoder import Encoder
from retrieval.index.search import Hit, search
from retrieval.index.store import Store
from retrieval.model import RetrievalModel
from retrieval.store_cli import SHIPPED


class StoreFinder:
    """Finds pictures in a store; see `cdd_icm.studio.finder.Finder`. What it says of the store never names
    its place on this machine."""

    def __init__(self, store: Store, encoder: Encoder):
        self.store, self.encoder = store, encoder

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
        """See `Finder.find`."""
        try:
            hits = search(self.store, self.encoder, picture, text, k + len(exclude), filter, history)
        except InputError as error:
            raise InputError(str(error).replace(self.store.uri, "store")) from None
        hits = [hit for hit in hits if hit.entry.path not in exclude][:k]
        return [_found(hit, pictures) for hit in hits]

    def close(self) -> None:
        self.store.close()


def open_finder(store: str, model: Path | None, device: str) -> StoreFinder:
    """The entry point `retrieval` of the group `cdd_icm.finders`; see `cdd_icm.studio.finder.open_finder`.

    Raises:
        InputError: no such model or device, or as `Store`.
    """
    if model is None and not SHIPPED.is_dir():
        raise InputError("--store-model: this package comes without a retrieval model; name a folder")
    encoder = RetrievalModel.from_pretrained(model or SHIPPED).to(find_device(device))
    opened = Store(store, encoder.fingerprint, encoder.width, vectors=encoder.vectors)
    return StoreFinder(opened, encoder)


def _found(hit: Hit, with_picture: bool) -> Found:
    picture = None
    if with_picture:
        with suppress(InputError):  # its file is gone or damaged: it is still shown by its name
            picture = hit.picture()
    return Found(hit.entry.path, float(hit.score), picture, hit.entry.tags)
