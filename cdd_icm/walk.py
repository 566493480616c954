"""Lists the files below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cdd_icm.errors import InputError


def files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder that the user names, and broken links, in a fixed order.

    Symbolic links are followed; a folder inside itself is listed once. For folders that are not trusted see
    `sources.check_links`.

    Raises:
        InputError: a folder can't be listed. A listing is never silently incomplete.
    """
    todo: list[tuple[str, tuple]] = [(str(folder), ())]
    while todo:
        path, above = todo.pop()
        try:
            status = os.stat(path)
            names = sorted(os.listdir(path))
        except OSError as error:
            raise InputError(f"{path}: can't be listed ({error.strerror})") from error
        here = (status.st_dev, status.st_ino)
        if here in above:
            continue
        folders = []
        for name in names:
            entry = os.path.join(path, name)
            if os.path.isdir(entry):
                folders.append((entry, (*above, here)))
            else:
                yield Path(entry)
        todo += reversed(folders)
