"""Vectors and metadata of pictures in Milvus: Milvus Lite in this process for a path, a server or cluster for
a URL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import torch
from jaxtyping import Float
from milvus_lite.server_manager import server_manager_instance
from pymilvus import DataType, MilvusClient, MilvusException
from torch import Tensor

from cdd_icm.errors import InputError, of_type
from cdd_icm.lock import ThreadLock, claimed, serial
from cdd_icm.sources import check_links, local_path, path_within
from cdd_icm.text import check_text
from retrieval.index import several
from retrieval.index.damage import check_store
from retrieval.index.quiet import faiss_quiet, logged

FIELDS = ("content", "folder", "path", "width", "height", "vector", "vectors", "rows")
"""The columns of a store. A picture's tags are further columns, so they can't have these names."""

PREFIX = "pictures_"
"""A store is one collection, named by this prefix and its model's fingerprint."""

MAX_ROWS = 16384
"""Milvus's limit for the rows of one answer."""

EXACT_INDEX = {"index_type": "IVF_FLAT", "params": {"params": json.dumps({"nlist": 1})}}
"""An exact search by faiss, over a single list. Milvus Lite's FLAT copies all vectors at each search, which
for 100,000 of them takes longer than everything else. pymilvus would flatten params that are not nested."""

SERVERS = ("http", "https", "tcp", "unix")
"""The schemes of a Milvus server's URL."""

MAX_TEXT_BYTES = 65535  # Milvus's limit for a text column
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 600.0

PATIENCE = 10.0
"""Seconds that a search waits for the process that has the store open."""


@dataclass(frozen=True)
class Entry:
    """A picture's row in the store, without its vector."""

    content: str
    """SHA-256 of its file's bytes, the primary key."""
    folder: str
    """The folder that was indexed, as an absolute path."""
    path: str
    """Its file in that folder, with forward slashes."""
    width: int
    height: int
    tags: dict[str, Any] = field(default_factory=dict)
    """The other fields of its row in metadata.jsonl."""

    @property
    def file(self) -> Path:
        return Path(self.folder) / self.path


class Store:
    """The vectors of one model, by the content of the pictures; putting a picture again replaces it.

    Every call raises a one-line `InputError` where Milvus can't be reached or refuses. Once `put` returns,
    its pictures stay in the store even if the process is killed. Several threads may use one store: its calls
    run one after the other.

    Args:
        uri: a path that ends in .db, http://HOST:PORT, or http://HOST:PORT/DATABASE for one of several stores
            on a server. Only one process at a time can open a path; where another does to search, it waits
            `PATIENCE` seconds. A server has no lock: several may index there, as long as it is not the same
            folder.
        fingerprint, width: of the model, see `retrieval.index.encoder.Encoder`.
        create: creates the store if it doesn't exist.
        vectors: how many a picture has; of several, the best one scores (see `retrieval.index.several`).

    Raises:
        InputError: the store doesn't exist, was made with another model, is open in another process, or is
            unreachable or damaged.
    """

    def __init__(self, uri: str, fingerprint: str, width: int, create: bool = False, vectors: int = 1):
        # what these log is also raised as an exception
        for name in ("pymilvus", "grpc._server", "milvus_lite.adapter"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.uri, self.collection = uri, PREFIX + fingerprint
        self.width, self.vectors = width, vectors
        self._embedded = "://" not in uri
        self._lock, self._opened = ThreadLock(), ExitStack()
        with self._opened:
            if self._embedded:
                path = _check_path(uri, create)
                self._opened.enter_context(claimed(path, 0 if create else PATIENCE))
                self._opened.callback(server_manager_instance.release_server, uri)
            with self._one_line_errors():
                if self._embedded:
                    check_store(path, self._folder, width)
                self._client = _connect_embedded(uri) if self._embedded else _connect(uri)
            self._opened.callback(self._client.close)
            self._open(fingerprint, create)
            self._opened = self._opened.pop_all()  # it stays open where all went well

    def _open(self, fingerprint: str, create: bool) -> None:
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
            self._create()
        with self._one_line_errors():
            found = self._client.describe_collection(self.collection, timeout=ANSWER_SECONDS)
            # as described: a server may pass over a column that it doesn't know
            self._max_sim = any(field["name"] == "rows" for field in found["fields"])
            # checked each time: a process may have been killed after it created the collection
            if not self._client.list_indexes(self.collection):
                index = self._client.prepare_index_params()
                kind = EXACT_INDEX if self._embedded else {"index_type": "AUTOINDEX"}
                index.add_index("vector", metric_type="IP", **kind)
                if self._max_sim:
                    several.add_index(index)
                self._client.create_index(self.collection, index, timeout=ANSWER_SECONDS)
            self._load()
        if self._embedded:
            self.flush()  # rows that a killed process put without a flush are searched slowly, one by one

    def _load(self) -> None:
        try:
            with faiss_quiet():
                self._client.load_collection(self.collection, timeout=ANSWER_SECONDS)
        except MilvusException:
            if not self._embedded:
                raise
            # a process killed while it wrote an index file leaves part of it, which Milvus Lite refuses; it
            # rebuilds deleted ones from the rows
            for file in self._folder.rglob("*.idx"):
                file.unlink()
            with faiss_quiet():
                self._client.load_collection(self.collection, timeout=ANSWER_SECONDS)

    def _clear(self) -> None:
        """Removes the leftovers of a process that was killed while it created a collection: Milvus Lite fails
        on them."""
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

    def _create(self) -> None:
        schema = MilvusClient.create_schema(enable_dynamic_field=True)
        schema.add_field("content", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("folder", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        schema.add_field("path", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        schema.add_field("width", DataType.INT64)
        schema.add_field("height", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self.width)
        with self._one_line_errors():
            if self.vectors > 1:
                max_sim = not self._embedded and several.has_max_sim(self._client)
                several.add_fields(schema, self.vectors, self.width, max_sim)
            self._client.create_collection(
                self.collection, schema=schema, consistency_level="Strong", timeout=ANSWER_SECONDS
            )

    @serial
    def put(self, entries: Sequence[Entry], vectors: Float[Tensor, "N *vectors E"]) -> None:
        """Adds pictures. Old tags of a picture that is already in the store may remain: use `change` for
        those."""
        rows = [
            {
                **entry.tags,
                "content": entry.content,
                "folder": entry.folder,
                "path": entry.path,
                "width": entry.width,
                "height": entry.height,
                **({"vector": vector} if self.vectors == 1 else several.columns(vector, self._max_sim)),
            }
            for entry, vector in zip(entries, vectors.float().cpu().numpy(), strict=True)
        ]
        if rows:
            with self._one_line_errors():
                self._client.upsert(self.collection, rows, timeout=ANSWER_SECONDS)

    @serial
    def get(self, contents: Sequence[str]) -> dict[str, Entry]:
        """The entries with these content digests, as far as they are in the store."""
        return {
            entry.content: entry
            for entry in (_entry(row, self.uri) for row in self._rows(contents, _ENTRY_FIELDS))
        }

    @serial
    def change(self, entries: Sequence[Entry]) -> None:
        """Replaces path and tags of pictures that are in the store; their vectors stay. They are removed and
        put again, so a process that is killed in between may lose some of them."""
        if entries:
            contents = [entry.content for entry in entries]
            column = "vector" if self.vectors == 1 else "vectors"
            found = {row["content"]: row[column] for row in self._rows(contents, [column])}
            if self.vectors > 1:
                shape = self.vectors, self.width, self.uri
                found = {content: several.unpacked(text, *shape) for content, text in found.items()}
            self.remove(contents)  # in Milvus Lite, put alone would mix old and new tags
            self.put(
                entries, torch.from_numpy(np.array([found[content] for content in contents], np.float32))
            )

    @serial
    def remove(self, contents: Sequence[str]) -> None:
        for start in range(0, len(contents), MAX_ROWS):
            with self._one_line_errors():
                some = list(contents[start : start + MAX_ROWS])
                self._client.delete(self.collection, ids=some, timeout=ANSWER_SECONDS)

    @serial
    def count(self, folder: str | None = None) -> int:
        """The number of pictures, in all or of one folder."""
        where = "" if folder is None else _in(folder)
        with self._one_line_errors():
            rows = self._client.query(
                self.collection, where, output_fields=["count(*)"], timeout=ANSWER_SECONDS
            )
        return rows[0]["count(*)"]

    def entries(self, folder: str | None = None) -> Iterator[Entry]:
        """All entries, or those of a folder, in any order."""
        where = "" if folder is None else _in(folder)
        with self._one_line_errors():
            pages = self._client.query_iterator(
                self.collection, MAX_ROWS, filter=where, output_fields=_ENTRY_FIELDS
            )
            while rows := pages.next():
                yield from (_entry(row, self.uri) for row in rows)
            pages.close()

    @serial
    def search(self, query: Float[Tensor, " E"], k: int, filter: str = "") -> list[tuple[float, Entry]]:
        """The k pictures nearest to the query, best first, each with its score: the inner product or, of
        several vectors a picture, the highest among `several.CANDIDATES` candidates.

        Args:
            filter: a condition on the hits: a Milvus boolean expression over `FIELDS` and tags, such as
                'width >= 64 and colour == "red"'.

        Raises:
            InputError: an invalid expression, and as for all calls.
        """
        of_type(k, int, "k", "a whole number")
        of_type(filter, str, "filter", "text")
        check_text(filter, "filter")
        if not 1 <= k <= MAX_ROWS:
            raise InputError(f"k: {k}, expected 1 to {MAX_ROWS}")
        numbers, several_each = query.float().cpu(), self.vectors > 1
        nearest = {"params": {"nprobe": 1} if self._embedded else {}, "metric_type": "IP"}
        by: dict[str, Any] = {"data": [numbers.numpy()], "anns_field": "vector", "search_params": nearest}
        if self._max_sim:
            by = several.search_arguments(numbers.numpy())
        with self._one_line_errors(filter and f"filter {filter!r}"):
            (hits,) = self._client.search(
                self.collection,
                filter=filter,
                limit=max(k, several.CANDIDATES) if several_each else k,
                output_fields=[*_ENTRY_FIELDS, *["vectors"] * several_each],
                timeout=ANSWER_SECONDS,
                **by,
            )
        # the name of the key's field depends on the server's version, but every version has `id`
        found = [(hit["distance"], {"content": hit.id, **hit["entity"]}) for hit in hits]
        if several_each and found:
            texts = [row["vectors"] for _, row in found]
            scores = several.scores(numbers, texts, self.vectors, self.uri).sort(descending=True, stable=True)
            best = zip(scores.values.tolist()[:k], scores.indices.tolist(), strict=False)
            found = [(score, found[at][1]) for score, at in best]
        return [(score, _entry(row, self.uri)) for score, row in found]

    @serial
    def flush(self) -> None:
        """Writes the pictures that were put to segments, which are fast to search."""
        with self._one_line_errors(), faiss_quiet():
            self._client.flush(self.collection, timeout=ANSWER_SECONDS)

    @serial
    def close(self) -> None:
        """Closes the store, so that another process can open it."""
        self._opened.close()

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
    path_within(own["path"], f"{uri}: path")
    return Entry(**own, tags={name: value for name, value in row.items() if name not in FIELDS})


def _in(folder: str) -> str:
    return f"folder == {json.dumps(folder, ensure_ascii=False)}"


def _connect(uri: str) -> MilvusClient:
    scheme, _, rest = uri.partition("://")
    if scheme not in SERVERS:
        raise InputError(
            f"{uri}: {scheme}: is refused; expected a path that ends in .db, or http://HOST:PORT"
        )
    if scheme != "unix" and (not rest or rest[0] in ":/"):  # Milvus would connect to localhost
        raise InputError(f"{uri}: it names no host, expected http://HOST:PORT")
    return MilvusClient(uri, timeout=CONNECT_SECONDS)


def _check_path(uri: str, create: bool) -> Path:
    """The folder of an embedded store. Raises InputError if it can't be one."""
    path = local_path(uri)
    if path.suffix != ".db":
        raise InputError(f"{uri}: expected a path that ends in .db, or http://HOST:PORT")
    for folder in (path, *path.parents):
        if folder.is_file():
            raise InputError(f"{uri}: a store is a folder, but {folder} is a file")
    if not create and not path.exists():
        raise InputError(f"{uri}: no store here")
    check_links(path)  # before its lock is written into it
    return path


def _connect_embedded(uri: str) -> MilvusClient:
    with logged("milvus_lite.server_manager") as reasons:
        try:
            return MilvusClient(uri)
        except MilvusException as error:
            # that another program has it open comes with an error number, which says no more
            raise InputError(f"{uri}: {str(next(reasons, error)).partition(': [Errno')[0]}") from error
