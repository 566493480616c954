"""Disturbs each long command at random, runs it again, and compares what stands at the end byte by byte.

python scripts/soak.py --report reports/soak.json
python scripts/soak.py --kills 5 --commands train generate --faults TERM FULL --work /tmp/soak

KILL and TERM are signals at a random moment; FULL is a disk with a random part of the space that is needed,
and READONLY one that refuses to be written after a kill: both need the right to mount (`unshare -rm python`).

The commands run on toy models and the sample data, each in a process that is forked once everything is
imported, so that the random moments fall into the work itself. A whole run comes first, whose result the
others must equal; left out of the comparison are measured times, how a store's entries lie in its files, and
after TERM, which adds a checkpoint where it stops, the log and all checkpoints but the last.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import benchmark
import pyarrow.parquet as parquet
import torch

# imported before a command is forked, as each would do it anew
import retrieval.evaluation.report
import retrieval.index.build
import retrieval.train.trainer  # noqa: F401
from cdd_icm import cli
from cdd_icm.console import say
from cdd_icm.hashing import content_digest
from cdd_icm.io import parse_json, read_json
from cdd_icm.limits import read_local
from cdd_icm.sources import local_path
from cdd_icm.text import read_text
from retrieval import cli as retrieval_cli
from retrieval.index.store import PREFIX, Store

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "iclevr_sample"
DETECTOR = ROOT / "data" / "pretrained" / "detector_iclevr"

MEASURED = ("images_per_second", "minutes", "seconds", "devices")
"""Fields of JSON files that differ from run to run."""
FAULTS = ["KILL", "TERM", "FULL", "READONLY"]
MOUNTED = ("FULL", "READONLY")

SCHEDULE = ["training.batch_size=4", "training.total_samples=32", "training.warmup_samples=8"]
SCHEDULE += ["training.log_samples=8", "training.checkpoint_samples=8"]
ENCODER = (
    "encoder.model={embed_dim: 32, vision_cfg: {image_size: 32, patch_size: 8, width: 32, layers: 1, "
    "head_width: 16}, text_cfg: {context_length: 52, vocab_size: 384, width: 32, heads: 2, layers: 1, "
    "pool_type: eos, eos_id: 2, no_causal_mask: true}}"
)
PLACES = ["data.image_size=32", "output_dir=OUT/run"]
SMALL = [
    f"data.path={SAMPLE}",
    *PLACES,
    ENCODER,
    "fusion={width: 32, layers: 1, heads: 2}",
    "matcher.width=32",
]
SETTINGS = ["--device", "cpu", "--dtype", "fp32"]
SAY = "Add a blue cube at the center|Add a red sphere behind it on the left|Add a green cylinder behind it"


@dataclass(frozen=True)
class Command:
    """A command line: OUT is its output, IN the folder of the results of other commands."""

    program: Callable[[Sequence[str]], int]
    arguments: Sequence[str]
    needs: Sequence[str] = ()
    """Commands whose results it reads."""


COMMANDS = {
    "train": Command(
        cli.main,
        [
            *("train", str(ROOT / "configs/generate/tiny.yaml"), *SMALL, *SCHEDULE),
            *("unet.widths=[64, 64]", "sampling.num_inference_steps=2"),
        ],
    ),
    "train-detector": Command(
        cli.main,
        [
            *(
                "train-detector",
                str(ROOT / "configs/detect/iclevr.yaml"),
                "data.path=IN/data",
                *PLACES,
                *SCHEDULE,
            ),
            *("widths=[16, 16, 16]", "blocks=[1, 1, 1]"),
        ],
    ),
    "generate-say": Command(
        cli.main,
        ["generate", "--model", "IN/train/run/pipeline", "--say", SAY, "--out", "OUT", *SETTINGS],
        ["train"],
    ),
    "generate": Command(
        cli.main,
        [
            *("generate", "--model", "IN/train/run/pipeline", "--data", str(SAMPLE), "--out", "OUT"),
            *("--batch-size", "1", *SETTINGS),
        ],
        ["train"],
    ),
    "evaluate": Command(
        cli.main,
        [
            *("evaluate", "--model", "IN/train/run/pipeline", "--data", str(SAMPLE), "--limit", "4"),
            *("--detector", str(DETECTOR), "--report", "OUT/report.json", "--batch-size", "1", *SETTINGS),
        ],
        ["train"],
    ),
    "convert": Command(cli.main, ["data", "convert", str(SAMPLE), "OUT/shards", "--dialogs-per-shard", "2"]),
    "retrieval-train": Command(
        retrieval_cli.main,
        ["train", str(ROOT / "configs/retrieve/iclevr.yaml"), *SMALL, *SCHEDULE, "composer=tirg"],
    ),
    "features": Command(
        retrieval_cli.main,
        [
            *("train", str(ROOT / "configs/retrieve/iclevr.yaml"), *SMALL, *SCHEDULE, "composer=combiner"),
            *("init=IN/retrieval-train/run/model", "encoder.trainable_blocks=0"),
        ],
        ["retrieval-train"],
    ),
    "retrieval-evaluate": Command(
        retrieval_cli.main,
        [
            *(
                "evaluate",
                "--model",
                "IN/retrieval-train/run/model",
                "--data",
                str(SAMPLE),
                "--device",
                "cpu",
            ),
            *("--report", "OUT/report.json", "--cache-dir", "OUT/cache"),
        ],
        ["retrieval-train"],
    ),
    "index": Command(
        retrieval_cli.main,
        [
            *("index", str(SAMPLE / "images"), "--store", "OUT/mine.db", "--batch-size", "2"),
            *("--model", "IN/retrieval-train/run/model", "--device", "cpu"),
        ],
        ["retrieval-train"],
    ),
}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kills", type=cli.positive, default=50, help="of a command by each fault (default: %(default)s)"
    )
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS, help="default: all")
    parser.add_argument(
        "--seed", type=cli.seed_number, default=0, help="of the moments (default: %(default)s)"
    )
    parser.add_argument("--work", type=local_path, help="folder of the runs (default: a temporary one)")
    parser.add_argument("--report", type=local_path, help="a JSON file; other figures in it stay")
    a = parser.parse_args(given)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        soak = Soak((a.work or Path(temporary)).resolve(), a.seed)
        figures = read_json(a.report)["figures"] if a.report and a.report.exists() else {}
        for name in a.commands:
            for fault in a.faults:
                figures[f"{name} {fault}"] = of_fault = soak.command(name, fault, a.kills)
                say(f"{name} {fault}: {json.dumps(of_fault)}", flush=True)
                if a.report:
                    benchmark.write(a.report, {"figures": figures})
    return 1 if any(each["equal"] < each["times"] or each["wrong"] for each in figures.values()) else 0


class Soak:
    """The runs of a folder: `out` is that of the current run, `in` has the whole ones."""

    def __init__(self, work: Path, seed: int):
        self.out, self.whole, self.log = work / "out", work / "in", work / "log.txt"
        self.random = random.Random(seed)
        if not (data := self.whole / "data").exists():  # where the split val has no class of its own
            shutil.copytree(SAMPLE, data, ignore=shutil.ignore_patterns("CLEVR_val_*"))
            for file in list(data.rglob("CLEVR_train_00000[0-2]*")):
                shutil.copy(file, file.with_name(file.name.replace("train", "val")))

    def command(self, name: str, fault: str, times: int) -> dict:
        """The figures of a command that a fault disturbs so often, each time in a new run."""
        seconds = self.run_whole(name)
        expected = contents(self.whole / name)
        space = sum(file.stat().st_size for file in (self.whole / name).rglob("*") if file.is_file())
        ended, different, wrong, equal = Counter(), Counter(), [], 0
        for _ in range(times):
            self.clear()
            part = self.random.random()
            with self.disk(space, part if fault == "FULL" else 10.0, fault in MOUNTED) as remount:
                if fault == "FULL":
                    status, allowed = self.run(name), (0, 2)
                else:
                    number = signal.SIGTERM if fault == "TERM" else signal.SIGKILL
                    status, allowed = (
                        self.run(name, part * seconds, number),
                        (0, -9, -15, 143),
                    )  # -15: before the command began
                    if fault == "READONLY" and status:
                        remount("ro")
                        status, allowed = self.run(name), (2,)
                ended[str(status)] += 1
                if status not in allowed or (status == 2 and self.last_line().count(": ") < 2):
                    wrong.append(f"{part:.3f}: exit status {status}: {self.last_line()}")
                remount(f"rw,size={100 * space + 2**24}")
                if status and (status := self.run(name)):
                    wrong.append(f"{part:.3f}, again: exit status {status}: {self.last_line()}")
                found = contents(self.out)
            unequal = {file for file in expected | found if expected.get(file) != found.get(file)}
            if fault == "TERM":
                unequal -= of_the_way(expected | found)
            equal += not unequal
            different.update(sorted(unequal))
        return {
            "times": times,
            "equal": equal,
            "exit_statuses": dict(ended),
            "different": dict(different),
            "wrong": wrong,
            "files": len(expected),
            "seconds_of_a_whole_run": round(seconds, 2),
        }

    @contextmanager
    def disk(self, space: int, part: float, mounted: bool) -> Iterator[Callable[[str], None]]:
        """A disk at `out` with room for a part of `space`, if it is to be `mounted`; yields how to mount it
        anew."""

        def mount(options: str) -> None:
            if mounted:
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.out], check=True)

        mount(f"size={int(space * part) + 4096}")
        try:
            yield lambda options: mount(f"remount,{options}")
        finally:
            if mounted:
                subprocess.run(["umount", self.out], check=True)

    def run_whole(self, name: str) -> float:
        """Runs a command undisturbed, once for all that need it, and returns how long it took."""
        for other in COMMANDS[name].needs:
            self.run_whole(other)
        seconds_of = self.whole / f"{name}.seconds"
        if not seconds_of.exists():
            self.clear()
            start = time.perf_counter()
            if status := self.run(name):
                raise SystemExit(f"{name}: exit status {status}: {self.last_line()}")
            seconds = time.perf_counter() - start
            self.out.rename(self.whole / name)
            seconds_of.write_text(str(seconds), encoding="utf-8")
        return float(read_text(seconds_of))

    def run(self, name: str, moment: float | None = None, number: int = 0) -> int:
        """Runs a command in a process of its own, which gets the signal `number` after `moment` seconds.
        Returns its exit status, or minus the number of the signal that ended it."""
        places = (("OUT", str(self.out)), ("IN/", f"{self.whole}/"))
        arguments = list(COMMANDS[name].arguments)
        for word, place in places:
            arguments = [argument.replace(word, place) for argument in arguments]
        process = os.fork()
        if not process:
            self._be(COMMANDS[name].program, arguments)
        if moment is not None:
            time.sleep(moment)
            os.kill(process, number)  # as long as it has not been waited for it is there
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def _be(self, program: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> NoReturn:
        """What the new process does."""
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["XDG_CACHE_HOME"] = str(self.out / "cache")  # of pictures and features
        status = 70
        try:
            status = program(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def last_line(self) -> str:
        lines = read_local(self.log).decode(errors="replace").splitlines()
        return lines[-1].replace(str(self.out), "OUT") if lines else ""


def contents(folder: Path) -> dict[str, str]:
    """A digest of each file, by its path, hidden and unfinished ones too; of a store, of each entry."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.suffix == ".db":
            found |= {f"{name}/{content}": value for content, value in entries(file).items()}
        elif file.is_file() and not any(part.endswith(".db") for part in file.relative_to(folder).parts[:-1]):
            found[name] = content_digest(without_measured(file))
    return found


def of_the_way(files: Iterable[str]) -> set[str]:
    """The log, and all checkpoints but the last."""
    kept = {file for file in files if "/checkpoints/" in file}
    last = max(kept, default="").rpartition("/")[0]
    return {file for file in kept if not file.startswith(f"{last}/")} | {
        file for file in files if file.endswith("/log.jsonl")
    }


def entries(store: Path) -> dict[str, str]:
    """A digest of each picture's entry and vector."""
    (collection,) = (store / "collections").iterdir()
    table = next(collection.rglob("data/*.parquet"))
    width = parquet.read_schema(table).field("vector").type.list_size
    with Store(str(store), collection.name.removeprefix(PREFIX), width) as opened:
        rows = opened._client.query(opened.collection, "", output_fields=["*"], limit=1000)
    return {row["content"]: content_digest(json.dumps(row, sort_keys=True, default=str)) for row in rows}


def without_measured(file: Path) -> bytes:
    """The file's bytes, of JSON without `MEASURED`."""
    encoded = read_local(file)
    if file.suffix not in (".json", ".jsonl"):
        return encoded
    values = [
        parse_json(line, str(file), foreign=True)
        for line in ([encoded] if file.suffix == ".json" else encoded.splitlines())
    ]
    return json.dumps(_without(values)).encode()


def _without(value):
    if isinstance(value, dict):
        return {key: _without(part) for key, part in value.items() if key not in MEASURED}
    return [_without(part) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
