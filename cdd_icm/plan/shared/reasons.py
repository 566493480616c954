"""Why a turn changes nothing, in words."""

from __future__ import annotations

from collections.abc import Sequence


def unchanged_because(intent: str, unknown: Sequence[str]) -> str:
    """The reason; `intent`: one of `INTENTS`, `unknown`: the words that the model does not know."""
    match intent:
        case "nothing":
            return "asks for no change"
        case "unknown":
            what = " or ".join(unknown) if unknown else "such thing"
            return f"no {what} in this model's world"
        case "absent":
            return "no such object in the picture, or more than one"
    return "not understood"
