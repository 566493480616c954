"""Edits in the plan's own words, which do not depend on how they were asked for."""

from __future__ import annotations

from collections.abc import Sequence


def reword(gone: Sequence[str], drawn: Sequence[str]) -> str:
    """A text for what is removed or made to something else, and for what is drawn, in i-CLEVR's manner; the
    empty text for nothing."""
    return ". ".join([*(f"Remove the {name}" for name in gone), *(f"Add a {name}" for name in drawn)])


def look_name(name: str, traits: Sequence[str]) -> str:
    """The name of an object with its traits that are not the first, usual value: "small red cube"."""
    return " ".join([*traits, name])
