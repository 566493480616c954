"""Measures the speed of each part of retrieval, beside the bare computation that it needs.

python scripts/bench_retrieval.py --model PATH/TO/MODEL --report reports/bench_retrieval.json

- evaluation: `evaluate` of random queries against a random gallery; bare: a matmul and a top-k.
- memory: what the evaluation needs beside the vectors, on a CPU; bare: the scores of all queries at once.
- features: `FrozenFeatures` of decoded pictures, written to disk; bare: the image tower's forward pass.
- search: one query in the embedded store, in milliseconds.
- indexing: `index` of a folder of pictures, and the model's share of the time.

Every time is the best of `--repeats`, ours and the bare one alternating.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from time import perf_counter

import torch
from benchmark import machine, write
from PIL import Image
from torch.nn.functional import normalize

from cdd_icm.cli import positive
from cdd_icm.console import say
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture, to_float
from cdd_icm.device import find_device
from cdd_icm.progress import Progress
from retrieval.benchmarks import Benchmark, Query
from retrieval.evaluation.metrics import SCORE_BYTES
from retrieval.evaluation.ranking import evaluate
from retrieval.index.build import index
from retrieval.index.store import Entry, Store

SAMPLE = Path(__file__).parents[1] / "data" / "iclevr_sample" / "images"
BATCH = 64
K = 50


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", type=Path, help="a retrieval model; without it, features and indexing are left out"
    )
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--queries", type=positive, default=10_000)
    parser.add_argument("--vectors", type=positive, default=100_000)
    parser.add_argument("--width", type=positive, default=256)
    parser.add_argument("--pictures", type=positive, default=4_000)
    parser.add_argument("--searches", type=positive, default=100)
    parser.add_argument("--repeats", type=positive, default=5)
    a = parser.parse_args()

    device = find_device(a.device)
    report = {
        "machine": machine(device),
        "settings": {k: v for k, v in vars(a).items() if k not in ("model", "report", "device")},
        "memory": bench_memory(a.queries, a.vectors, a.width),
        "evaluation": bench_evaluation(a.queries, a.vectors, a.width, a.repeats, device),
        "search": bench_search(a.vectors, a.width, a.searches),
    }
    if a.model:
        from retrieval.model import RetrievalModel

        model = RetrievalModel.from_pretrained(a.model).to(device)
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), a.pictures)
            report["features"] = bench_features(model, Path(folder), a.repeats)
            report["indexing"] = bench_indexing(model, Path(folder))
    say(json.dumps(report, indent=1))
    write(a.report, report)


def random_task(queries: int, vectors: int, width: int) -> tuple[Benchmark, torch.Tensor, torch.Tensor]:
    """A benchmark with random vectors: of its queries (Q, D) and of its pictures (P, D)."""
    generator = torch.Generator().manual_seed(0)
    gallery, query_vectors = (
        torch.randn(number, width, generator=generator) for number in (vectors, queries)
    )
    ids = tuple(map(str, range(vectors)))
    benchmark = Benchmark(
        name="random",
        split="test",
        queries=tuple(Query(f"q{i}", ids[0], ("",), (ids[i % vectors],)) for i in range(queries)),
        galleries={"all": ids},
        recall_at=(1, 5, 10, K),
        headline=("R@1",),
    )
    return benchmark, *(normalize(some, dim=1, out=some) for some in (query_vectors, gallery))


def bench_memory(queries: int, vectors: int, width: int) -> dict:
    """Bytes beside the vectors: of our evaluation, and of all scores at once."""
    # a spawned process would inherit its parent's peak; one that is forked from a fresh server doesn't
    with get_context("forkserver").Pool(1) as pool:
        ours = pool.apply(evaluation_memory, (queries, vectors, width))
    return {"ours": ours, "bare": 4 * queries * vectors}


def evaluation_memory(queries: int, vectors: int, width: int) -> int:
    """By how many bytes an evaluation raises the peak memory of this process."""
    task = random_task(queries, vectors, width)
    unit = 1 if sys.platform == "darwin" else 1024
    before = getrusage(RUSAGE_SELF).ru_maxrss
    evaluate(*task)
    return unit * (getrusage(RUSAGE_SELF).ru_maxrss - before)


def bench_evaluation(queries: int, vectors: int, width: int, repeats: int, device: torch.device) -> dict:
    """Seconds of our evaluation and of the bare one, the latter with our chunk size, 1,000, and all queries
    at a time; and the ratio to the fastest bare one."""
    benchmark, query_vectors, gallery = random_task(queries, vectors, width)
    query_vectors, gallery = query_vectors.to(device), gallery.to(device)
    ours = max(1, SCORE_BYTES // (4 * vectors))
    times = best_of(
        repeats,
        device,
        ours=partial(evaluate, benchmark, query_vectors, gallery),
        **{
            f"bare, {n} at a time": partial(bare, query_vectors, gallery, n)
            for n in sorted({ours, 1000, queries})
        },
    )
    fastest = min(seconds for name, seconds in times.items() if name != "ours")
    return {
        "seconds": times,
        "ratio": times["ours"] / fastest,
        "ratio may be": 1.1,
        "bytes of scores at a time": SCORE_BYTES,
    }


def bare(queries: torch.Tensor, gallery: torch.Tensor, at_a_time: int) -> None:
    for some in queries.split(at_a_time):
        (some @ gallery.T).topk(min(K, len(gallery)))


def bench_search(vectors: int, width: int, searches: int) -> dict:
    """Milliseconds of a search. The store is reopened first, as between `index` and `search`."""
    generator = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        uri = str(Path(folder) / "bench.db")
        with Store(uri, "bench", width, create=True) as store:
            for start in Progress(range(0, vectors, 1000), desc="filling the store"):
                numbers = range(start, min(start + 1000, vectors))
                some = normalize(torch.randn(len(numbers), width, generator=generator), dim=1)
                store.put(
                    [Entry(f"{n:064d}", "/bench", f"{n}.png", n % 100, 1, {"n": n}) for n in numbers], some
                )
            store.flush()
        begun = perf_counter()
        with Store(uri, "bench", width) as store:
            opened = perf_counter() - begun
            query = partial(torch.randn, width, generator=generator)
            return {
                "vectors": vectors,
                "ms to open": 1000 * opened,
                "ms a search": spread(searches, lambda: store.search(query(), 10)),
                "ms a search, filtered by width": spread(
                    searches, lambda: store.search(query(), 10, "width < 50")
                ),
                "ms a search, filtered by a tag": spread(
                    searches, lambda: store.search(query(), 10, "n < 9000")
                ),
            }


def bench_features(model, folder: Path, repeats: int) -> dict:
    """Seconds for reading, batching, encoding and writing decoded pictures, and for the forward pass
    alone."""
    from retrieval.features import FrozenFeatures, preprocessed

    files = FolderFiles(folder)
    pictures = [EncodedPicture(files, name) for name in sorted(files.names())]
    with tempfile.TemporaryDirectory() as cache:
        decoded = preprocessed(Path(cache), model, pictures)
        keys = [picture.key for picture in pictures]
        pixels = [
            torch.stack([torch.from_numpy(decoded[key].copy()) for key in keys[at : at + BATCH]])
            for at in range(0, len(keys), BATCH)
        ]

        def extract() -> None:
            with tempfile.TemporaryDirectory() as fresh:
                FrozenFeatures(fresh, model, decoded, keys, [])

        @torch.no_grad()
        def forward() -> None:
            for batch in pixels:
                model.backbone.encode_image(to_float(batch.to(model.device)))

        times = best_of(repeats, model.device, ours=extract, bare=forward)
    return {
        "pictures": len(keys),
        "seconds": times,
        "ratio": times["ours"] / times["bare"],
        "ratio may be": 1.1,
    }


def bench_indexing(model, folder: Path) -> dict:
    with (
        tempfile.TemporaryDirectory() as made,
        Store(str(Path(made) / "bench.db"), model.fingerprint, model.width, True, model.vectors) as store,
    ):
        done = index(folder, store, model, BATCH)
    return {
        **asdict(done),
        "pictures a second": done.added / done.seconds,
        "share of the model": done.model_seconds / done.seconds,
        "share should be": 0.8,
    }


def best_of(repeats: int, device: torch.device, **work: Callable[[], object]) -> dict[str, float]:
    """The shortest time of each, in seconds, after a warm-up round."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in Progress(range(repeats + 1), desc=", ".join(work)):
        for name, function in work.items():
            begun = perf_counter()
            function()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times[name].append(perf_counter() - begun)
    return {name: min(some[1:]) for name, some in times.items()}


def spread(times: int, function: Callable[[], object]) -> dict[str, float]:
    """Milliseconds of the first call, and median and 95th percentile of the later ones."""
    taken = []
    for _ in range(times + 1):
        begun = perf_counter()
        function()
        taken.append(1000 * (perf_counter() - begun))
    later = sorted(taken[1:])
    return {"first": taken[0], "median": median(later), "95 %": later[int(0.95 * (len(later) - 1))]}


def write_pictures(folder: Path, number: int) -> None:
    """Copies the sample's pictures, with a number in one pixel so that all are different."""
    sample = [Image.open(path).convert("RGB") for path in sorted(SAMPLE.iterdir())]
    for n in range(number):
        picture = sample[n % len(sample)].copy()
        picture.putpixel((0, 0), (n % 256, n // 256 % 256, n // 65536))
        picture.save(folder / f"{n:06d}.png", compress_level=1)


if __name__ == "__main__":
    main()
