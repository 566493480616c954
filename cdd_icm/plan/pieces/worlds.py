"""The registry of worlds of pieces, of which edits can be written and painted."""

from __future__ import annotations

from collections.abc import Sequence

from cdd_icm.data.codraw_painter import CLASS_OF_PNG, CODRAW_CLASSES, SCALE, ClipArt, PaintedPicture, Piece
from cdd_icm.data.dialog import Dialog, SceneObject, class_names
from cdd_icm.errors import InputError
from cdd_icm.plan.pieces.clip_art.edit_turn import edit_turn
from cdd_icm.plan.pieces.requests import Edit


def edit_of(dialogs: Sequence[Dialog], source: str) -> Edit:
    """Writes edits of the dialogs' scenes.

    Raises:
        InputError: there are none for a class; the message names `source`.
    """
    if foreign := class_names(dialogs) - set(CODRAW_CLASSES):
        raise InputError(
            f"{source}: no edits for objects such as {min(foreign)!r}, only for CoDraw's; set "
            "plan.requests=0 and plan.edits=0"
        )
    return edit_turn


def objects_of_edits() -> list[SceneObject]:
    """An object of each class and look that the edits draw."""
    pieces = [
        Piece(png, 0.0, 0.0, depth, flip)
        for png in CLASS_OF_PNG
        for depth in range(len(SCALE))
        for flip in (False, True)
    ]
    return [SceneObject(piece.name, 0.5, 0.5, float(piece.depth), piece.look) for piece in pieces]


def clip_art_of(dialogs: Sequence[Dialog], source: str) -> ClipArt:
    """The clip art of which the dialogs' pictures are painted.

    Raises:
        InputError: they are not painted; the message names `source`.
    """
    for dialog in dialogs:
        if isinstance(dialog.canvas, PaintedPicture):
            return dialog.canvas.clip_art
    raise InputError(f"{source}: its pictures are not painted from clip art; set plan.edits=0")
