"""`cdd-retrieval`: argument parsing only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from cdd_icm.cli import push
from cdd_icm.cli.arguments import whole_number
from cdd_icm.cli.train import add_config_arguments
from cdd_icm.config import parse_override
from cdd_icm.console import Parser, printable, run, say
from cdd_icm.errors import InputError
from retrieval import images, store_cli
from retrieval.benchmarks import READERS, Benchmark, circo, read_benchmark
from retrieval.evaluation import submission

CACHE = "cache of decoded pictures and frozen towers' features (default: the user's cache folder)"


def main(arguments: Sequence[str] | None = None) -> int:
    return run(_parser(), arguments)


def _parser() -> Parser:
    parser = Parser(prog="cdd-retrieval", description="Composed image retrieval.")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")

    benchmark = groups.add_parser("benchmark", help="read a benchmark's annotations")
    commands = benchmark.add_subparsers(required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="its protocol, its counts, one query; missing pictures")
    info.add_argument("name", choices=READERS)
    info.add_argument("path", help="folder or file of the annotations")
    info.add_argument("options", nargs="*", metavar="option=value", help="for the reader, such as split=val")
    info.add_argument("--images", help="folder or zip of the pictures; all missing ones are listed")
    info.set_defaults(run=_benchmark_info)

    parse = groups.add_parser("parse", help="show the entities and relations of a text, as FineCIR reads it")
    parse.add_argument("text", metavar="TEXT")
    parse.add_argument("--parser", default="rules", help="default: %(default)s")
    parse.add_argument("options", nargs="*", metavar="option=value", help="of the parser, such as its model")
    parse.set_defaults(run=_parse)

    train = groups.add_parser(
        "train",
        help="train a model, or resume a run that was stopped",
        epilog="`cdd-retrieval config` lists every key with its default and meaning.",
    )
    train.add_argument("config", type=Path, metavar="CONFIG", help="a YAML file")
    train.add_argument("overrides", nargs="*", metavar="key=value", help="such as composer=tirg")
    train.set_defaults(run=_train)

    config = groups.add_parser("config", help="list every key of a training config")
    add_config_arguments(config)
    config.set_defaults(run=_config)

    evaluate = groups.add_parser("evaluate", help="measure a model on a benchmark's split")
    evaluate.add_argument("--model", type=Path, required=True, help="a retrieval model or a pipeline folder")
    evaluate.add_argument("--data", type=Path, required=True, help="dialogs, or a benchmark's annotations")
    evaluate.add_argument("--split", help="default: the benchmark's own, val or test")
    evaluate.add_argument("--report", type=Path, required=True, metavar="FILE.json")
    evaluate.add_argument("--name", help="name of the model in tables (default: its composer's)")
    evaluate.add_argument("--benchmark", choices=READERS, default="dialogs", help="default: %(default)s")
    evaluate.add_argument("--images", help="folder or zip of the pictures, where the data comes without")
    evaluate.add_argument(
        "--allow-missing",
        action="store_true",
        help="leave out missing pictures and their queries",
    )
    evaluate.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    evaluate.add_argument("--batch-size", type=whole_number, default=64, help="default: %(default)s")
    evaluate.add_argument("--cache-dir", help=CACHE)
    evaluate.add_argument("options", nargs="*", metavar="option=value", help="for the benchmark's reader")
    evaluate.set_defaults(run=_evaluate)

    compare = groups.add_parser("compare", help="put reports of evaluate into one table")
    compare.add_argument("reports", type=Path, nargs="+", metavar="FILE.json")
    compare.add_argument(
        "--alone",
        action="store_true",
        help="all metrics for image and text alone, too",
    )
    compare.add_argument(
        "--into", nargs=2, metavar=("PAGE.md", "NAME"), help="also insert it into the page, as table NAME"
    )
    compare.set_defaults(run=_compare)

    submitted = groups.add_parser("submission", help="files for the servers of CIRR and CIRCO")
    commands = submitted.add_subparsers(required=True, metavar="COMMAND")
    write = commands.add_parser("write", help="rank a test split whose targets are hidden")
    write.add_argument("--model", type=Path, required=True, help="a retrieval model or a pipeline folder")
    write.add_argument("--benchmark", choices=[name for name, _ in submission.SERVER_SPLITS], required=True)
    write.add_argument("--data", type=Path, required=True, help="the benchmark's annotations")
    write.add_argument("--images", required=True, help="folder or zip of the pictures")
    write.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the files")
    write.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    write.add_argument("--batch-size", type=whole_number, default=64, help="default: %(default)s")
    write.add_argument("--cache-dir", help=CACHE)
    write.add_argument("options", nargs="*", metavar="option=value", help="for the benchmark's reader")
    write.set_defaults(run=_submission_write)
    check = commands.add_parser("check", help="check a file for what a server would refuse")
    check.add_argument("file")
    against = check.add_mutually_exclusive_group()
    against.add_argument("--cirr", metavar="PATH", help="CIRR's annotations, to check ids and names against")
    against.add_argument("--circo", metavar="PATH", help="the same for CIRCO; without COCO's list, ids alone")
    check.set_defaults(run=_submission_check)

    store_cli.add_commands(groups)

    pushed = groups.add_parser("push", help="upload a model folder to the Hugging Face Hub")
    push.add_arguments(pushed)
    pushed.set_defaults(run=_push)
    return parser


def _benchmark_info(arguments: argparse.Namespace) -> None:
    benchmark = read_benchmark(arguments.name, arguments.path, _options(arguments.options))
    _print_protocol(benchmark)
    words = [len(text.split()) for query in benchmark.queries for text in query.texts]
    say(f"words a text: {sum(words) / len(words):.1f}, at most {max(words)}")
    say(f"first query: {benchmark.queries[0]}")
    if arguments.images:
        missing = images.find(benchmark, arguments.images).missing
        say(f"pictures: {len(benchmark.picture_ids) - len(missing)} of {len(benchmark.picture_ids)} found")
        for id in missing:
            say(f"missing: {id} ({benchmark.named_in[id]})")
        if missing:
            raise InputError(f"{arguments.images}: {len(missing)} pictures are missing")


def _parse(arguments: argparse.Namespace) -> None:
    from retrieval.parsing.registry import make_parser

    (graph,) = make_parser(arguments.parser, _options(arguments.options))([arguments.text])
    if graph is None:
        raise InputError(f"{arguments.parser}: no graph in its answer to {arguments.text!r}")
    say(printable(str(graph)))


def _train(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import load_config
    from retrieval.config import RetrievalConfig

    config = load_config(arguments.config, arguments.overrides, RetrievalConfig)

    from retrieval.train.trainer import (
        train,  # after the config, so that a wrong key is reported without waiting for torch
    )

    say(train(config))


def _config(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import load_config
    from cdd_icm.config.describe import describe
    from retrieval.config import RetrievalConfig
    from retrieval.systems import registry

    config = None
    if arguments.config is not None:
        config = load_config(arguments.config, arguments.overrides, RetrievalConfig)
    say(describe(RetrievalConfig, config))
    for name in registry.SYSTEMS if config is None else [config.composer]:
        system = registry.find(name)
        if fields(system.Options):
            options = config and registry.parse_options(system, config.options)
            say(describe(system.Options, options, f"options of {name}: "))


def _evaluate(arguments: argparse.Namespace) -> None:
    from cdd_icm.device import find_device
    from retrieval.evaluation.measure import measure
    from retrieval.evaluation.ranking import LEFT_OUT
    from retrieval.evaluation.report import make_report, write_report
    from retrieval.features import trained_frozen
    from retrieval.model import RetrievalModel

    if arguments.report.suffix != ".json":
        raise InputError(f"--report {arguments.report}: the name must end in .json")
    if arguments.batch_size < 1:
        raise InputError(f"--batch-size {arguments.batch_size}: expected at least 1")
    device = find_device(arguments.device)
    options = _options(arguments.options)
    if arguments.split is not None:
        if "split" in options:
            raise InputError(f"--split {arguments.split}: split={options['split']} is given too")
        options["split"] = arguments.split
    benchmark = read_benchmark(arguments.benchmark, arguments.data, options)
    if not benchmark.labelled:
        raise InputError(f"{arguments.data}: {benchmark.name} {benchmark.split} hides its targets")
    if not benchmark.pictures and arguments.images is None:
        raise InputError(f"--images: {benchmark.name} needs the folder of its pictures")
    if arguments.images is not None:
        benchmark = images.resolve(benchmark, arguments.images, arguments.allow_missing)
    _print_protocol(benchmark)
    model = RetrievalModel.from_pretrained(arguments.model).to(device)
    frozen = trained_frozen(arguments.model)
    measured = measure(model, benchmark, arguments.batch_size, arguments.cache_dir, frozen)
    name = arguments.name or model.composer_name
    report = make_report(name, arguments.model, model, arguments.data.name, benchmark, measured)
    write_report(arguments.report, report)
    for row, values in report["rows"].items():
        figures = [f"{name} {value:.2f}" for name, value in values.items() if isinstance(value, float)]
        if left_out := values.get(LEFT_OUT):
            figures.append(f"{left_out} queries, whose target is the excluded reference, {LEFT_OUT}")
        say(f"{row}: {', '.join(figures)}")
    if left_out := benchmark.partial:
        say(f"PARTIAL: {left_out['pictures']} pictures are missing, {left_out['queries']} queries left out")


def _compare(arguments: argparse.Namespace) -> None:
    from retrieval.evaluation.report import compare, fill

    table = compare(arguments.reports, arguments.alone)
    if arguments.into:
        fill(Path(arguments.into[0]), arguments.into[1], table)
    say(table, end="")


def _submission_write(arguments: argparse.Namespace) -> None:
    from cdd_icm.device import find_device
    from retrieval.evaluation.measure import encode
    from retrieval.evaluation.ranking import ranked_ids, ranked_subsets
    from retrieval.features import trained_frozen
    from retrieval.model import RetrievalModel

    if arguments.batch_size < 1:
        raise InputError(f"--batch-size {arguments.batch_size}: expected at least 1")
    device = find_device(arguments.device)
    options = _options(arguments.options)
    split = dict(submission.SERVER_SPLITS)[arguments.benchmark]
    if "split" in options:
        raise InputError(f"split={options['split']}: the server of {arguments.benchmark} scores {split}")
    benchmark = read_benchmark(arguments.benchmark, arguments.data, {**options, "split": split})
    benchmark = images.resolve(benchmark, arguments.images)
    _print_protocol(benchmark)
    model = RetrievalModel.from_pretrained(arguments.model).to(device)
    settings = {"batch_size": arguments.batch_size, "cache_dir": arguments.cache_dir}
    encoded = encode(model, benchmark, **settings, frozen=trained_frozen(arguments.model))
    vectors, score = (encoded.queries["composed"], encoded.pictures), model.composer.score
    # if the gallery has fewer, the check of the written file reports it
    length = min(50, len(benchmark.galleries["all"]) - benchmark.exclude_reference)
    ranked = ranked_ids(benchmark, *vectors, length, score)
    if arguments.benchmark == "cirr":
        subsets = ranked_subsets(benchmark, *vectors, 3, score)
        written = submission.write_cirr(arguments.out, benchmark, ranked, subsets)
    else:
        written = [submission.write_circo(arguments.out / "circo.json", benchmark, ranked)]
    for path in written:
        say(f"{path}: {submission.check(path, benchmark)}")


def _submission_check(arguments: argparse.Namespace) -> None:
    benchmark = circo_queries = None
    if arguments.cirr:
        benchmark = read_benchmark("cirr", arguments.cirr, {"split": "test1"})
    elif arguments.circo and circo.has_image_list(arguments.circo):
        benchmark = read_benchmark("circo", arguments.circo, {"split": "test"})
    elif arguments.circo:
        circo_queries = circo.read_queries(arguments.circo, "test")
    say(f"{arguments.file}: {submission.check(arguments.file, benchmark, circo_queries)}")


def _push(arguments: argparse.Namespace) -> None:
    from retrieval.model import RETRIEVAL

    push.push(arguments, RETRIEVAL)


def _print_protocol(benchmark: Benchmark) -> None:
    for name, value in benchmark.protocol.items():
        say(f"{name}: {value}")


def _options(given: Sequence[str]) -> dict[str, object]:
    """option=value pairs, each value read as YAML."""
    return dict(parse_override(pair) for pair in given)


if __name__ == "__main__":
    sys.exit(main())
