"""docs/retrieval_systems.md: the literature's retrieval systems, each with its measured rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from cdd_icm.io import read_json

PAGE = """\
# Retrieval systems of the literature

Written by `python scripts/write_results.py` from `reports/`. The systems that this page leaves out, the
protocol and the table of all rows are in [retrieval.md](retrieval.md).

## Several vectors a picture

`composer=multi-vector` gives a picture T learnt vectors (`options.vectors`, 8), of which the best one
scores, as SPRC, FineCIR and others do. Each is a projection of all patch tokens, and the query's reference
is the mean of its own vectors through the same projections. `options.vectors=null` is the form that this
one replaces: a vector for each patch token alone, with a query encoder that shares nothing with the
gallery's.

```
cdd-retrieval train configs/retrieve/iclevr.yaml data.path=PATH/TO/iclevr \\
    composer=multi-vector output_dir=runs/several
cdd-retrieval index PICTURES --store outputs/several.db --model runs/several/model
```

Why did several vectors score less than one? Heads alone, trained on the same frozen features with the
queries of `sum`, on i-CLEVR's validation split (`python scripts/diagnose_vectors.py iclevr
PATH/TO/iclevr`). *Used* counts the vectors that score best for at least one target in a thousand,
*effective* is the exponential of the entropy of how often each does:

{diagnosis}

- A vector that sees one place can't describe a scene: with the same loss, temperature and budget, vectors
  that see all places score ten times as high.
- The frozen towers are those of the shipped model, which was trained with one vector: that favours the first
  row, and rows of whole models are below. The rows don't tell whether the query's sharing the projections
  matters.
- Of the learnt vectors one wins for nearly every target and the rest are dead, at each temperature: the
  maximum over vectors is of no use here. With one run a row, which of one and eight is better is open.

The whole model, trained from scratch on the test split's protocol of [retrieval.md](retrieval.md), mean and
standard deviation over the seeds (`python scripts/run_retrieval.py iclevr PATH/TO/iclevr --models
fusion-vectors`):

{vectors}

## FineCIR

FineCIR (Li et al. 2025, arXiv 2503.21309) parses the text into entities with attributes and relations. Each
entity is the centre of a graph, whose nodes are its attributes and its relations; graph attention makes an
entity token of it. The entity tokens join the learnt queries of a Q-Former, which also reads the words and
attends to the reference. A picture has a vector for each learnt query, and the best one scores. It is meant
for long texts that name several things; a text without an entity has the one entity "it".

```
cdd-retrieval parse "Add a red cube behind it on the left"
cdd-retrieval train configs/retrieve/finecir_codraw.yaml data.path=PATH/TO/codraw output_dir=runs/finecir
```

The paper's parser was not released. `options.parser=rules` needs no weights and reads English by closed
lists of words; a parser is a function from texts to graphs (`retrieval/parsing/base.py`) and a line in
`retrieval/parsing/registry.py`. A language model
can parse instead: behind any OpenAI-compatible server
(`options.parser=endpoint options.parser_options={{url: ..., model: ..., cache: FILE}}`) or of transformers
(`options.parser=transformers`). What else is ours is in `retrieval/systems/finecir.py`.

The rules on 100 hand-marked sentences, in per cent (`python scripts/measure_parser.py rules`; sentences and
rules of marking: `data/parsing/sentences.txt`). The sentences were in sight when the word lists were
written, so these figures are optimistic; i-CLEVR's texts follow a template.

{parser}

With entity tokens against as many learnt ones (`python scripts/run_retrieval.py codraw PATH/TO/codraw
--models finecir finecir-learnt`):

{finecir}
"""


def systems_page(reports: Path) -> str:
    diagnosis = read_json(reports / "multi_vector_iclevr.json")
    parser = read_json(reports / "parser_rules.json")
    return PAGE.format(
        diagnosis=_diagnosis(diagnosis["rows"]),
        vectors=_rows(reports, ("fusion", "fusion-vectors", "fusion-place-vectors")),
        parser=_parser(parser),
        finecir=_rows(reports, ("finecir", "finecir-learnt")),
    )


def _diagnosis(rows: dict[str, dict[str, dict[str, Any]]]) -> str:
    columns = ("R@1", "R@10", "1 / temperature", "vectors", "used", "effective")
    lines = [
        [name, *(_spread([run[column] for run in runs.values()]) for column in columns), str(len(runs))]
        for name, runs in rows.items()
        if runs
    ]
    return _table(["heads", *columns, "runs"], lines)


def _rows(reports: Path, names: Sequence[str]) -> str:
    """A line for each data set and row that has reports."""
    lines = []
    for data in ("iclevr", "codraw"):
        for name in names:
            files = sorted((reports / "retrieval").glob(f"{data}_{name}_[0-9]*.json"))
            runs = [read_json(file)["rows"]["composed"] for file in files]
            if runs:
                figures = [_spread([run[metric] for run in runs]) for metric in ("R@1", "R@5", "R@10")]
                lines.append([data, name, *figures, str(len(runs))])
    if not lines:
        return "Not measured yet."
    return _table(["data", "model", "R@1", "R@5", "R@10", "runs"], lines)


def _parser(report: dict[str, Any]) -> str:
    kinds = ("entities", "attributes", "relations")
    lines = [
        [name, str(count)]
        + [f"{report[name][kind]['precision']} / {report[name][kind]['recall']}" for kind in kinds]
        for name, count in report["sentences"].items()
    ]
    return _table(["set", "sentences", *(f"{kind}, precision / recall" for kind in kinds)], lines)


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---", *["--:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
