"""`push` uploads a checked model folder and its card, and nothing else; a dry run contacts nobody."""

import hashlib
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants

from cdd_icm import CDDICMPipeline
from cdd_icm.card import Card, check_metadata, hub_card, read_card
from cdd_icm.cli import main
from cdd_icm.errors import InputError
from retrieval import RetrievalModel
from retrieval.cli import main as retrieval_main
from tests.cdd_icm.conftest import tiny_folder, tiny_pipeline  # noqa: F401
from tests.hub import serving

SHIPPED = Path(__file__).parents[1] / "data" / "pretrained"
RETRIEVAL = SHIPPED / "retrieval_iclevr"
PIPELINES = sorted(file.parent.name for file in SHIPPED.glob("*/model_index.json"))


@pytest.fixture
def hub(monkeypatch):
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its server is more than the hub's
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield hub


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def contents(folder):
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_pipeline_is_pushed_in_one_commit_and_loads_from_there(hub, tiny_folder, tmp_path, capsys):  # noqa: F811
    command = ["push", str(tiny_folder), "me/model", "--license", "mit", "--private", "--message", "First"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{hub.endpoint}/me/model/commit/{'0' * 40}\n"
    assert hub.commits == ["First"] and hub.tokens == {"Bearer hf_secret"}
    assert [(repo["name"], repo["visibility"]) for repo in hub.created] == [("model", "private")]
    assert {k: v for k, v in hub.files.items() if k != "README.md"} == contents(tiny_folder)
    for name, content in hub.files.items():
        file = tmp_path / "downloaded" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    assert CDDICMPipeline.from_pretrained(tmp_path / "downloaded").image_size == 32
    assert read_card(tmp_path / "downloaded" / "README.md").metadata["license"] == "mit"


def test_a_retrieval_model_is_pushed(hub, capsys):
    assert retrieval_main(["push", str(RETRIEVAL), "me/finds"]) == 0
    expected = contents(RETRIEVAL)
    assert hub.files.keys() == expected.keys()
    assert [k for k in expected if hub.files[k] != expected[k]] == ["README.md"]
    assert "--local-dir model" in hub.files["README.md"].decode()


def test_models_push_themselves(hub, tiny_pipeline, tmp_path):  # noqa: F811
    assert tiny_pipeline.push_to_hub("me/model", "Mine", license="mit").startswith(hub.endpoint)
    tiny_pipeline.save_pretrained(tmp_path / "here", push_to_hub=True, repo_id="me/other", license="mit")
    RetrievalModel.from_pretrained(RETRIEVAL).push_to_hub("me/finds", readme=RETRIEVAL / "README.md")
    assert [repo["name"] for repo in hub.created] == ["model", "other", "finds"] and hub.commits[0] == "Mine"
    with pytest.raises(InputError, match="no license; give one"):
        tiny_pipeline.push_to_hub("me/model")


def test_a_dry_run_shows_files_and_card_and_contacts_nobody(no_network, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert retrieval_main(["push", str(RETRIEVAL), "me/finds", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    for name, content in contents(RETRIEVAL).items():
        if name != "README.md":
            assert f"{len(content):>12,}  {hashlib.sha256(content).hexdigest()}  {name}\n" in shown
    assert "\nlicense: apache-2.0\n" in shown and "a person should confirm" in shown
    assert shown.endswith("dry run: nothing was sent\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_shipped_pipelines_can_be_pushed(no_network, capsys, name):
    assert main(["push", str(SHIPPED / name), f"me/{name}", "--dry-run"]) == 0
    licence = "cc-by-nc-4.0" if name == "codraw" else "apache-2.0"
    assert f"\nlicense: {licence}\n" in capsys.readouterr().out


def fails(capsys, run, *words):
    assert run(["push", *map(str, words)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    return shown.err.partition(": ")[2].rstrip("\n")


def test_other_files_are_named_and_nothing_is_sent(hub, tiny_folder, capsys):  # noqa: F811
    (tiny_folder / "notes.txt").write_text("secret")
    (tiny_folder / "unet" / ".env").write_text("secret")
    shutil.copy(tiny_folder / "canvas.png", tiny_folder / "unet" / "weights.pt")
    error = fails(capsys, main, tiny_folder, "me/model", "--license", "mit")
    assert error.startswith(f"{tiny_folder}: notes.txt, unet/.env, unet/weights.pt: not uploaded; only ")
    assert not hub.created and not hub.files


@pytest.mark.parametrize(
    ("run", "words", "line"),
    [
        (main, ["{tiny}", "a/b/c"], "repo_id: 'a/b/c', expected 'owner/name' (Repo id must be in the form"),
        (main, ["{tiny}", "--x"], "the following arguments are required: OWNER/NAME"),
        (main, ["nowhere", "me/m"], "nowhere: no such folder"),
        (main, [str(RETRIEVAL), "me/m"], f"{RETRIEVAL}/model_index.json: No such file"),
        (retrieval_main, ["{tiny}", "me/m"], "{tiny}: a pipeline, which `cdd-icm push` uploads"),
        (
            retrieval_main,
            [str(SHIPPED / "detector_iclevr"), "me/m"],
            f"{SHIPPED}/detector_iclevr/config.json: ",
        ),
        (main, ["{tiny}", "me/m"], "{tiny}/README.md: no license; give one, such as --license apache-2.0"),
        (
            retrieval_main,
            [str(RETRIEVAL), "me/m", "--license", "mit"],
            f"license: 'mit', but {RETRIEVAL}/README.md has 'apache-2.0'",
        ),
    ],
)
def test_what_is_refused_is_one_line(tiny_folder, capsys, run, words, line):  # noqa: F811
    words = [word.replace("{tiny}", str(tiny_folder)) for word in words]
    if "--x" in words:
        with pytest.raises(SystemExit):
            run(["push", words[0]])
        assert line in capsys.readouterr().err
    else:
        assert fails(capsys, run, *words).startswith(line.replace("{tiny}", str(tiny_folder)))


def test_without_a_token_or_a_hub_it_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    error = fails(capsys, retrieval_main, RETRIEVAL, "me/m")
    assert error == "me/m: no token for the hub; run `hf auth login` or set HF_TOKEN"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    error = fails(capsys, retrieval_main, RETRIEVAL, "me/m")
    assert error.startswith("me/m: can't be uploaded to http://127.0.0.1:1 (") and "hf_secret" not in error


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_hub_that_refuses_is_one_line(monkeypatch, capsys, status):
    with serving(status) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        error = fails(capsys, retrieval_main, RETRIEVAL, "me/m")
        assert error.startswith(f"me/m: can't be uploaded to {hub.endpoint} (") and str(status) in error
        assert "hf_secret" not in error and not hub.files


@pytest.mark.parametrize(
    ("metadata", "line"),
    [
        ({}, "f: no license"),
        ({"license": ""}, "f: license is '', expected text"),
        ({"license": ["mit"]}, "f: license is ['mit'], expected text"),
        ({"license": "mit", "tags": "a"}, "f: tags is 'a', expected a list of texts"),
        ({"license": "mit", "metrics": [1]}, "f: metrics is [1], expected a list of texts"),
        (
            {"license": "apache-2.0", "datasets": ["x/CoDraw"]},
            "f: license is 'apache-2.0', but the model was trained on x/CoDraw, which is cc-by-nc-4.0",
        ),
    ],
)
def test_metadata_are_checked(metadata, line):
    with pytest.raises(InputError) as refused:
        check_metadata(metadata, "f")
    assert str(refused.value).startswith(line)


def test_a_card_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "README.md"
    text = "# A model\n\nLike [that](../iclevr/README.md), see [this](https://example.org) and [there](#use)."
    file.write_text(
        hub_card(Card({"license": "mit", "tags": ["a"]}, text), {"tags": ["b"], "x": 1}, "## Use")
    )
    card = read_card(file)
    assert card.metadata == {"tags": ["a"], "x": 1, "license": "mit"}
    assert card.text.startswith(
        "# A model\n\nLike that, see [this](https://example.org) and [there](#use).\n\n## Use\n\n## Licence"
    )
    assert "`mit`" in card.text and yaml.safe_load(file.read_text().split("---")[1]) == card.metadata


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\n- a\n---\n", "the metadata are a list, expected a mapping of keys"),
        ("---\na: [\n---\n", "the metadata are not YAML (line "),
        (
            "---\na: !!python/object:os.system x\n---\n",
            "the metadata are not YAML (line 1: could not determine",
        ),
    ],
)
def test_broken_metadata_are_one_line(tmp_path, text, line):
    file = tmp_path / "README.md"
    file.write_text(text)
    with pytest.raises(InputError) as refused:
        read_card(file)
    assert str(refused.value).startswith(f"{file}: {line}") and "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_plain_diffusers_says_what_to_import(name):
    code = "from diffusers import DiffusionPipeline as P; P.from_pretrained({!r}, trust_remote_code=False)"
    plain = subprocess.run(
        [sys.executable, "-c", code.format(str(SHIPPED / name))], capture_output=True, text=True
    )
    last = plain.stderr.strip().splitlines()[-1]
    assert plain.returncode == 1 and last.endswith("has no attribute cdd_icm.CDDICMPipeline")


def test_a_saved_folder_names_its_class_for_plain_diffusers(tiny_folder):  # noqa: F811
    from diffusers import DiffusionPipeline

    with pytest.raises(AttributeError, match=r"has no attribute cdd_icm\.CDDICMPipeline$"):
        DiffusionPipeline.from_pretrained(tiny_folder, trust_remote_code=False)
