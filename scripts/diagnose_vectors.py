"""Why do several vectors a picture score less than one? Trains heads alone, over one frozen tower, and counts
which vector of each target scores best.

    python scripts/diagnose_vectors.py iclevr PATH/TO/iclevr

All rows have the same features, samples and learning rate, and the queries of `sum`; they are measured on the
validation split. Rows that the report has are skipped, so that the same command resumes.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from cdd_icm.cli import positive, seed_number
from cdd_icm.config import load_config
from cdd_icm.console import say
from cdd_icm.io import read_json, replacing, to_json
from cdd_icm.progress import Progress
from retrieval.backbones.base import ImageFeatures, TextFeatures
from retrieval.benchmarks import Benchmark
from retrieval.config import RetrievalConfig
from retrieval.evaluation.ranking import rank, summarise
from retrieval.features import picture_pixels, preprocessed
from retrieval.model import RetrievalModel
from retrieval.store_cli import SHIPPED
from retrieval.systems.base import Inputs, System, TrainingBatch
from retrieval.systems.registry import build
from retrieval.train.trainer import read_split

BATCH, LEARNING_RATE, WARMUP = 64, 1e-3, 20
SEVERAL = ("multi-vector", {"vectors": 8})
ROWS = {
    "one vector": ("patch-projection", {}),
    "8 learnt vectors": SEVERAL,
    "a vector a patch token": ("multi-vector", {"vectors": None}),
    "1 learnt vector": ("multi-vector", {"vectors": 1}),
    "8 learnt vectors, temperature 0.02": SEVERAL,
    "8 learnt vectors, temperature 0.2": SEVERAL,
    "a vector a patch token, temperature 0.02": ("multi-vector", {"vectors": None}),
    "a vector a patch token, four times as long": ("multi-vector", {"vectors": None}),
}
"""By name: the system, and its keyword arguments beside its shape. The name tells temperature and length."""


class Frozen:
    """Features of a split's first queries and of all their pictures."""

    def __init__(self, model: RetrievalModel, benchmark: Benchmark, cache: str | None, limit: int | None):
        self.benchmark, self.queries = benchmark, benchmark.queries[:limit]
        ids = benchmark.picture_ids
        if limit is not None:
            ids = list(dict.fromkeys(id for q in self.queries for id in (q.reference, q.targets[0])))
        found = [benchmark.pictures[id] for id in ids]
        pictures = preprocessed(Path(cache) if cache else None, model, found)
        parts = [
            model.image_features(picture_pixels(pictures, [one.key for one in some]), Inputs.FEATURES)
            for start in Progress(range(0, len(found), BATCH), desc="encoding pictures", unit="batches")
            for some in [found[start : start + BATCH]]
        ]
        self.images = ImageFeatures.cat([ImageFeatures(part.pooled, part.tokens) for part in parts])
        prompts = [model.prompt(query.texts[0], query.history) for query in self.queries]
        self.texts = torch.cat(
            [
                model.backbone.encode_text(model.backbone.tokenize(prompts[start : start + BATCH])).pooled
                for start in range(0, len(prompts), BATCH)
            ]
        )
        row = {id: number for number, id in enumerate(ids)}
        self.reference = torch.tensor([row[query.reference] for query in self.queries])
        self.target = torch.tensor([row[query.targets[0]] for query in self.queries])


def train(system: System, data: Frozen, samples: int, seed: int) -> None:
    """AdamW with warm-up and a cosine schedule, as the trainer's."""
    optimiser = torch.optim.AdamW(system.parameters(), LEARNING_RATE)
    generator, steps = torch.Generator().manual_seed(seed), samples // BATCH
    for step in Progress(range(steps), desc="training", unit="steps"):
        rate = min((step + 1) / WARMUP, 0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * rate
        rows = torch.randint(len(data.queries), (BATCH,), generator=generator)
        reference, target = data.images[data.reference[rows]], data.images[data.target[rows]]
        loss = system.loss(TrainingBatch(reference, target, TextFeatures(data.texts[rows])))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def measure(system: System, data: Frozen) -> dict[str, float]:
    queries = system.encode_query(data.images[data.reference], TextFeatures(data.texts))
    vectors = system.encode_gallery(data.images)
    row = summarise(data.benchmark, rank(data.benchmark, queries, vectors, system.score))
    figures = {name: row[name] for name in ("R@1", "R@10", "median rank")}
    return {**figures, "1 / temperature": system.logit_scale.item(), **winners(queries, vectors[data.target])}


def winners(queries: Tensor, targets: Tensor) -> dict[str, float]:
    """Of targets (q, T, D): how many of the T vectors score best for some query, how many for at least one in
    a thousand, and the exponential of the shares' entropy."""
    if targets.ndim == 2:
        return {"vectors": 1, "used": 1, "effective": 1.0}
    best = torch.einsum("qd,qtd->qt", queries, targets).argmax(1)
    share = torch.bincount(best, minlength=targets.shape[1]) / len(best)
    entropy = -(share * share.clamp(min=1e-12).log()).sum()
    return {
        "vectors": targets.shape[1],
        "used": int((share >= 1e-3).sum()),
        "largest share": share.max().item(),
        "effective": entropy.exp().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=("iclevr", "codraw"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED, help="whose towers are frozen")
    parser.add_argument("--queries", type=positive, default=6000, help="of the training split")
    parser.add_argument("--samples", type=positive, default=24000)
    parser.add_argument("--seeds", type=seed_number, nargs="+", default=(0,))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--cache-dir")
    parser.add_argument("--report", type=Path)
    a = parser.parse_args()
    file = a.report or Path(f"reports/multi_vector_{a.data}.json")
    report = read_json(file) if file.exists() else {"data": a.data, "split": "val", "rows": {}}
    model = RetrievalModel.from_pretrained(a.model)
    report |= {"towers": model.backbone.fingerprint, "training queries": a.queries, "samples": a.samples}
    config = load_config(Path(f"configs/retrieve/{a.data}.yaml"), [f"data.path={a.path}"], RetrievalConfig)
    with torch.no_grad():
        training, validation = (
            Frozen(model, read_split(config.data, split), a.cache_dir, limit)
            for split, limit in (("train", a.queries), ("val", None))
        )
    tokens = training.images.tokens
    shape = {"token_width": tokens.shape[2], "tokens": tokens.shape[1], "dim": model.backbone.width}
    for seed in a.seeds:
        for name in a.rows:
            done = report["rows"].setdefault(name, {})
            if str(seed) in done:
                continue
            torch.manual_seed(seed)
            system, keywords = ROWS[name]
            system = build(system, {"composer": "sum", "options": {}, **shape, **keywords})
            if "temperature" in name:
                system.composer.log_scale.data.fill_(-math.log(float(name.split()[-1])))
            train(system, training, a.samples * (4 if "four times" in name else 1), seed)
            done[str(seed)] = measure(system.eval(), validation)
            say(name, seed, done[str(seed)], flush=True)
            with replacing(file) as path:
                path.write_text(to_json(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
