"""Vectors and metadata of pictures in Milvus: embedded in this process for a file path, a server or cluster
for a URL."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import torch
from jaxtyping import Float
from milvus_lite.server_manager import server_manager_instance
from pymilvus import DataType, MilvusClient, MilvusException
from torch import Tensor

from cdd_icm.errors import InputError
from cdd_icm.sources import check_links, inside, local_path

FIELDS = ("content", "folder", "path", "width", "height", "vector")
"""The columns of a store. A picture's own tags are further columns, so they can't have these names."""

PREFIX = "pictures_"
"""A store is one collection, named after its model: it exists with its fingerprint or not at all."""

MAX_ROWS = 16384
"""Milvus answers with no more rows at once."""

EXACT_INDEX = {"index_type": "IVF_FLAT", "params": {"params": json.dumps({"nlist": 1})}}
"""One list, all of which each search reads, by faiss: Milvus Lite's FLAT copies all vectors each time, and of
100,000 that takes longer than all the rest. Params within params are those that pymilvus doesn't flatten."""

SERVERS = ("http", "https", "tcp", "unix")
"""How a store's server may be reached."""

MAX_TEXT_BYTES = 65535  # bytes of a text column; Milvus allows no more
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 600.0


@dataclass(frozen=True)
class Entry:
    """A picture's row in the store, without its vector."""

    content: str
    """SHA-256 of its file's bytes, by which it is in the store once."""
    folder: str
    """The folder that was indexed, as an absolute path."""
    path: str
    """Its file in there, with forward slashes."""
    width: int
    height: int
    tags: dict[str, Any] = field(default_factory=dict)
    """Its own fields of the folder's metadata.jsonl."""

    @property
    def file(self) -> Path:
        return Path(self.folder) / self.path


class Store:
    """The vectors of one model. Pictures are known by their content; putting one again replaces it.

    Every call raises an `InputError` of one line where Milvus can't be reached or refuses. What was put is
    safe once `put` returns: a process that is killed after that leaves it in the store.

    Args:
        uri: a path that ends in .db, or http://HOST:PORT, or http://HOST:PORT/DATABASE for one store of
            several on a server. One process at a time can have a path open.
        fingerprint, width: of the model, see `retrieval.index.encoder.Encoder`.
        create: makes the store if it isn't there.

    Raises:
        InputError: no such store, one that another model made, another process has it open, or it is
            unreachable or damaged.
    """

    def __init__(self, uri: str, fingerprint: str, width: int, create: bool = False):
        # what these log is raised as an exception too
        for name in ("pymilvus", "grpc._server", "milvus_lite.adapter"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.uri, self.collection = uri, PREFIX + fingerprint
        self._embedded = "://" not in uri
        with self._one_line_errors():
            self._client = _connect_embedded(uri, create) if self._embedded else _connect(uri)
        try:
            self._open(fingerprint, width, create)
        except BaseException:
            self.close()
            raise

    def _open(self, fingerprint: str, width: int, create: bool) -> None:
        with self._one_line_errors():
            made = [n for n in self._client.list_collections(timeout=ANSWER_SECONDS) if n.startswith(PREFIX)]
        if self.collection not in made:
            if made:
                others = " and ".join(name.removeprefix(PREFIX) for name in made)
                raise InputError(f"{self.uri}: made with model {others}, but this is model {fingerprint}")
            if self._embedded:
                self._clear()
            if not create:
                raise InputError(f"{self.uri}: no pictures were indexed here")
            self._create(width)
        with self._one_line_errors():
            # checked each time: a process may have been killed after it created the collection
            if not self._client.list_indexes(self.collection):
                index = self._client.prepare_index_params()
                kind = EXACT_INDEX if self._embedded else {"index_type": "AUTOINDEX"}
                index.add_index("vector", metric_type="IP", **kind)
                self._client.create_index(self.collection, index, timeout=ANSWER_SECONDS)
            self._load()
        if self._embedded:
            self.flush()  # what a killed process put is searched row by row, in seconds, until then

    def _load(self) -> None:
        try:
            with _faiss_quiet():
                self._client.load_collection(self.collection, timeout=ANSWER_SECONDS)
        except MilvusException:
            if not self._embedded:
                raise
            # a process that was killed in the middle of an index file leaves a part of it, which Milvus Lite
            # refuses; it rebuilds them from the pictures' rows
            for half in self._folder.rglob("*.idx"):
                half.unlink()
            with _faiss_quiet():
                self._client.load_collection(self.collection, timeout=ANSWER_SECONDS)

    def _clear(self) -> None:
        """Removes what a process left behind that was killed while it created a collection; Milvus Lite
        fails on it."""
        with self._one_line_errors():
            (self._folder / "schema.json.tmp").unlink(missing_ok=True)
        with suppress(OSError):
            self._folder.rmdir()  # only if it is empty
        if self._folder.exists():
            raise InputError(f"{self.uri}: damaged: {self._folder / 'schema.json'} is missing")

    @property
    def _folder(self) -> Path:
        """Where Milvus Lite keeps the collection."""
        return Path(self.uri) / "collections" / self.collection

    def _create(self, width: int) -> None:
        schema = MilvusClient.create_schema(enable_dynamic_field=True)
        schema.add_field("content", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("folder", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        schema.add_field("path", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        schema.add_field("width", DataType.INT64)
        schema.add_field("height", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        with self._one_line_errors():
            self._client.create_collection(
                self.collection, schema=schema, consistency_level="Strong", timeout=ANSWER_SECONDS
            )

    def put(self, entries: Sequence[Entry], vectors: Float[Tensor, "N E"]) -> None:
        """Adds pictures. Of one that is there already, tags that `entries` don't have may stay: see
        `change`."""
        rows = [
            {
                **entry.tags,
                "content": entry.content,
                "folder": entry.folder,
                "path": entry.path,
                "width": entry.width,
                "height": entry.height,
                "vector": vector,
            }
            for entry, vector in zip(entries, vectors.float().cpu().numpy(), strict=True)
        ]
        if rows:
            with self._one_line_errors():
                self._client.upsert(self.collection, rows, timeout=ANSWER_SECONDS)

    def get(self, contents: Sequence[str]) -> dict[str, Entry]:
        """The entries of those contents that are in the store."""
        return {
            entry.content: entry
            for entry in (_entry(row, self.uri) for row in self._rows(contents, _ENTRY_FIELDS))
        }

    def change(self, entries: Sequence[Entry]) -> None:
        """Replaces what is known of pictures that are all in the store; their vectors stay. A process that is
        killed in the middle may lose some of them, because they are removed and put again."""
        if entries:
            contents = [entry.content for entry in entries]
            found = {row["content"]: row["vector"] for row in self._rows(contents, ["vector"])}
            self.remove(contents)  # putting alone would mix the old tags with the new ones in Milvus Lite
            self.put(entries, torch.tensor([found[content] for content in contents]))

    def remove(self, contents: Sequence[str]) -> None:
        for start in range(0, len(contents), MAX_ROWS):
            with self._one_line_errors():
                some = list(contents[start : start + MAX_ROWS])
                self._client.delete(self.collection, ids=some, timeout=ANSWER_SECONDS)

    def count(self, folder: str | None = None) -> int:
        """How many pictures there are, of that folder or of all."""
        where = "" if folder is None else _in(folder)
        with self._one_line_errors():
            rows = self._client.query(
                self.collection, where, output_fields=["count(*)"], timeout=ANSWER_SECONDS
            )
        return rows[0]["count(*)"]

    def of_folder(self, folder: str) -> Iterator[Entry]:
        """All entries of a folder, in no order."""
        with self._one_line_errors():
            pages = self._client.query_iterator(
                self.collection, MAX_ROWS, filter=_in(folder), output_fields=_ENTRY_FIELDS
            )
            while rows := pages.next():
                yield from (_entry(row, self.uri) for row in rows)
            pages.close()

    def search(self, query: Float[Tensor, " E"], k: int, filter: str = "") -> list[tuple[float, Entry]]:
        """The k pictures nearest to the query, best first, each with its score: the inner product.

        Args:
            filter: which pictures may be found: a Milvus boolean expression over `FIELDS` and tags, such as
                'width >= 64 and colour == "red"'.

        Raises:
            InputError: an expression that Milvus doesn't understand, and as all calls.
        """
        if not 1 <= k <= MAX_ROWS:
            raise InputError(f"k: {k}, expected 1 to {MAX_ROWS}")
        with self._one_line_errors(filter and f"filter {filter!r}"):
            (hits,) = self._client.search(
                self.collection,
                [query.float().cpu().numpy()],
                filter,
                limit=k,
                output_fields=_ENTRY_FIELDS,
                search_params={"metric_type": "IP", "params": {"nprobe": 1} if self._embedded else {}},
                timeout=ANSWER_SECONDS,
            )
        # by which name a hit has its key depends on the server's version; every one calls it its id
        return [(hit["distance"], _entry({"content": hit.id, **hit["entity"]}, self.uri)) for hit in hits]

    def flush(self) -> None:
        """Writes what was put to segments, which are searched fast."""
        with self._one_line_errors(), _faiss_quiet():
            self._client.flush(self.collection, timeout=ANSWER_SECONDS)

    def close(self) -> None:
        """Closes the store, so that another process can open it."""
        self._client.close()
        if self._embedded:
            server_manager_instance.release_server(self.uri)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _rows(self, contents: Sequence[str], fields: list[str]) -> list[dict]:
        if not contents:
            return []
        with self._one_line_errors():
            return self._client.get(
                self.collection,
                ids=list(contents),
                output_fields=["content", *fields],
                timeout=ANSWER_SECONDS,
            )

    @contextmanager
    def _one_line_errors(self, about: str = "") -> Iterator[None]:
        """Turns Milvus's errors into one line."""
        try:
            yield
        except (MilvusException, grpc.RpcError, OSError) as error:
            reason = getattr(error, "message", None) or str(error)
            what = f"{self.uri}: {about}" if about else self.uri
            raise InputError(f"{what}: {reason.strip().splitlines()[0]}") from error


_ENTRY_FIELDS = ["folder", "path", "width", "height", "$meta"]


def _entry(row: dict[str, Any], uri: str) -> Entry:
    own = {name: row[name] for name in ("content", "folder", "path", "width", "height")}
    inside(own["path"], f"{uri}: path")
    return Entry(**own, tags={name: value for name, value in row.items() if name not in FIELDS})


def _in(folder: str) -> str:
    return f"folder == {json.dumps(folder, ensure_ascii=False)}"


def _connect(uri: str) -> MilvusClient:
    scheme, _, rest = uri.partition("://")
    if scheme not in SERVERS:
        raise InputError(
            f"{uri}: {scheme}: is refused; expected a path that ends in .db, or http://HOST:PORT"
        )
    if scheme != "unix" and (not rest or rest[0] in ":/"):  # Milvus would take it for localhost
        raise InputError(f"{uri}: it names no host, expected http://HOST:PORT")
    return MilvusClient(uri, timeout=CONNECT_SECONDS)


def _connect_embedded(uri: str, create: bool) -> MilvusClient:
    path = local_path(uri)
    if path.suffix != ".db":
        raise InputError(f"{uri}: expected a path that ends in .db, or http://HOST:PORT")
    for folder in (path, *path.parents):
        if folder.is_file():
            raise InputError(f"{uri}: a store is a folder, but {folder} is a file")
    if not create and not path.exists():
        raise InputError(f"{uri}: no store here")
    check_links(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _logged("milvus_lite.server_manager") as reasons:
        try:
            return MilvusClient(uri)
        except MilvusException as error:
            raise InputError(f"{uri}: {next(reasons, error)}") from error


@contextmanager
def _logged(name: str) -> Iterator[Iterable[str]]:
    """The exceptions that a logger is given in the block, which are then not printed: Milvus Lite says
    nowhere else why it can't open a store."""
    logger, seen = logging.getLogger(name), []
    keep = logging.Handler()
    keep.emit = lambda record: record.exc_info and seen.append(str(record.exc_info[1]))
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(keep)
    try:
        yield iter(seen)
    finally:
        logger.removeHandler(keep)
        logger.propagate = propagate


@contextmanager
def _faiss_quiet() -> Iterator[None]:
    """Hides faiss's warnings on the process's stderr that few vectors train the index: one list needs no
    training."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
