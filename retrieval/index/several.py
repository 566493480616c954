"""Several vectors a picture in Milvus: how they are stored, searched for and scored.

A picture's vectors are a text column, exact on every server. Candidates for a query are the pictures whose
mean vector is nearest or, on a server that has it, those that Milvus's own search by the best of several
vectors finds; the candidates are then scored exactly by their own vectors.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pymilvus import CollectionSchema, DataType, MilvusClient
from pymilvus.client.embedding_list import EmbeddingList
from pymilvus.milvus_client.index import IndexParams
from torch import Tensor
from torch.nn.functional import normalize

from cdd_icm.errors import InputError
from retrieval.systems.scores import max_over_vectors

CANDIDATES = 1000
"""How many pictures are scored exactly, where the k that is asked for is not higher."""

MAX_SIM_SINCE = (2, 6, 4)
"""The first Milvus that searches several vectors a row (MAX_SIM_IP); Milvus Lite has no such search."""

MAX_TEXT = 65535
"""Milvus's limit for a text column, in bytes."""


def has_max_sim(client: MilvusClient) -> bool:
    """Whether the server's version searches several vectors a row."""
    version = re.match(r"v?(\d+)\.(\d+)\.(\d+)", client.get_server_version())
    return version is not None and tuple(map(int, version.groups())) >= MAX_SIM_SINCE


def check_size(count: int, width: int) -> None:
    """Raises InputError where `count` vectors of length `width` are more than a text column can hold."""
    if count > 1 and (size := len(packed(np.zeros((count, width), np.float32)))) > MAX_TEXT:
        raise InputError(
            f"model: {count} vectors of {width} numbers a picture are {size} bytes as text, expected at most "
            f"{MAX_TEXT}"
        )


def add_fields(schema: CollectionSchema, count: int, width: int, max_sim: bool) -> None:
    """Adds the columns for `count` vectors of length `width`, beside that of their mean."""
    schema.add_field("vectors", DataType.VARCHAR, max_length=MAX_TEXT)
    if max_sim:
        row = MilvusClient.create_struct_field_schema()
        row.add_field("vector", DataType.FLOAT_VECTOR, dim=width)
        schema.add_field(
            "rows",
            datatype=DataType.ARRAY,
            element_type=DataType.STRUCT,
            struct_schema=row,
            max_capacity=count,
        )


def add_index(index: IndexParams) -> None:
    """The index of Milvus's own search."""
    index.add_index("rows[vector]", index_type="HNSW", metric_type="MAX_SIM_IP")


def columns(vectors: Float[np.ndarray, "T E"], max_sim: bool) -> dict[str, Any]:
    """The columns of a picture with these vectors."""
    mean = normalize(torch.from_numpy(vectors).mean(0), dim=0).numpy()
    own = {"vector": mean, "vectors": packed(vectors)}
    return {**own, "rows": [{"vector": vector} for vector in vectors]} if max_sim else own


def search_arguments(query: Float[np.ndarray, " E"]) -> dict[str, Any]:
    """Of Milvus's own search."""
    return {
        "data": [EmbeddingList([query])],
        "anns_field": "rows[vector]",
        "search_params": {"metric_type": "MAX_SIM_IP"},
    }


def scores(query: Float[Tensor, " E"], texts: Sequence[str], count: int, where: str) -> Float[Tensor, " N"]:
    """The query's score with each picture, max_k <q, v_k>, from their columns `vectors`."""
    width = len(query)
    vectors = torch.stack([torch.from_numpy(unpacked(text, count, width, where)) for text in texts])
    return max_over_vectors(query[None].float().cpu(), vectors)[0]


def packed(vectors: Float[np.ndarray, "T E"]) -> str:
    """Their float32 bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(vectors, dtype="<f4").tobytes()).decode()


def unpacked(text: str, count: int, width: int, where: str) -> Float[np.ndarray, "T E"]:
    """The inverse of `packed`.

    Raises:
        InputError: the column is not `count` vectors of length `width`; `where` names the store.
    """
    try:
        numbers = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
        return numbers.reshape(count, width).astype(np.float32)
    except ValueError as error:
        raise InputError(
            f"{where}: damaged: vectors: {text[:20]!r}... is not {count} of {width} numbers"
        ) from error
