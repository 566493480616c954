"""Checks the folder of a store before Milvus Lite opens it, which passes over tables that are gone and
deletes those that a damaged table of contents does not name."""

from __future__ import annotations

import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from cdd_icm.errors import InputError, first_line
from cdd_icm.io import read_json
from cdd_icm.limits import MEMORY, open_file
from cdd_icm.sources import path_within

CONTENTS = "manifest.json"
INDEX_HEAD = struct.Struct("<4siq")
"""How an index file of faiss begins: its kind, the length of a vector, and how many there are."""


def check_store(store: Path, collection: Path, width: int) -> None:
    """Checks the tables of a store of vectors of length `width`, reading only their headers.

    Raises:
        InputError: a table is gone, damaged or too large; or pictures and vectors
            don't match.
    """
    if not (collection / "schema.json").is_file():
        return  # no store yet, or what `Store` itself reports
    contents = collection / CONTENTS
    if not contents.is_file():
        if any(collection.rglob("*.parquet")):
            raise InputError(f"{store}: damaged: {contents.relative_to(store)} is missing")
        return
    tables = 0
    for table in _tables(store, contents):
        if not table.is_file():
            raise InputError(f"{store}: damaged: {table.relative_to(store)} is missing")
        if table.parent.name == "data":
            tables += _check_table(store, table, width)
            MEMORY.check(tables, f"{store}: its tables declare")


def _tables(store: Path, contents: Path) -> list[Path]:
    """The files that the table of contents names."""
    try:
        named = [
            (partition, name)
            for partition, files in read_json(contents)["partitions"].items()
            for name in (*files["data_files"], *files["delta_files"])
        ]
        return [
            contents.parent / "partitions" / path_within(f"{partition}/{name}", f"{contents}")
            for partition, name in named
        ]
    except (InputError, LookupError, AttributeError, TypeError) as error:
        raise InputError(f"{store}: damaged: no table of contents ({error})") from error


def _check_table(store: Path, table: Path, width: int) -> int:
    """The bytes of a table, unpacked, after a check against the model and the index of its vectors."""
    where = f"{store}: damaged: {table.relative_to(store)}"
    try:
        found, schema = parquet.read_metadata(table), parquet.read_schema(table)
        length = schema.field("vector").type.list_size
    except (OSError, KeyError, AttributeError, pa.ArrowException) as error:
        raise InputError(f"{where}: no table of pictures ({first_line(error)})") from error
    if length != width:
        raise InputError(f"{where}: vectors of {length} numbers, but the model has {width}")
    for index in sorted((table.parents[1] / "indexes").glob(f"{table.stem}.vector.*.idx")):
        with open_file(index, MEMORY) as file:
            head = file.read(INDEX_HEAD.size)
        if len(head) == INDEX_HEAD.size:  # shorter: of a process that was killed, and made again
            _, length, vectors = INDEX_HEAD.unpack(head)
            if (length, vectors) != (width, found.num_rows):
                raise InputError(
                    f"{where}: {found.num_rows} pictures, but {index.name} has {vectors} vectors of {length} "
                    "numbers; without that file, it is made again"
                )
    groups = (found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    return max(sum(groups), 4 * width * found.num_rows)
