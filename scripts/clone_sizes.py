"""Measures what `git clone --depth 1` takes against the whole history, on local clones of a repository.

python scripts/clone_sizes.py REPOSITORY --report reports/clone.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError
from cdd_icm.io import check_writable, replacing, to_json

KINDS = {"depth 1": ["--depth", "1"], "whole": []}


def transferred(repository: Path, options: list[str]) -> int:
    """Bytes of the packs that a clone with these options receives."""
    with TemporaryDirectory() as folder:
        # as from a server: a plain local path would copy or link what is there
        clone = ["git", "clone", "--quiet", "--bare", *options, repository.resolve().as_uri(), folder]
        done = subprocess.run(clone, capture_output=True, text=True)
        if done.returncode:
            raise InputError(f"{repository}: can't be cloned ({done.stderr.strip().splitlines()[-1]})")
        return sum(file.stat().st_size for file in (Path(folder) / "objects" / "pack").glob("*.pack"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path)
    parser.add_argument("--report", type=Path, default=Path("reports/clone.json"))
    a = parser.parse_args(argv)
    try:
        check_writable(a.report)
        report = {"bytes": {kind: transferred(a.repository, options) for kind, options in KINDS.items()}}
        with replacing(a.report) as path:
            path.write_text(to_json(report, indent=1) + "\n", encoding="utf-8")
    except InputError as error:
        print_error("clone_sizes", error)
        return 2
    say(a.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
