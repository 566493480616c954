"""What a visitor takes home of a dialog, and how it comes back."""

from __future__ import annotations

import base64
import io
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cdd_icm.data.files import FolderFiles, ZipFiles, zip_of
from cdd_icm.device import DTYPES
from cdd_icm.errors import InputError
from cdd_icm.io import parse_json, to_json
from cdd_icm.limits import Limit, read_local
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.session import RECORD, DrawingSession
from cdd_icm.studio.limits import VisitorLimits

FRAME = 384
"""Pixels along a side of the animation's pictures."""
SECONDS = 1.6
"""That each is shown."""
MODEL = "model.json"
"""File name, in a zipped session, of {"model": name}."""
MEMBERS = 2_000
"""Files in a zipped session."""


def strip(session: DrawingSession) -> bytes:
    """The film strip as PNG."""
    return _encoded(session.filmstrip(), "PNG")


def animation(session: DrawingSession) -> bytes:
    """The dialog as an animated WebP: the canvas, then each picture under its instruction."""
    turns = session.turns
    pictures = [session.canvas, *(turn.picture for turn in turns)]
    captions = ["(canvas)", *(turn.instruction for turn in turns)]
    frames = [_captioned(picture, text) for picture, text in zip(pictures, captions, strict=True)]
    times = [int(1000 * SECONDS)] * (len(frames) - 1) + [int(2000 * SECONDS)]
    options = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0, "quality": 90}
    return _encoded(frames[0], "WEBP", **options)


def zipped(session: DrawingSession, model: str) -> bytes:
    """The folder that `DrawingSession.load` reads, as a zip, and `MODEL`."""
    with TemporaryDirectory() as folder:
        session.save(folder)
        files = FolderFiles(Path(folder))
        contents = {name: files.read(name) for name in sorted(files.names())}
    return zip_of({**contents, MODEL: (to_json({"model": model}) + "\n").encode()})


def unzipped(
    file: Path, pipelines: Mapping[str, CDDICMPipeline], model: str, limits: VisitorLimits
) -> tuple[str, DrawingSession]:
    """The session in a zip that `zipped` made or that somebody else says so, and the name of its model.

    Only `session.json`, `MODEL` and the pictures that the former names are read, by their names: nothing is
    unpacked to a path that the zip chooses.

    Args:
        pipelines: the models that are served. model: the one for a zip that names none.
        limits: of the zip's files, and of the turns.

    Raises:
        InputError: no zip, damaged, too many or too large files, a link, a path, wrong JSON, a damaged
            picture, or another model's; the message is one line.
    """
    where = "session"
    files = ZipFiles(file)
    names = sorted(set(_checked_members(files, where, limits.session)))
    wanted = [name for name in names if name in (RECORD, MODEL) or name.endswith(".png")]
    if RECORD not in wanted:
        raise InputError(
            f"{where}: {RECORD} is not in the zip; download one with 'Session' to see a right one"
        )
    if MODEL in wanted:
        named = parse_json(files.read(MODEL), f"{where}: {MODEL}")
        model = named.get("model", model) if isinstance(named, dict) else model
    if not isinstance(model, str) or model not in pipelines:
        raise InputError(
            f"{where}: it was drawn with the model {model!r:.60}, which is not loaded here; there are "
            f"{', '.join(pipelines)}"
        )
    with TemporaryDirectory() as folder:
        for name in wanted:
            try:
                (Path(folder) / name).write_bytes(files.read(name))
            except InputError as error:
                raise InputError(_without(error, str(file), where)) from None
        try:
            session = DrawingSession.load(folder, pipelines[model])
        except InputError as error:
            raise InputError(_without(error, folder, where)) from None
    turns = len(session.turns) + len(session.undone)
    if turns > limits.turns:
        raise InputError(f"{where}: {turns} turns, over the limit of {limits.turns}")
    return model, session


def _checked_members(files: ZipFiles, where: str, limit: int) -> list[str]:
    """The names in the zip, all of them plain file names of regular files."""
    try:
        entries = files.entries()
    except InputError as error:
        raise InputError(_without(error, str(files.path), where)) from None
    if len(entries) > MEMBERS:
        raise InputError(f"{where}: {len(entries)} files in the zip, over the limit of {MEMBERS}")
    Limit(limit).check(sum(entry.file_size for entry in entries), f"{where}: unpacks to")
    for entry in entries:
        name = entry.filename
        if Path(name).name != name or "\\" in name or name in ("..", "."):
            raise InputError(f"{where}: {name!r:.80} is a path, expected plain file names")
        if (entry.external_attr >> 16) & 0o170000 not in (0, 0o100000):
            raise InputError(f"{where}: {name!r:.80} is a link or a device, expected a file")
    return [entry.filename for entry in entries]


def snippet(session: DrawingSession, model_path: str) -> str:
    """A Python program that draws the dialog again, to the pixel on a machine of the same kind, and saves its
    strip. The texts are string literals, whatever they contain."""
    pipeline, canvas = session.pipeline, ""
    names = {dtype: name for name, dtype in DTYPES.items()}
    dtype = names.get(pipeline.unet.dtype, "auto")
    own = pipeline.canvas is None or not _same(session.canvas, _canvas_of(pipeline))
    if own:
        text = base64.b64encode(_encoded(session.canvas, "PNG")).decode()
        lines = "\n".join(f'    "{part}"' for part in textwrap.wrap(text, 100))
        canvas = f"canvas = Image.open(io.BytesIO(base64.b64decode(\n{lines}\n)))\n"
    imports = "import base64\nimport io\n\nfrom PIL import Image\n\n" if own else ""
    says, seed = [], None
    defaults = vars(pipeline.settings())
    for turn in session.turns:
        if turn.seed != seed:
            says.append(f"session.seed = {turn.seed}")
            seed = turn.seed
        changed = {
            name: value
            for name, value in turn.settings.items()
            if name in defaults and value != defaults[name] and value is not None
        }
        settings = "".join(f", {name}={value!r}" for name, value in changed.items())
        says.append(f"session.say({json.dumps(turn.instruction)}{settings})")
    body, options = "\n".join(says), f'device="{pipeline.device.type}", dtype="{dtype}"'
    return (
        f"{imports}from cdd_icm import DrawingSession\n"
        "from cdd_icm.sampling.loading import load_pipeline\n\n"
        f"pipeline = load_pipeline({json.dumps(model_path)}, {options})\n"
        f"{canvas}session = DrawingSession(pipeline{', canvas' if own else ''})\n"
        f"{body}\n"
        'session.picture.save("picture.png")\n'
        'session.filmstrip().save("strip.png")\n'
    )


def picture_of(file: Path, limits: VisitorLimits) -> Image.Image:
    """An uploaded picture.

    Raises:
        InputError: not a picture, damaged, or too large in bytes or pixels; the message calls it "picture".
    """
    try:
        return Image.fromarray(limits.picture(read_local(file, Limit(limits.upload)), "picture"))
    except InputError as error:
        raise InputError(_without(error, str(file), "picture")) from None


def _canvas_of(pipeline: CDDICMPipeline) -> Image.Image:
    return DrawingSession(pipeline).canvas


def _same(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _captioned(picture: Image.Image, text: str) -> Image.Image:
    """The picture, enlarged, below its caption, which has two lines of room."""
    font = ImageFont.load_default(size=15)
    lines = textwrap.wrap(text, 48)
    if len(lines) > 2:
        lines = [lines[0], lines[1][:45] + "..."]
    frame = Image.new("RGB", (FRAME, FRAME + 48), "white")
    frame.paste(picture.resize((FRAME, FRAME), Image.Resampling.LANCZOS), (0, 48))
    ImageDraw.Draw(frame).multiline_text((8, 4), "\n".join(lines), "black", font)
    return frame


def _encoded(picture: Image.Image, format: str, **options) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def _without(error: InputError, path: str, name: str) -> str:
    """The error's line with `name` in place of a path of this server."""
    return str(error).replace(path, name)
