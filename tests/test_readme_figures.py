"""Every figure in README's table and in its line on cloning is that of a report."""

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import yaml

from cdd_icm.io import read_json

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = [row.strip("|").split("|") for row in re.findall(r"^\|.*\|$", README, re.MULTILINE)]


def cells(start):
    """A row's second and third cell, as plain text."""
    [row] = [row for row in TABLE if row[0].strip().startswith(start)]
    return tuple(cell.replace("*", "").strip() for cell in row[1:])


def report(name):
    return read_json(REPORTS / f"{name}.json")


def rounded(value):
    """To one place, halves away from zero, as in the cards."""
    return str(Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP))


def best(data, column):
    rows = yaml.safe_load((REPORTS / "published.yaml").read_text(encoding="utf-8"))[data]["rows"]
    return rounded(max(row[column] for row in rows))


def ours(data, column):
    return rounded(report(f"{data}_test")["figures"]["model"]["detector"][column]["value"])


def test_iclevr():
    assert report("iclevr_test")["data"]["dialogs"] == 400 == report("iclevr_test")["data"]["of"]
    assert {len(dialog["f1"]) for dialog in report("iclevr_test")["dialogs"]} == {5}
    measured, published = cells("draws what was asked for")
    assert measured == f"F1 {ours('iclevr', 'f1')}"
    assert published == f"{best('iclevr', 'f1')}, on the original pictures"


def test_codraw():
    measured, published = cells("draws CoDraw's scenes")
    assert measured == f"F1 {ours('codraw', 'f1')}, RSIM {ours('codraw', 'rsim')}"
    assert published == f"{best('codraw', 'f1')}, {best('codraw', 'rsim')}"


@pytest.mark.parametrize("data", ["iclevr", "codraw"])
def test_what_asks_for_nothing(data):
    no_op = report(f"{data}_test")["no_op"]
    phrases, dialogs = len(no_op["phrases"]), no_op["dialogs"]
    told = f"{100 * no_op['unchanged']:.0f} % of {phrases} phrases on {dialogs} dialogs"
    assert cells("leaves the picture alone")[0] == told


def test_a_strangers_words():
    sentences = report("sentences_blocks")
    right = [case["outcome"] == "right" for case in sentences["cases"]]
    asked = sentences["nothing_asked"]
    assert cells("understands a stranger's words")[0] == (
        f"{100 * sum(right) / len(right):.0f} % of {len(right)} sentences right; {asked['changed']} of "
        f"{asked['sentences']} that ask for nothing in its world changed the picture silently"
    )


def test_seconds_a_turn():
    bench = report("bench_sampling")
    [row] = [row for row in bench["rows"] if row["name"] == "default"]
    assert not bench["quick"] and bench["machine"]["device"] == "cpu" and bench["machine"]["cores"] == 2
    assert cells("draws without a GPU")[0] == f"{row['seconds']:.2f} seconds a turn on two CPU cores"


def test_finding():
    found = report("retrieval_iclevr_test")
    composed, text = (found["rows"][row]["R@1"] for row in ("composed", "text only"))
    gallery = found["protocol"]["gallery"]["all"]
    told = f"R@1 {rounded(composed)} among {gallery:,} pictures; by the text alone {rounded(text)}"
    assert cells("finds")[0] == told


def test_kills():
    kills = {name: each for name, each in report("soak")["figures"].items() if name.endswith(" KILL")}
    number = sum(each["times"] for each in kills.values())
    equal = sum(each["equal"] for each in kills.values())
    commands = {10: "ten", 9: "nine", 11: "eleven"}[len(kills)]
    assert cells("goes on after")[0] == f"{number} kills of {commands} commands, {equal} times equal"


def test_training_took_eleven_minutes():
    training = report("iclevr_training")
    assert round(60 * training["hours"]) == 11 and training["device"].startswith("NVIDIA")
    assert "trained in eleven minutes on one GPU" in README


def test_the_sizes_of_clones():
    sizes = report("clone")["bytes"]
    shallow, whole = (round(sizes[kind] / 1e6) for kind in ("depth 1", "whole"))
    text = " ".join(README.split())
    assert f"`git clone --depth 1` fetches {shallow} MB; the whole history" in text
    assert f"every version of the weights, is {whole} MB" in text
