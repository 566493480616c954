"""Renders i-CLEVR dialogs with Blender into a new data set, or renders those of an existing one again.

    python scripts/render_iclevr.py OUT --split train --dialogs 3000
    python scripts/render_iclevr.py OUT --split test --like PATH/TO/test.zip --compare PATH/TO/test.zip

Needs Blender's module for Python 3.11: `pip install 'cdd-icm[render]'`, see docs/render.md. The same command
resumes where it was stopped, in whatever way; what the folder has already is not rendered again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from render.compare import compare
from render.dialogs import ToRender, make_dialog, read_dialogs
from render.grammar import DEFAULT, read_grammar
from render.output import BACKGROUND, finish, is_done, open_output, write_background, write_picture
from render.world import FRAME, Camera

from cdd_icm.cli.arguments import number, positive, seed_number, whole_number
from cdd_icm.console import Parser, run, say
from cdd_icm.errors import InputError
from cdd_icm.hashing import derive_seed, fingerprint
from cdd_icm.io import check_writable, replacing, to_json
from cdd_icm.limits import CONFIG, PIXELS
from cdd_icm.lock import claimed
from cdd_icm.signals import StopSignal
from cdd_icm.sources import local_path
from cdd_icm.text import read_text

LARGEST_JITTER = 2.0
"""Of the camera; with more, it may look at the scene from the ground."""


def dialogs(a: argparse.Namespace, camera: Camera) -> Iterator[ToRender]:
    """Those that the arguments name, in order."""
    if a.like:
        chosen = islice(read_dialogs(a.like, a.split, camera), a.first, None, a.every)
        yield from islice(chosen, a.dialogs)
    else:
        grammar = read_grammar(a.grammar)
        for n in range(a.first, a.first + a.every * a.dialogs, a.every):
            yield make_dialog(a.split, n, a.seed, a.turns, camera, a.camera_jitter, grammar)


def render(a: argparse.Namespace) -> None:
    """Renders what is missing.

    Raises:
        InputError: `bpy` is not installed, or the folder has other settings.
        Stopped: Ctrl-C or SIGTERM; the picture at hand is finished first.
    """
    from render.blender import Renderer

    camera = Camera(shape=(a.size[0] / a.size[1]) / (FRAME[0] / FRAME[1]))
    settings = {
        "size": list(a.size),
        "samples": a.samples,
        "seed": a.seed,
        "camera_jitter": None if a.like else a.camera_jitter,
        "grammar": None if a.like else fingerprint(read_text(a.grammar, CONFIG)),
    }
    open_output(a.out, settings)
    renderer = Renderer(a.size, a.samples, a.threads)
    if not (a.out / BACKGROUND).is_file():
        write_background(a.out, renderer.render((), camera, 0))
    made = skipped = 0
    with StopSignal() as stop:
        for dialog in dialogs(a, camera):
            if is_done(a.out, dialog):
                skipped += 1
                continue
            for turn in range(len(dialog.objects)):
                stop.check(f"stopped after {made} dialogs")
                seed = derive_seed("cycles", a.seed, dialog.id, turn) % 2**31
                picture = renderer.render(dialog.objects[: turn + 1], dialog.camera, seed)
                write_picture(a.out, dialog, turn, picture)
            finish(a.out, dialog)
            made += 1
            if made % 50 == 0:
                say(f"{made} dialogs", file=sys.stderr, flush=True)
    say(f"{a.out}: {made} dialogs rendered, {skipped} were there")


def size(text: str) -> tuple[int, int]:
    """An argument type: WIDTHxHEIGHT in pixels."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None or not all(int(side) >= 16 for side in match.groups()):
        raise argparse.ArgumentTypeError(
            f"{text} is not a size such as 160x120, of at least 16 pixels a side"
        )
    return int(match[1]), int(match[2])


def split_name(text: str) -> str:
    """An argument type: part of a file's name."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"{text} is not a name of letters and digits, such as train")
    return text


def _run(a: argparse.Namespace) -> None:
    PIXELS.check(a.size[0] * a.size[1], f"--size {a.size[0]}x{a.size[1]} has")
    if not 0 <= a.camera_jitter <= LARGEST_JITTER:
        raise InputError(f"--camera-jitter {a.camera_jitter:g}: expected from 0 to {LARGEST_JITTER:g}")
    if a.first < 0 or a.threads < 0:
        raise InputError(f"--first {a.first} --threads {a.threads}: expected at least 0")
    if a.like is None and a.dialogs is None:
        raise InputError("--dialogs: expected a number, or --like with the dialogs to render again")
    if a.report and not a.compare:
        raise InputError("--report: it is of --compare, which is not given")
    if a.report:
        check_writable(a.report)
    if not a.compare_only:
        with claimed(a.out):
            render(a)
    if a.compare:
        figures = compare(a.out, a.compare, a.split, a.sample)
        if a.report:
            with replacing(a.report) as file:
                file.write_text(to_json(figures, indent=1) + "\n", encoding="utf-8")
        camera = figures["camera"]
        say(
            f"{figures['pictures']} pictures: {figures['equal_files']} files equal, mean difference "
            f"{figures['mean_level_difference']} levels of 255, at most {figures['worst_level_difference']}; "
            f"camera: {camera['equal_when_rounded']} of {camera['objects']} objects at the same pixel, the "
            f"others within {camera['largest_error_beyond_rounding']} pixels of it"
        )


def main(given: Sequence[str] | None = None) -> int:
    parser = Parser(
        prog="render_iclevr", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=local_path, help="the data set's folder, new or to be continued")
    parser.add_argument("--split", type=split_name, default="train", help="default: %(default)s")
    parser.add_argument("--dialogs", type=positive, help="how many; with --like, default: all")
    parser.add_argument("--first", type=whole_number, default=0, help="number of the first (default: 0)")
    parser.add_argument("--every", type=positive, default=1, help="only every Nth from there (default: 1)")
    parser.add_argument("--turns", type=positive, default=5, help="of a dialog (default: %(default)s)")
    parser.add_argument("--size", type=size, default=(160, 120), help="in pixels (default: 160x120)")
    parser.add_argument("--samples", type=positive, default=16, help="rays a pixel (default: %(default)s)")
    parser.add_argument("--seed", type=seed_number, default=0, help="default: %(default)s")
    parser.add_argument(
        "--camera-jitter",
        type=number,
        default=0.0,
        help="moves the camera by up to so much a dialog (default: 0)",
    )
    parser.add_argument("--grammar", type=local_path, default=DEFAULT, help="a YAML file of wordings")
    parser.add_argument("--threads", type=whole_number, default=0, help="default: all cores")
    parser.add_argument("--like", type=local_path, help="render the scenes of this folder or zip again")
    parser.add_argument(
        "--compare", type=local_path, help="then compare pictures with those of a folder or zip"
    )
    parser.add_argument("--compare-only", action="store_true", help="render nothing, only compare")
    parser.add_argument(
        "--sample", type=positive, default=40, help="pictures to compare (default: %(default)s)"
    )
    parser.add_argument("--report", type=local_path, help="a JSON file for what --compare finds")
    parser.set_defaults(run=_run)
    return run(parser, given)


if __name__ == "__main__":
    sys.exit(main())
