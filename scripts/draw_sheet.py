"""Draws the first dialogs of a split, free-running, as a sheet of film strips, each below the true pictures.

python scripts/draw_sheet.py data/pretrained/iclevr PATH/TO/iclevr docs/iclevr_test_0-19.webp
python scripts/draw_sheet.py data/pretrained/codraw PATH/TO/codraw docs/codraw_test_0-19.webp --no-truth
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cdd_icm import load_dialogs
from cdd_icm.cli import positive, seed_number
from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError
from cdd_icm.io import check_writable
from cdd_icm.sampling.dialogs import draw_sheet
from cdd_icm.sampling.loading import load_pipeline


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=positive, default=20)
    parser.add_argument("--seed", type=seed_number, default=0)
    parser.add_argument("--height", type=positive, default=112)
    parser.add_argument(
        "--no-truth", action="store_true", help="leave out the true pictures, which may not be redistributed"
    )
    a = parser.parse_args()

    try:
        check_writable(a.out)
        dialogs = load_dialogs(a.data, a.split)[: a.limit]
        pipeline = load_pipeline(a.model)
    except InputError as error:
        print_error("draw_sheet", error)
        return 2
    draw_sheet(pipeline, dialogs, seed=a.seed, height=a.height, truth=not a.no_truth).save(a.out)
    say(a.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
