"""Precision and recall of a parser on data/parsing/sentences.txt, as reports/parser_<name>.json.

python scripts/measure_parser.py rules
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from cdd_icm.config import parse_override
from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.io import replacing, to_json
from cdd_icm.text import read_lines
from retrieval.parsing.base import SceneGraph
from retrieval.parsing.registry import PARSERS, make_parser

SENTENCES = Path(__file__).parents[1] / "data" / "parsing" / "sentences.txt"
KINDS = ("entities", "attributes", "relations")
Facts = dict[str, Counter]


def read(path: Path) -> list[tuple[str, str, Facts]]:
    """The set, text and marked facts of each sentence."""
    lines = [line for line in read_lines(path) if line and line[0] != "#"]
    found = []
    for title, marks in zip(lines[::2], lines[1::2], strict=True):
        name, text = title.split(": ", 1)
        entities, relations = (part.split(";") for part in marks.split("|"))
        words = [entity.split() for entity in entities]
        facts = {kind: Counter() for kind in KINDS}
        facts["entities"] = Counter(entity[-1] for entity in words)
        facts["attributes"] = Counter((entity[-1], word) for entity in words for word in entity[:-1])
        for relation in filter(str.strip, relations):
            subject, *between, other = relation.split()
            if not (subject.isdigit() and other.isdigit() and max(int(subject), int(other)) < len(words)):
                raise InputError(f"{path}: {text!r}: relation {relation.strip()!r} names no two entities")
            facts["relations"][words[int(subject)][-1], " ".join(between), words[int(other)][-1]] += 1
        found.append((name, text, facts))
    return found


def facts_of(graph: SceneGraph) -> Facts:
    names = [entity.name for entity in graph.entities]
    return {
        "entities": Counter(names),
        "attributes": Counter((e.name, word) for e in graph.entities for word in e.attributes),
        "relations": Counter((names[r.subject], r.name, names[r.object]) for r in graph.relations),
    }


def score(pairs: list[tuple[Facts, Facts]]) -> dict[str, dict[str, float]]:
    """Per kind of fact: precision and recall in per cent, and how many are marked."""
    figures = {}
    for kind in KINDS:
        right = sum((marked[kind] & parsed[kind]).total() for marked, parsed in pairs)
        marked, parsed = (sum(pair[side][kind].total() for pair in pairs) for side in (0, 1))
        figures[kind] = {
            "precision": round(100 * right / max(parsed, 1), 1),
            "recall": round(100 * right / max(marked, 1), 1),
            "marked": marked,
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parser", choices=PARSERS, nargs="?", default="rules")
    parser.add_argument("options", nargs="*", metavar="option=value")
    parser.add_argument("--sentences", type=Path, default=SENTENCES)
    parser.add_argument("--report", type=Path)
    a = parser.parse_args()
    sentences = read(a.sentences)
    used = make_parser(a.parser, dict(parse_override(pair) for pair in a.options))
    graphs = [graph or SceneGraph() for graph in used([text for _, text, _ in sentences])]
    pairs = {name: [] for name, _, _ in sentences}
    for (name, _, marked), graph in zip(sentences, graphs, strict=True):
        pairs[name].append((marked, facts_of(graph)))
    everything = [pair for some in pairs.values() for pair in some]
    report = {
        "parser": used.name,
        "sentences": {"all": len(everything), **{name: len(some) for name, some in pairs.items()}},
        "all": score(everything),
        **{name: score(some) for name, some in pairs.items()},
    }
    with replacing(a.report or Path(f"reports/parser_{a.parser}.json")) as path:
        path.write_text(to_json(report, indent=1) + "\n", encoding="utf-8")
    for name in ("all", *pairs):
        say(name, report[name])


if __name__ == "__main__":
    main()
