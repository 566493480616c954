from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cdd_icm.errors import InputError
from retrieval.benchmarks import Benchmark, circo, cirr
from retrieval.cli import main
from retrieval.evaluation import submission
from retrieval.evaluation.ranking import ranked_ids, ranked_subsets


@pytest.fixture(scope="module")
def cirr_test(cir) -> Benchmark:
    return cirr.read(cir / "CIRR", "test1")


@pytest.fixture(scope="module")
def circo_test(cir) -> Benchmark:
    queries = circo.read_queries(cir / "CIRCO", "test")
    gallery = tuple(dict.fromkeys([*(query.reference for query in queries), *map(str, range(2000))]))
    return Benchmark("circo", "test", queries, {"all": gallery}, recall_at=(5,), map_at=(5,))


def random_rankings(benchmark: Benchmark, length: int, rank=ranked_ids) -> list[tuple[str, ...]]:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(len(benchmark.queries), 8, generator=generator)
    pictures = torch.randn(len(benchmark.picture_ids), 8, generator=generator)
    return rank(benchmark, queries, pictures, length)


@pytest.fixture(scope="module")
def cirr_files(cirr_test, tmp_path_factory):
    ranked, subsets = random_rankings(cirr_test, 50), random_rankings(cirr_test, 3, ranked_subsets)
    return submission.write_cirr(tmp_path_factory.mktemp("cirr"), cirr_test, ranked, subsets)


@pytest.fixture(scope="module")
def circo_file(circo_test, tmp_path_factory):
    path = tmp_path_factory.mktemp("circo") / "test.json"
    return submission.write_circo(path, circo_test, random_rankings(circo_test, 60))


def test_cirr_files_of_random_rankings_pass(cirr_test, cirr_files):
    for path, metric, length in zip(cirr_files, ("recall", "recall_subset"), (50, 3), strict=True):
        assert submission.check(path, cirr_test) == f"CIRR {metric}: 4148 queries, all checked"
        assert "names and query ids not checked" in submission.check(path)
        assert path.stat().st_size < 5_000_000
        content = json.loads(path.read_text())
        assert (content["version"], content["metric"]) == ("rc2", metric)
        assert len(content["12063"]) == length


def test_circo_file_of_random_rankings_passes(circo_test, circo_file):
    assert submission.check(circo_file, circo_test) == "CIRCO: 800 queries, all checked"
    content = json.loads(circo_file.read_text())
    assert list(content) == [str(i) for i in range(800)]
    assert len(content["0"]) == 50 and isinstance(content["0"][0], int)


def first(content: dict) -> list:
    return content["12063"] if "12063" in content else content["0"]


def reference(content: dict) -> None:
    first(content)[0] = "test1-147-1-img1"


def drop(key: str):
    return lambda content: content.pop(key)


def put(key: str, value):
    return lambda content: content.update({key: value})


def put_first(value):
    return lambda content: first(content).__setitem__(0, value)


def twice(content: dict) -> None:
    first(content)[1] = first(content)[0]


def swell(content: dict) -> None:
    content.update({str(i): ["x" * 1200] for i in range(5000)})


def renumber(content: dict) -> None:
    content["800"] = content.pop("0")


BROKEN = {  # what is done to a sound file, and what is said of it with and without the annotations
    "recall": [
        (drop("version"), "version: None instead of 'rc2'", True),
        (put("version", "rc1"), "version: 'rc1' instead of 'rc2'", True),
        (drop("metric"), "metric: None is not one of recall, recall_subset", True),
        (put("metric", "R@1"), "metric: 'R@1' is not one of recall, recall_subset", True),
        (put("metric", ["recall"]), "metric: ['recall'] is not one of recall, recall_subset", True),
        (put("metric", "recall_subset"), "query 12063: 50 images instead of 3", True),
        (drop("12063"), "1 missing query ids: 12063", False),
        (drop("12063"), "4147 queries instead of 4148", None),
        (put("1", ["test1-0-0-img0"] * 50), "1 unknown query ids: 1", False),
        (lambda content: first(content).pop(), "query 12063: 49 images instead of 50", True),
        (lambda content: first(content).append("x"), "query 12063: 51 images instead of 50", True),
        (put("12063", "test1-0-0-img0"), "query 12063: 'test1-0-0-img0' is not a list", True),
        (twice, "is ranked twice", True),
        (reference, "query 12063: the reference 'test1-147-1-img1' is ranked", False),
        (put_first("dev-0-0-img0"), "query 12063: 'dev-0-0-img0' is not an image of the split", False),
        (put_first("test1-0-0-img0.png"), "must be named without its suffix", True),
        (put_first(7), "query 12063: image 7 is not a name", True),
        (swell, "over the server's limit", True),
    ],
    "recall_subset": [
        (put("metric", "recall"), "query 12063: 3 images instead of 50", True),
        (reference, "query 12063: the reference 'test1-147-1-img1' is ranked", False),
        (put_first("test1-233-3-img1"), "'test1-233-3-img1' is not of its image set", False),
        (twice, "is ranked twice", True),
    ],
    "circo": [
        (drop("799"), "1 missing query ids: 799", False),
        (drop("799"), "799 queries instead of 800", None),
        (put("800", list(range(50))), "1 unknown query ids: 800", False),
        (renumber, "query id '800' is not one of 0 to 799", None),
        (lambda content: content.update({"9" * 5000: content.pop("799")}), "query id '9999", None),
        (lambda content: first(content).pop(), "query 0: 49 images instead of 50", True),
        (put_first("7"), "query 0: image '7' is not a number", True),
        (put_first(True), "query 0: image True is not a number", True),
        (put_first(10**7), "query 0: 10000000 is not an image of unlabeled2017", False),
        (twice, "is ranked twice", True),
        (put("version", "rc2"), "a file for CIRR, not for CIRCO", False),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "breaking", "fault", "alone"), [(kind, *case) for kind in BROKEN for case in BROKEN[kind]]
)
def test_a_broken_file_is_refused(request, cir, tmp_path, kind, breaking, fault, alone):
    """`alone`: found without the annotations too (True), only with them (False), or only without them
    (None)."""
    if kind == "circo":
        sound, benchmark = request.getfixturevalue("circo_file"), request.getfixturevalue("circo_test")
    else:
        sound = request.getfixturevalue("cirr_files")[kind == "recall_subset"]
        benchmark = request.getfixturevalue("cirr_test")
    content = json.loads(sound.read_text())
    breaking(content)
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(content))
    for against in [benchmark] * (alone is not None) + [None] * (alone is not False):
        with pytest.raises(InputError) as raised:
            submission.check(path, against)
        message = str(raised.value)
        assert fault in message and message.startswith(str(path)) and "\n" not in message


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"0": [1], "0": [2]}', "query id '0' appears twice"),
        ("[1, 2]", "not a JSON object"),
        ('{"0": [1', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"0": [%s]}' % ("9" * 5000), "needs more than 64 bits"),
        ("{}", "0 queries instead of 800"),
    ],
)
def test_what_is_no_submission_is_refused(write, text, fault):
    with pytest.raises(InputError, match=fault):
        submission.check(write("broken.json", text))


def test_nothing_is_written_that_the_server_would_refuse(cirr_test, tmp_path):
    ranked, subsets = random_rankings(cirr_test, 49), random_rankings(cirr_test, 3, ranked_subsets)
    with pytest.raises(InputError, match="49 images instead of 50"):
        submission.write_cirr(tmp_path, cirr_test, ranked, subsets)
    assert not list(tmp_path.iterdir())


def test_circos_keys_are_checked_without_cocos_list(cir, circo_file, write):
    queries = circo.read_queries(cir / "CIRCO", "test")
    says = "CIRCO: 800 queries; image numbers not checked"
    assert submission.check(circo_file, circo_queries=queries) == says
    with pytest.raises(InputError, match="1 missing query ids: 799"):
        submission.check(write("short.json", {str(i): [] for i in range(799)}), circo_queries=queries)
    with pytest.raises(InputError, match="a file for CIRR, not for CIRCO"):
        submission.check(write("cirr.json", {"version": "rc2"}), circo_queries=queries)


def test_a_folder_that_cant_be_written_is_one_line(cirr_test, cirr_files, tmp_path):
    ranked, subsets = random_rankings(cirr_test, 50), random_rankings(cirr_test, 3, ranked_subsets)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/recall.json: can't be written"):
        submission.write_cirr(tmp_path / "file", cirr_test, ranked, subsets)


def test_a_partial_run_is_not_submitted(cirr_test, cirr_files):
    partial = replace(cirr_test, partial={"pictures": 1, "queries": 0})
    with pytest.raises(InputError, match="a partial run of cirr can't be submitted"):
        submission.check(cirr_files[0], partial)


@pytest.fixture
def write_files(make_model, tmp_path, capsys):
    """write_files(benchmark, *arguments) -> exit status and what `submission write` printed on either stream,
    of made-up annotations in `tmp_path` and 60 noisy pictures, named 0 to 59."""
    make_model("sum").save_pretrained(tmp_path / "model")
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(60):
        pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")

    def run(benchmark, *arguments):
        given = ["submission", "write", "--benchmark", benchmark, "--data", tmp_path, "--model"]
        given += [tmp_path / "model", "--images", tmp_path / "images", "--out", tmp_path / "out"]
        given += ["--cache-dir", tmp_path / "cache", "--device", "cpu", *arguments]
        return main([str(argument) for argument in given]), *capsys.readouterr()

    return run


def test_a_model_writes_what_cirrs_server_takes(write_files, write, make_model, tmp_path):
    names = {str(number): f"./test1/{number}.png" for number in range(60)}
    write("image_splits/split.rc2.test1.json", names)
    members = [str(number) for number in range(6)]
    entries = [
        {"pairid": id, "reference": str(id), "caption": "add a red cube", "img_set": {"members": members}}
        for id in (1, 4)
    ]
    write("captions/cap.rc2.test1.json", entries)
    status, out, _ = write_files("cirr", "--batch-size", "1")
    assert status == 0 and "split: test1\n" in out
    assert out.endswith("recall_subset.json: CIRR recall_subset: 2 queries, all checked\n")
    metrics = ("recall", "recall_subset")
    found = {metric: json.loads((tmp_path / "out" / f"{metric}.json").read_text()) for metric in metrics}
    model, images = make_model("sum"), tmp_path / "images"
    gallery = model.encode_gallery([Image.open(images / f"{number}.png") for number in range(60)])
    query = model.encode_query([Image.open(images / "4.png")], ["add a red cube"])[0]
    best = [str(number) for number in (gallery @ query).argsort(descending=True).tolist() if number != 4]
    assert found["recall"]["4"] == best[:50]
    assert found["recall_subset"]["4"] == [name for name in best if name in members][:3]
    (tmp_path / "images" / "0.png").unlink()
    status, _, error = write_files("cirr")
    assert status == 2 and "1 of the 60 pictures of cirr test1 are missing: 0" in error


def test_a_model_writes_what_circos_server_takes(write_files, write, tmp_path):
    entry = {"reference_img_id": 7, "relative_caption": "has two cubes", "shared_concept": "a cube"}
    write("annotations/test.json", [entry | {"id": id} for id in range(3)])
    images = [{"id": id, "file_name": f"{id}.png"} for id in range(60)]
    write("annotations/image_info_unlabeled2017.json", {"images": images})
    status, out, _ = write_files("circo", "text=shared")
    assert status == 0 and "text: shared: find {shared_concept}" in out
    assert out.endswith("circo.json: CIRCO: 3 queries, all checked\n")
    found = json.loads((tmp_path / "out" / "circo.json").read_text())
    assert list(found) == ["0", "1", "2"] and len(found["0"]) == 50
    assert 7 in found["0"]  # CIRCO ranks the reference too
    assert write_files("circo", "split=val")[::2] == (
        2,
        "cdd-retrieval: split=val: the server of circo scores test\n",
    )
    write("annotations/image_info_unlabeled2017.json", {"images": images[:49]})
    status, _, error = write_files("circo")
    assert status == 2 and "query 0: 49 images instead of 50" in error
