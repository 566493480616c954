"""The branches of one visitor's dialog: each a `DrawingSession` with a name and the model that draws it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cdd_icm.config import from_dict
from cdd_icm.errors import InputError
from cdd_icm.io import read_json, replacing, to_json
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.sources import path_within
from cdd_icm.text import check_text

RECORD = "studio.json"
NAME_LENGTH = 40
MOST = 20
"""Branches of a dialog."""


@dataclass
class Branch:
    """One branch."""

    name: str
    model: str
    session: DrawingSession
    folder: str
    """Where it is saved, within the dialog's folder."""


@dataclass
class Branches:
    """All branches, in the order in which they were made, and which is shown. One thread at a time."""

    branches: list[Branch] = field(default_factory=list)
    current: int = 0

    @property
    def branch(self) -> Branch:
        return self.branches[self.current]

    @property
    def names(self) -> list[str]:
        return [branch.name for branch in self.branches]

    def add(self, name: str, model: str, session: DrawingSession) -> Branch:
        """Adds a branch and shows it.

        Raises:
            InputError: there are `MOST` already, or the name is not valid.
        """
        if len(self.branches) >= MOST:
            raise InputError(f"branches: there are {MOST} already; delete one, or start a new dialog")
        numbers = [int(branch.folder.removeprefix("branch-")) for branch in self.branches]
        folder = f"branch-{max(numbers, default=0) + 1}"
        self.branches.append(Branch(self._free(checked_name(name)), model, session, folder))
        self.current = len(self.branches) - 1
        return self.branch

    def fork(self, turn: int, name: str = "") -> Branch:
        """Adds a branch with the first `turn` turns of the current one.

        Raises:
            InputError: as `add`, or there is no such turn.
        """
        source = self.branch
        session = source.session.branch()
        steps = len(session.turns) - turn
        if not 0 <= turn <= len(session.turns) + len(session.undone):
            raise InputError(f"branch: turn {turn}, expected 0 to {len(session.turns)}")
        for _ in range(abs(steps)):
            session.undo() if steps > 0 else session.redo()
        return self.add(name or f"{source.name} from {turn}", source.model, session)

    def show(self, name: str) -> Branch:
        """Raises InputError if there is no branch of that name."""
        if name not in self.names:
            raise InputError(f"branch: there is none called {name!r:.60}")
        self.current = self.names.index(name)
        return self.branch

    def rename(self, name: str) -> None:
        """Raises InputError if the name is empty, too long or taken."""
        name = checked_name(name)
        if name != self.branch.name and name in self.names:
            raise InputError(f"branch: there is already one called {name!r}")
        self.branch.name = name

    def delete(self) -> None:
        """Raises InputError if it is the only branch."""
        if len(self.branches) == 1:
            raise InputError("branch: the only one can't be deleted; start a new dialog instead")
        del self.branches[self.current]
        self.current = min(self.current, len(self.branches) - 1)

    def _free(self, name: str) -> str:
        """The name, with a number if it is taken."""
        if name not in self.names:
            return name
        number = next(n for n in range(2, 2 * MOST + 3) if f"{name} {n}" not in self.names)
        return f"{name} {number}"


def checked_name(name: str) -> str:
    """The name of a branch without space around it. Raises InputError if it is empty or too long."""
    name = " ".join(check_text(name, "branch").split())
    if not 1 <= len(name) <= NAME_LENGTH:
        raise InputError(f"branch: a name of {len(name)} characters, expected 1 to {NAME_LENGTH}")
    return name


@dataclass(frozen=True)
class _BranchRecord:
    name: str
    model: str
    folder: str


@dataclass(frozen=True)
class _Record:
    """The content of `studio.json`."""

    owner: str
    current: int
    branches: tuple[_BranchRecord, ...]


def save(folder: Path, owner: str, branches: Branches, only: Branch | None = None) -> None:
    """Saves a dialog in its folder: each branch as `DrawingSession.save` does, and last of all `studio.json`,
    so that a kill at any moment leaves the dialog before or after the change.

    Args:
        owner: digest of the visitor's key.
        only: the branch that changed; None saves them all.
    """
    for branch in branches.branches if only is None else [only]:
        branch.session.save(folder / branch.folder)
    entries = tuple(_BranchRecord(b.name, b.model, b.folder) for b in branches.branches)
    with replacing(folder / RECORD) as path:
        record = asdict(_Record(owner, branches.current, entries))
        path.write_text(to_json(record, indent=1) + "\n", encoding="utf-8")


def owner_of(folder: Path) -> str:
    """The digest of the key of the visitor whose dialog is saved in `folder`."""
    return _read(folder).owner


def load(folder: Path, pipeline_of: Callable[[str], CDDICMPipeline]) -> Branches:
    """The dialog saved in `folder`.

    Raises:
        InputError: a file is missing or damaged, or `pipeline_of` raises it for a model that is not served.
    """
    record = _read(folder)
    loaded = [
        Branch(
            entry.name, entry.model, DrawingSession.load(folder / entry.folder, pipeline_of(entry.model)),
            entry.folder,
        )
        for entry in record.branches
    ]  # fmt: skip
    return Branches(loaded, record.current)


def _read(folder: Path) -> _Record:
    file = folder / RECORD
    values: Mapping[str, Any] = read_json(file)
    record = from_dict(_Record, dict(values), str(file))
    if not 0 <= record.current < len(record.branches):
        raise InputError(f"{file}: current is {record.current}, expected a branch's number")
    for entry in record.branches:
        path_within(entry.folder, f"{file}: branches.folder")
        if not re.fullmatch(r"branch-\d{1,6}", entry.folder):
            raise InputError(f"{file}: branches.folder is {entry.folder!r}, expected branch-N")
    return record
