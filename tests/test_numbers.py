"""Numbers that are refused wherever one stands: in JSON, in YAML, on the command line. What goes in,
and the one line that comes out."""

import pytest
import yaml

from cdd_icm import cli
from cdd_icm.config import load_config
from cdd_icm.data import load_dialogs
from cdd_icm.data.readers.codraw import count_raw_dialogs
from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import read_report
from cdd_icm.evaluation.sentences import read_sentences
from cdd_icm.io import append_json, parse_json, read_json, to_json
from cdd_icm.number import real, whole
from retrieval import cli as retrieval_cli
from retrieval.benchmarks import read_benchmark
from retrieval.benchmarks.annotations import read_object
from retrieval.evaluation import report as retrieval_report
from tests.cdd_icm.conftest import TINY, tiny_folder, tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401

NOT_FINITE = "is not a finite number"
ZERO = "is minus zero, expected 0"

NUMBERS = {
    "NaN": NOT_FINITE,
    "Infinity": NOT_FINITE,
    "-Infinity": NOT_FINITE,
    "1e999": NOT_FINITE,
    "-1e999": NOT_FINITE,
    "1E+400": NOT_FINITE,
    "-0": ZERO,
    "-0.0": ZERO,
    "-0e5": ZERO,
    "-1e-999": ZERO,
    "9223372036854775808": "needs more than 64 bits",
    "-9223372036854775809": "needs more than 64 bits",
}
"""How a number is written in JSON, and why it is refused."""


@pytest.mark.parametrize(("text", "why"), NUMBERS.items())
def test_json_refuses_a_number(text, why):
    with pytest.raises(InputError) as refused:
        parse_json(f'{{"a": [{text}]}}', "x.json")
    assert str(refused.value) == f"x.json: {text} {why}"


@pytest.mark.parametrize("text", ["0", "0.0", "1e308", "-1", "-0.5", "1e-999", "9223372036854775000"])
def test_json_takes_a_number(text):
    assert parse_json(text, "x") == pytest.approx(float(text))


READ = {
    "JSON": ("x.json", '{{"a": {}}}', read_json, "x.json: "),
    "report": ("x.json", '{{"format": {}}}', read_report, "x.json: "),
    "retrieval report": ("x.json", '{{"format": {}}}', retrieval_report.read_report, "x.json: "),
    "metadata": ("metadata.jsonl", '{{"turn": {}}}', lambda f: load_dialogs(f.parent), "metadata.jsonl:1: "),
    "CoDraw": ("CoDraw.json", '{{"data": {}}}', count_raw_dialogs, "CoDraw.json: "),
    "sentences": ("x.jsonl", '{{"kind": {}}}', read_sentences, "x.jsonl:1: "),
    "triplets": ("x.jsonl", '{{"id": {}}}', lambda f: read_benchmark("triplets", f), "x.jsonl: line 1: "),
    "object of a benchmark": ("x.json", '{{"a": {}}}', read_object, "x.json: "),
}


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "-0"])
@pytest.mark.parametrize("reader", READ)
def test_every_reader_of_json_refuses_a_number(tmp_path, reader, text):
    name, content, read, where = READ[reader]
    (tmp_path / name).write_text(content.format(text))
    with pytest.raises(InputError) as refused:
        read(tmp_path / name)
    assert str(refused.value) == f"{tmp_path}/{where}{text} {NUMBERS[text]}"


CONFIG = {
    ".nan": NOT_FINITE,
    ".inf": NOT_FINITE,
    "-.inf": NOT_FINITE,
    "1.0e+999": NOT_FINITE,
    "-0": ZERO,
    "-0.0": ZERO,
}


@pytest.mark.parametrize(
    "key", ["training.learning_rate", "encoder.model.embed_dim", "sampling.guidance_scale"]
)
@pytest.mark.parametrize(("text", "why"), CONFIG.items())
def test_a_config_refuses_a_number(tmp_path, key, text, why):
    """Also where a key takes values of any kind, as `encoder.model` does."""
    (tmp_path / "x.yaml").write_text("seed: 1\n")
    with pytest.raises(InputError) as refused:
        load_config(tmp_path / "x.yaml", [f"{key}={text}"])
    assert str(refused.value) == f"'{key}={text}': the value is not YAML (line 1: {text} {why})"
    (tmp_path / "y.yaml").write_text(yaml.safe_dump(TINY) + f"seed: {text}\n")
    with pytest.raises(InputError) as refused:
        load_config(tmp_path / "y.yaml")
    assert str(refused.value).startswith(f"{tmp_path}/y.yaml: not YAML (line ")
    assert str(refused.value).endswith(f": {text} {why})")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1e999", "'1e999', expected a finite number"),
        ("nan", "'nan', expected a number"),
        ("'-0'", "'-0', expected a number"),
        ("inf", "'inf', expected a number"),
    ],
)
def test_a_config_refuses_a_text_that_is_such_a_number(tmp_path, text, said):
    """YAML takes 1e-4 for a text, so that texts stand for numbers."""
    (tmp_path / "x.yaml").write_text(f"training: {{learning_rate: {text}}}")
    with pytest.raises(InputError) as refused:
        load_config(tmp_path / "x.yaml")
    assert "training.learning_rate is " in str(refused.value)
    assert text.strip("'") in str(refused.value)


GENERATE = ["generate", "--say", "a", "--model", "m", "--out", "o"]
SEARCH = ["search", "--store", "x.db", "--text", "a"]
COMMANDS = {
    "--guidance-scale nan": (cli, [*GENERATE, "--guidance-scale=nan"], f"nan {NOT_FINITE}"),
    "--guidance-scale inf": (cli, [*GENERATE, "--guidance-scale=inf"], f"inf {NOT_FINITE}"),
    "--plan-temperature -inf": (cli, [*GENERATE, "--plan-temperature=-inf"], f"-inf {NOT_FINITE}"),
    "--icm-guidance-scale 1e999": (cli, [*GENERATE, "--icm-guidance-scale=1e999"], f"1e999 {NOT_FINITE}"),
    "--image-guidance-scale -0": (cli, [*GENERATE, "--image-guidance-scale=-0"], f"-0 {ZERO}"),
    "--seed -0": (cli, [*GENERATE, "--seed=-0"], f"-0 {ZERO}"),
    "--num-candidates -0": (cli, [*GENERATE, "--num-candidates=-0"], f"-0 {ZERO}"),
    "--num-candidates nan": (cli, [*GENERATE, "--num-candidates=nan"], "'nan' is not a whole number"),
    "--seed 1e999": (cli, [*GENERATE, "--seed=1e999"], "'1e999' is not a whole number"),
    "--limit": (cli, [*GENERATE, "--limit=-0"], f"-0 {ZERO}"),
    "-k -0": (retrieval_cli, [*SEARCH, "-k=-0"], f"-0 {ZERO}"),
    "-k nan": (retrieval_cli, [*SEARCH, "-k=nan"], "'nan' is not a whole number"),
    "--batch-size": (
        retrieval_cli,
        ["index", "x", "--store", "x.db", "--batch-size=-0"],
        f"-0 {ZERO}",
    ),
}


@pytest.mark.parametrize(("program", "arguments", "line"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_refuses_a_number(program, arguments, line, capsys):
    with pytest.raises(SystemExit) as left:
        program.main(arguments)
    option = arguments[-1].partition("=")[0]
    assert left.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"argument {option}: {line}")


@pytest.mark.parametrize(("parse", "text"), [(real, "one"), (real, ""), (whole, "1.5"), (whole, "one")])
def test_what_is_no_number(parse, text):
    with pytest.raises(ValueError, match=f"^'{text}' is not a (whole )?number$"):
        parse(text)


def test_what_is_written_is_read_back(tmp_path):
    """Of what a run measures, some may be minus zero or, where fp16 skipped a step, not finite."""
    values = {"zero": -0.0, "norm": float("inf"), "loss": float("nan"), "all": [-0.0, (1.5, None)], "n": 3}
    append_json(tmp_path / "log.jsonl", values)
    assert read_json(tmp_path / "log.jsonl") == {
        **{"zero": 0.0, "norm": None, "loss": None},
        **{"all": [0.0, [1.5, None]], "n": 3},
    }
    assert "-0" not in to_json(values)
