"""Writes the pages of docs/ that hold figures, `PAGES`, from the reports; every figure comes from a report.

python scripts/write_results.py        (`make results`)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from performance_page import performance_page
from results_page import results_page
from systems_page import systems_page

from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError
from cdd_icm.io import replacing

ROOT = Path(__file__).parents[1]

PAGES = {"results.md": results_page, "performance.md": performance_page, "retrieval_systems.md": systems_page}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, default=ROOT / "reports")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    a = parser.parse_args(argv)
    try:
        pages = {name: page(a.reports) for name, page in PAGES.items()}
        for name, text in pages.items():
            with replacing(a.docs / name) as path:
                path.write_text(text, encoding="utf-8")
            say(a.docs / name)
    except InputError as error:
        print_error("write_results", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
