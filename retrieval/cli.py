"""`cdd-retrieval`: argument parsing only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import yaml

from cdd_icm.errors import InputError
from retrieval import images, submission
from retrieval.benchmarks import READERS, read_benchmark


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except InputError as error:
        print(f"cdd-retrieval: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cdd-retrieval", description="Composed image retrieval.")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")

    benchmark = groups.add_parser("benchmark", help="read a benchmark's annotations")
    commands = benchmark.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="its protocol, its counts and a query; missing pictures")
    info.add_argument("name", choices=READERS)
    info.add_argument("path", help="folder or file of the annotations")
    info.add_argument("options", nargs="*", metavar="option=value", help="of the reader, such as split=val")
    info.add_argument("--images", help="folder or zip to look for the pictures in; lists all missing ones")
    info.set_defaults(run=_benchmark_info)

    submitted = groups.add_parser("submission", help="files for the servers of CIRR and CIRCO")
    commands = submitted.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="what a server would refuse")
    check.add_argument("file")
    against = check.add_mutually_exclusive_group()
    against.add_argument("--cirr", metavar="PATH", help="CIRR's annotations, to check ids and names against")
    against.add_argument("--circo", metavar="PATH", help="the same for CIRCO")
    check.set_defaults(run=_submission_check)
    return parser


def _benchmark_info(arguments: argparse.Namespace) -> None:
    benchmark = read_benchmark(arguments.name, arguments.path, _options(arguments.options))
    for name, value in benchmark.protocol.items():
        print(f"{name}: {value}")
    words = [len(text.split()) for query in benchmark.queries for text in query.texts]
    print(f"words a text: {sum(words) / len(words):.1f}, at most {max(words)}")
    print(f"first query: {benchmark.queries[0]}")
    if arguments.images:
        missing = images.find(benchmark, arguments.images).missing
        print(f"pictures: {len(benchmark.picture_ids) - len(missing)} of {len(benchmark.picture_ids)} found")
        for id in missing:
            print(f"missing: {id}")
        if missing:
            raise InputError(f"{arguments.images}: {len(missing)} pictures are missing")


def _submission_check(arguments: argparse.Namespace) -> None:
    benchmark = None
    if arguments.cirr:
        benchmark = read_benchmark("cirr", arguments.cirr, {"split": "test1"})
    elif arguments.circo:
        benchmark = read_benchmark("circo", arguments.circo, {"split": "test"})
    print(f"{arguments.file}: {submission.check(arguments.file, benchmark)}")


def _options(given: Sequence[str]) -> dict[str, object]:
    """option=value pairs, each value read as YAML."""
    options = {}
    for pair in given:
        option, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"{pair!r}: must be option=value")
        try:
            options[option] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"{option}={value!r}: not YAML") from error
    return options


if __name__ == "__main__":
    sys.exit(main())
