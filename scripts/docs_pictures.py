"""Makes the pictures of docs/tour.md anew, by the page's own commands, and README's animation.

python scripts/docs_pictures.py        (`make pictures`)

A picture of the page belongs to the command above it: a film strip, or the sheet that `--out` names.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from PIL import Image

import cdd_icm.cli
import retrieval.cli
from cdd_icm.console import print_error, say
from cdd_icm.data.picture import decode
from cdd_icm.errors import InputError
from cdd_icm.filmstrip import filmstrip
from cdd_icm.io import replacing
from cdd_icm.limits import read_local
from cdd_icm.text import read_text

ROOT = Path(__file__).parents[1]
PROGRAMS = {"cdd-icm": cdd_icm.cli.main, "cdd-retrieval": retrieval.cli.main}
MOVING = "iclevr"
"""The film strip of the page that README shows growing turn by turn."""
TURN_MS, WHOLE_MS = 900, 3_000


def commands(page: str) -> Iterator[tuple[list[str], str | None]]:
    """The commands of a page, in order: the words of each, and the file of the picture below its block, which
    belongs to the block's last command."""
    for language, block, picture in re.findall(
        r"^```(\w*)\n(.*?)^```\n(?:\n!\[[^\]]*\]\((pictures/[\w.]+)\))?", page, re.DOTALL | re.MULTILINE
    ):
        lines = [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]
        lines = [words for words in lines if not language and words and words[0] in PROGRAMS]
        for words in lines:
            yield words, picture or None if words is lines[-1] else None


def said(words: list[str]) -> list[str]:
    """What a command says to the model."""
    return [text for option, text in pairwise(words) if option == "--say"]


def moving_strip(folder: Path, texts: list[str], canvas: Image.Image) -> list[Image.Image]:
    """The film strip of the turns in `folder`, as frames: first the whole strip, which is what a viewer shows
    that can't animate; then it grows from the canvas on, by a turn a frame."""
    pictures = [canvas, *(_picture(folder / f"turn_{k}.png") for k in range(1, len(texts) + 1))]
    whole = filmstrip(pictures, ["(canvas)", *texts])
    frames = [whole]
    for turn in range(len(pictures) - 1):
        frame = whole.copy()
        right = (turn + 1) * whole.width // len(pictures)
        frame.paste("white", (right, 0, whole.width, whole.height))
        frames.append(frame)
    return frames


def _picture(file: Path) -> Image.Image:
    return Image.fromarray(decode(read_local(file), str(file)))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the pictures go")
    a = parser.parse_args(argv)
    try:
        for words, picture in commands(read_text(ROOT / "docs" / "tour.md")):
            if PROGRAMS[words[0]](words[1:]):
                return 2
            if picture is None:
                continue
            out = Path(words[words.index("--out") + 1])
            sheet = out / "filmstrip.png" if out.is_dir() else out
            _save([_picture(sheet)], a.docs / picture)
            if Path(picture).stem == MOVING:
                texts = said(words)
                canvas = _picture(Path(words[words.index("--model") + 1]) / "canvas.png")
                _save(moving_strip(out, texts, canvas), a.docs / "pictures" / "dialog.webp")
    except InputError as error:
        print_error("docs_pictures", error)
        return 2
    return 0


def _save(frames: list[Image.Image], file: Path) -> None:
    """Writes a WebP, a moving one where there are several frames."""
    times = [WHOLE_MS] + [TURN_MS] * (len(frames) - 1)
    options = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0}
    with replacing(file) as path:
        frames[0].save(path, "WEBP", quality=88, method=6, **(options if len(frames) > 1 else {}))
    say(file)


if __name__ == "__main__":
    sys.exit(main())
