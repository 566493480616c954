"""Executes the tutorials and keeps their outputs.

python docs/site/notebooks.py              (`make notebooks`: all of docs/tutorials/*.ipynb, in place)
python docs/site/notebooks.py draw find
python docs/site/notebooks.py --smallest   in the cells' smallest form; nothing is written

A notebook runs in an empty folder in which only data/ and configs/ are found, so that no run finds what an
earlier one wrote.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

from cdd_icm.console import print_error, say
from cdd_icm.data.picture import decode
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.text import read_text

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "tutorials"
NEEDED = ("data", "configs")
SECONDS = 3_600
"""That a cell may take."""


def execute(file: Path, smallest: bool = False) -> NotebookNode:
    """The notebook with the outputs of all its cells, which are run in order in a new kernel.

    Args:
        smallest: run a cell that has a `smallest` in its metadata in that form.

    Raises:
        InputError: a cell failed; the message names the notebook, the cell and the error.
    """
    notebook = nbformat.reads(read_text(file), as_version=4)
    for cell in notebook.cells:
        if smallest and "smallest" in cell.metadata:
            cell.source = cell.metadata["smallest"]
    with TemporaryDirectory() as folder:
        for name in NEEDED:
            (Path(folder) / name).symlink_to(ROOT / name)
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "COLUMNS": "100"}
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=SECONDS,
            startup_timeout=300,  # on a busy machine a minute is short
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
            number = next(k for k, cell in enumerate(cells, start=1) if _failed(cell))
            line = f"{error.ename}: {error.evalue}".splitlines()[0]
            raise InputError(f"{file}: code cell {number}: {line}") from error
        for cell in notebook.cells:
            _clean(cell, folder)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def _failed(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


def _clean(cell: NotebookNode, folder: str) -> None:
    """Leaves out what differs from machine to machine: warnings, progress, folders; and second forms of
    pictures."""
    if cell.cell_type != "code":
        return
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    for output in cell.outputs:
        for text, holder in _texts(output):
            holder[text] = re.sub(rf"({re.escape(folder)}|{re.escape(str(ROOT))})/?", "", holder[text])
        data = output.get("data", {})
        if "image/png" in data:
            output["data"] = {"image/png": _small(data["image/png"])}


def _small(png: str) -> str:
    """A picture in base64 with a palette of 256 colours, a third of the bytes."""
    pixels = decode(base64.b64decode(png), "a picture of the notebook")
    buffer = io.BytesIO()
    # no dither: it would look like grain that the model had left
    image = Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE)
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode() + "\n"


def _texts(output: NotebookNode) -> Iterator[tuple[str, dict]]:
    if "text" in output:
        yield "text", output
    for kind in output.get("data", {}):
        if kind.startswith("text/"):
            yield kind, output["data"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="such as draw (default: all)")
    parser.add_argument("--smallest", action="store_true", help="only see whether they run")
    a = parser.parse_args(argv)
    try:
        for file in [FOLDER / f"{name}.ipynb" for name in a.names] or sorted(FOLDER.glob("*.ipynb")):
            notebook = execute(file, a.smallest)
            if not a.smallest:
                with replacing(file) as path:
                    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
            say(file.relative_to(ROOT), flush=True)
    except InputError as error:
        print_error("notebooks", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
