"""Reads CoDraw's official JSON (Kim et al. 2019), split into turns by GeNeVA's rules (El-Nouby et al. 2019).

The data is one JSON file, plain or `.xz` (`{"data": {"train_00012": {"dialog": [...]}, ...}}`), a folder of
such files, or a folder with one JSON file per dialog (`train_00012.json`). A round of a dialog has the
messages `msg_t` (teller) and `msg_d` (drawer), and `abs_d`, the drawer's canvas afterwards, '' if it did not
change.
"""

from __future__ import annotations

import lzma
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cdd_icm.data.codraw_painter import HEIGHT, WIDTH, ClipArt, PaintedPicture, Piece, parse_canvas
from cdd_icm.data.dialog import Dialog, SceneObject, Turn
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.fields import checked
from cdd_icm.errors import InputError
from cdd_icm.io import parse_json
from cdd_icm.limits import TEXT, open_file, read_stream
from cdd_icm.sources import local_path

KIND = "codraw"
DESCRIPTION = "CoDraw"
CHITCHAT = frozenset({"hi", "done", "ok", "alright", "okay", "thanks", "bye", "hello"})

_WORD = re.compile(r"['’]?\w+(?:['’./-]\w+)*")
_ID = re.compile(r"(?P<split>[^/\0\ud800-\udfff]+)_\d+")  # the split becomes part of file names


def kind_of(path: Path) -> str | None:
    return KIND if any(_looks_like_codraw(file) for file in _json_files(path)) else None


def read(
    path: Path, split: str | None = None, on_fault: OnFault = stop, clip_art: str | Path | None = None
) -> list[Dialog]:
    """The dialogs with at least one turn under GeNeVA's rules; only those of `split` if given.

    Args:
        clip_art: the folder of PNG files; by default `Pngs` beside or inside `path`.

    Raises:
        InputError: a file can't be parsed, a field or clip art is missing, a canvas is malformed.
    """
    art = ClipArt(_clip_art_folder(path) if clip_art is None else local_path(clip_art))
    try:
        art.check()
    except InputError as fault:
        on_fault(fault)
    dialogs = []
    for id, scene, where in _scenes(path, on_fault):
        dialog_split = id.rpartition("_")[0]
        if split in (None, dialog_split):
            try:
                turns = turns_by_geneva(scene, where)
            except InputError as fault:
                on_fault(fault)
                continue
            if turns:
                dialogs.append(_dialog(id, dialog_split, turns, art))
    return dialogs


def count_raw_dialogs(path: Path) -> Counter[str]:
    """The number of dialogs of each split before GeNeVA's rules; CoDraw 1.0 has 7,989 in train, 1,002 in val
    and 1,002 in test."""
    return Counter(id.rpartition("_")[0] for id, _, _ in _scenes(path, stop))


def turns_by_geneva(scene: dict, where: str) -> list[tuple[str, tuple[Piece, ...]]]:
    """The (description, canvas) of each turn: the messages since the previous turn, and the canvas after it.

    A round is not a turn, and its messages are added to the next one, if its canvas is unchanged or has no
    more object classes than the last changed canvas, or if there is no message yet. Messages of small talk
    only are dropped. (GeNeVA's own script keeps the bare <teller> or <drawer> of such a message unless it is
    exactly one word of small talk, "ok" but not "ok."; this concerns 1,137 of its 42,506 turns, three of
    which have no other text and are not instructions.)

    Raises:
        InputError: a field is missing or malformed, or there is no text; the message starts with `where`.
    """
    turns, words, known, silent = [], [], 0, True
    for number, turn in enumerate(_rounds(scene, where)):
        for speaker, message in (("<teller>", turn["msg_t"]), ("<drawer>", turn["msg_d"])):
            new = [word for word in _WORD.findall(message.lower()) if word not in CHITCHAT]
            words += [speaker, *new] if new else []
            silent &= not message.strip()
        if not turn["abs_d"]:
            continue
        pieces = parse_canvas(turn["abs_d"], f"{where}: dialog[{number}].abs_d")
        classes = len({piece.name for piece in pieces})
        if classes <= known:
            known = classes
        elif words:
            turns.append((" ".join(words), pieces))
            words, known = [], classes
    if silent:
        raise InputError(f"{where}: the dialog has no text")
    return turns


def _rounds(scene: dict, where: str) -> list[dict[str, str]]:
    try:
        rounds = [{field: turn[field] for field in ("msg_t", "msg_d", "abs_d")} for turn in scene["dialog"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{where}: dialog: {error!r}") from error
    for number, turn in enumerate(rounds):
        for field, value in turn.items():
            checked(value, f"dialog[{number}].{field}", str, where)
    return rounds


def _dialog(id: str, split: str, turns: list[tuple[str, tuple[Piece, ...]]], art: ClipArt) -> Dialog:
    return Dialog(
        id=id,
        split=split,
        canvas=PaintedPicture(art, ()),
        turns=tuple(
            Turn(
                instruction=description,
                picture=PaintedPicture(art, pieces),
                objects=tuple(
                    SceneObject(piece.name, piece.x / WIDTH, piece.y / HEIGHT, float(piece.depth), piece.look)
                    for piece in pieces
                ),
            )
            for description, pieces in turns
        ),
    )


def _scenes(path: Path, on_fault: OnFault) -> Iterator[tuple[str, dict, str]]:
    """(id, scene, name for error messages) of every dialog, sorted by id."""
    scenes: dict[str, tuple[dict, str]] = {}
    for file in _json_files(path):
        try:
            content = _load(file)
        except InputError as fault:
            on_fault(fault)
            continue
        whole = content.get("data") if isinstance(content, dict) else None
        if isinstance(whole, dict):
            scenes_of_file = {id: (scene, f"{file}: {id}") for id, scene in whole.items()}
        else:
            scenes_of_file = {file.name.partition(".")[0]: (content, str(file))}
        for id, (scene, where) in scenes_of_file.items():
            if not _ID.fullmatch(id):
                on_fault(InputError(f"{where}: {id!r} is not a dialog's name (<split>_<number>)"))
            elif id in scenes:
                on_fault(InputError(f"{where}: dialog {id} was already read from another file"))
            else:
                scenes[id] = scene, where
    for id in sorted(scenes):
        yield id, *scenes[id]


def _json_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.name.endswith((".json", ".json.xz")))
    return [path] if path.name.endswith((".json", ".json.xz")) else []


@contextmanager
def _open(file: Path) -> Iterator[BinaryIO]:
    with open_file(file, TEXT) as opened:
        if file.suffix == ".xz":
            with lzma.open(opened) as unpacked:
                yield unpacked
        else:
            yield opened


def _looks_like_codraw(file: Path) -> bool:
    if file.name.startswith("CoDraw"):
        return True
    try:
        with _open(file) as stream:
            return b'"abs_' in stream.read(1 << 16)
    except InputError:  # so that `read` reports it
        return True
    except (OSError, EOFError, lzma.LZMAError):
        return False


def _load(file: Path) -> object:
    try:
        with _open(file) as stream:
            encoded = read_stream(stream, TEXT, str(file))
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"{file}: can't be read ({error})") from error
    return parse_json(encoded, str(file))


def _clip_art_folder(path: Path) -> Path:
    beside, inside = path.parent / "Pngs", path / "Pngs"
    return beside if path.is_file() or (beside.is_dir() and not inside.is_dir()) else inside
