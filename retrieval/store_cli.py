"""The commands of `cdd-retrieval` for stores: `index`, `search`, `status` and `remove`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cdd_icm.cli.arguments import whole_number
from cdd_icm.console import printable, say
from cdd_icm.errors import InputError, Stopped
from cdd_icm.sources import local_path

if TYPE_CHECKING:
    from retrieval.model import RetrievalModel

SHIPPED = Path(__file__).parents[1] / "data" / "pretrained" / "retrieval_iclevr"
"""The model that comes with the sources; a package installed without them has none."""


def add_commands(groups: argparse._SubParsersAction) -> None:
    """Adds the commands of this module."""
    index = groups.add_parser("index", help="update a store to the pictures in a folder")
    index.add_argument("images", type=Path, metavar="IMAGES", help="folder; tags are in its metadata.jsonl")
    _add_store(index)
    index.add_argument("--batch-size", type=whole_number, default=64, help="pictures (default: %(default)s)")
    index.add_argument(
        "--prune", action="store_true", help="remove pictures that are gone even if they are over a tenth"
    )
    index.add_argument(
        "--allow-unreadable", action="store_true", help="exit with 0 even if some were left out"
    )
    index.set_defaults(run=_index)

    search = groups.add_parser("search", help="'this picture, but with ...' over a store")
    _add_store(search)
    search.add_argument(
        "--image",
        type=Path,
        metavar="P",
        help="the reference; without it, only the text",
    )
    search.add_argument("--text", help="what to change about it; without it, similar pictures are found")
    search.add_argument("-k", type=whole_number, default=10, help="how many to find (default: %(default)s)")
    search.add_argument(
        "--filter",
        default="",
        metavar="EXPR",
        help="a condition on hits: 'width >= 64 and colour == \"red\"'",
    )
    search.add_argument("--out", type=Path, metavar="PNG", help="a sheet of the query and its hits")
    search.set_defaults(run=_search)

    status = groups.add_parser("status", help="the folders of a store, and files that are gone or changed")
    _add_store(status)
    status.set_defaults(run=_status)

    remove = groups.add_parser("remove", help="take pictures out of a store; no file is deleted")
    remove.add_argument(
        "path", type=Path, nargs="?", metavar="PATH", help="a folder or file, which may be gone"
    )
    remove.add_argument("--gone", action="store_true", help="all pictures whose file is gone")
    _add_store(remove)
    remove.set_defaults(run=_remove)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", required=True, metavar="URI", help="a path that ends in .db, or a Milvus URL"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        default=SHIPPED,
        required=not SHIPPED.is_dir(),
        help="folder of a trained model (default: the shipped one, for i-CLEVR)",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")


def _index(arguments: argparse.Namespace) -> None:
    from retrieval.index.build import check, index
    from retrieval.index.store import Store

    if arguments.batch_size < 1:
        raise InputError(f"--batch-size {arguments.batch_size}: expected at least 1")
    model = _model(arguments)
    check(arguments.images, model)  # first: a store that is made belongs to its model from then on
    with Store(arguments.store, model.fingerprint, model.width, True, model.vectors) as store:
        done = index(arguments.images, store, model, arguments.batch_size, prune=arguments.prune)
        total = store.count()
    for reason in done.unreadable:
        say(f"left out: {reason}")
    say(
        f"{arguments.store}: {done.added} added, {done.updated} updated, {done.unchanged} unchanged, "
        f"{done.duplicates} duplicates, {done.removed} removed; {total} pictures"
    )
    if done.added:
        say(f"{done.seconds:.1f} s, the model ran for {done.model_seconds / done.seconds:.0%} of them")
    if done.stopped:
        where = f"{arguments.images}: stopped before the end"
        raise Stopped(f"{where}; run the same command again to resume", done.stopped)
    if done.kept:
        raise InputError(
            f"{arguments.images}: {done.kept} of the store's {total} pictures are no longer here, over a "
            "tenth of them, and were not removed; --prune removes them"
        )
    if done.unreadable and not arguments.allow_unreadable:
        raise InputError(
            f"{arguments.images}: {len(done.unreadable)} pictures can't be read and were left out, "
            "which --allow-unreadable allows"
        )


def _search(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from cdd_icm.data.files import FolderFiles
    from cdd_icm.data.picture import EncodedPicture
    from cdd_icm.io import check_writable, replacing
    from retrieval.index.search import search, sheet
    from retrieval.index.store import Store

    if arguments.out and arguments.out.suffix != ".png":
        raise InputError(f"--out {arguments.out}: expected a name that ends in .png")
    if arguments.out:
        check_writable(arguments.out)
    picture = None
    if arguments.image:
        files = FolderFiles(local_path(arguments.image).parent)
        picture = Image.fromarray(EncodedPicture(files, arguments.image.name).decode())
    model = _model(arguments)
    with Store(arguments.store, model.fingerprint, model.width, vectors=model.vectors) as store:
        hits = search(store, model, picture, arguments.text, arguments.k, arguments.filter)
        if not hits:
            say(f"{arguments.store}: nothing found among {store.count()} pictures", file=sys.stderr)
    for rank, hit in enumerate(hits, 1):
        entry = hit.entry
        tags = json.dumps(entry.tags, ensure_ascii=False)
        line = f"{rank}\t{hit.score:.4f}\t{entry.file}\t{entry.width}x{entry.height}\t{tags}"
        line += "\tgone" * hit.gone
        say(printable(line, one_line=True))
    if gone := sum(hit.gone for hit in hits):
        say(
            f"{arguments.store}: the files of {gone} hits are gone; `cdd-retrieval status` lists all of them",
            file=sys.stderr,
        )
    if arguments.out:
        with replacing(arguments.out) as path:
            sheet(picture, arguments.text, hits).save(path)
        say(arguments.out)


def _model(arguments: argparse.Namespace) -> RetrievalModel:
    from cdd_icm.device import find_device
    from retrieval.model import RetrievalModel

    device = find_device(arguments.device)
    return RetrievalModel.from_pretrained(arguments.model).to(device)


def _status(arguments: argparse.Namespace) -> int:
    from retrieval.index.store import Store
    from retrieval.index.upkeep import status

    model = _model(arguments)
    with Store(arguments.store, model.fingerprint, model.width, vectors=model.vectors) as store:
        found = status(store)
    for folder, count in sorted(found.folders.items()):
        say(f"{count}\t{printable(folder, one_line=True)}")
    for word, entries in (("gone", found.gone), ("changed", found.changed)):
        for entry in entries:
            say(f"{word}\t{printable(entry.file, one_line=True)}")
    say(
        f"{arguments.store}: {found.folders.total()} pictures; {len(found.gone)} files are gone and "
        f"{len(found.changed)} changed"
    )
    return 2 if found.gone or found.changed else 0


def _remove(arguments: argparse.Namespace) -> None:
    from retrieval.index.store import Store
    from retrieval.index.upkeep import remove, remove_gone

    if (arguments.path is None) != arguments.gone:
        raise InputError("remove: give either PATH or --gone")
    model = _model(arguments)
    with Store(arguments.store, model.fingerprint, model.width, vectors=model.vectors) as store:
        removed = remove_gone(store) if arguments.gone else remove(arguments.path, store)
        say(f"{arguments.store}: {removed} removed; {store.count()} pictures")
