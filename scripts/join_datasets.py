"""Joins data sets of any kind that `cdd-icm data info` reads into one folder with metadata.jsonl.

    python scripts/join_datasets.py OUT data/iclevr data/clevr_edits

Ids get the number of their data set as a prefix; pictures are copied as they are stored.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from cdd_icm.console import print_error, say
from cdd_icm.data import Picture, load_dialogs
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError
from cdd_icm.io import replacing, to_json


def join(out: Path, sources: list[Path]) -> int:
    """Writes the folder and returns its number of dialogs.

    Raises:
        InputError: a source can't be read, or `out` exists.
    """
    if out.exists():
        raise InputError(f"{out}: exists already")
    count, written = 0, set()
    with replacing(out) as folder:
        for number, source in enumerate(sources):
            for dialog in load_dialogs(source):
                (folder / dialog.split).mkdir(parents=True, exist_ok=True)
                rows: list[dict[str, Any]] = [{"instruction": "", "picture": dialog.canvas, "objects": []}]
                rows += [
                    {"instruction": turn.instruction, "picture": turn.picture, "objects": turn.objects}
                    for turn in dialog.turns
                ]
                with open(folder / dialog.split / "metadata.jsonl", "a", encoding="utf-8") as file:
                    for turn, row in enumerate(rows):
                        fields = {
                            "file_name": save(row["picture"], folder / dialog.split, written),
                            "dialog_id": f"{number}_{dialog.id}",
                            "turn": turn,
                            "instruction": row["instruction"],
                        }
                        if row["objects"] is not None:
                            fields["objects"] = [
                                {**vars(obj), "look": dict(obj.look)} for obj in row["objects"]
                            ]
                        file.write(to_json(fields) + "\n")
                count += 1
    return count


def save(picture: Picture, folder: Path, written: set[tuple[str, str]]) -> str:
    """Writes the picture unless it is there, and returns the file's name."""
    encoded = isinstance(picture, EncodedPicture)
    name = picture.key + (Path(picture.name).suffix if encoded else ".png")
    if (folder.name, name) not in written:
        if encoded:
            (folder / name).write_bytes(picture.encoded())
        else:
            Image.fromarray(picture.decode()).save(folder / name)
        written.add((folder.name, name))
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("sources", type=Path, nargs="+")
    arguments = parser.parse_args()
    try:
        say(f"{join(arguments.out, arguments.sources)} dialogs")
    except InputError as error:
        print_error("join_datasets", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
