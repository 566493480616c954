"""Annotations that can't be used: one line that names file, line, entry and field; and the registry."""

from __future__ import annotations

from pkgutil import resolve_name

import pytest

from cdd_icm.errors import InputError
from retrieval.benchmarks import (
    READERS,
    Benchmark,
    Query,
    circo,
    cirr,
    fashioniq,
    read_benchmark,
    shoes,
    triplets,
)
from tests.retrieval.benchmarks.test_readers import CIRCO

CIRR = {
    "pairid": 7,
    "reference": "d0",
    "target_hard": "d1",
    "caption": "add a dog",
    "img_set": {"id": 3, "members": [f"d{i}" for i in range(6)]},
}
FIQ = {"target": "B1", "candidate": "B2", "captions": ["is red", "is long"]}


def read_faulty(write, reader: str, content):
    """Reads `content` as the caption file of a benchmark whose other files are sound."""
    if reader == "fashioniq":
        root = write("image_splits/split.dress.val.json", ["B1", "B2"]).parent.parent
        write("captions/cap.dress.val.json", content)
        return fashioniq.read(root, categories=("dress",))
    if reader == "cirr":
        root = write("image_splits/split.rc2.val.json", {f"d{i}": f"./dev/d{i}.png" for i in range(9)})
        write("captions/cap.rc2.val.json", content)
        return cirr.read(root.parent.parent)
    root = write("annotations/val.json", content).parent.parent
    return circo.read_queries(root)


def test_an_empty_caption_of_fashioniq_leaves_the_other_alone(cir, write):
    benchmark = fashioniq.read(cir / "fashion-iq")
    assert benchmark.protocol["entries with an empty caption, which is left out"] == 3
    benchmark = read_faulty(write, "fashioniq", [FIQ | {"captions": [" ", "is red."]}])
    assert benchmark.queries[0].texts == ("Is red",)


@pytest.mark.parametrize(
    ("reader", "content", "fault"),
    [
        ("fashioniq", [FIQ, FIQ | {"captions": ["a", "b", "c"]}], "entry 2: captions: 3 texts instead of 2"),
        ("fashioniq", [FIQ | {"captions": ["a"]}], "entry 1: captions: 1 texts instead of 2"),
        ("fashioniq", [FIQ | {"captions": ["a", None]}], "entry 1: captions: None is not a text"),
        ("fashioniq", [FIQ | {"captions": "a"}], "entry 1: captions: 'a' is not a list of texts"),
        ("fashioniq", [FIQ | {"captions": ["", " . "]}], "entry 1: captions: both are empty"),
        (
            "fashioniq",
            [FIQ | {"target": "B9"}],
            "entry 1: target: unknown image 'B9', not in split.dress.val",
        ),
        ("fashioniq", [{"target": "B1", "captions": ["a", "b"]}], "entry 1: candidate: missing"),
        ("fashioniq", ["B1"], "entry 1: 'B1' is not an object"),
        ("fashioniq", "[{]", "line 1, column 3: not JSON"),
        ("fashioniq", "", "cap.dress.val.json: no entries"),
        ("fashioniq", "[]", "cap.dress.val.json: no entries"),
        ("fashioniq", "[" * 100_000, "cap.dress.val.json: JSON that can't be read (maximum recursion"),
        ("fashioniq", "9" * 5000, f"cap.dress.val.json: line 1: {'9' * 40} needs more than 64 bits"),
        (
            "cirr",
            [CIRR, CIRR | {"pairid": 8, "reference": "e"}],
            "entry 2: reference: unknown image 'e', not in split.rc2",
        ),
        ("cirr", [CIRR | {"img_set": {"members": ["d0", "d1"]}}], "img_set.members: 2 images instead of 6"),
        ("cirr", [CIRR | {"img_set": {"members": ["d0"] * 6}}], "img_set.members: an id appears twice"),
        ("cirr", [CIRR | {"reference": "d8"}], "img_set.members: the reference 'd8' is not among them"),
        ("cirr", [CIRR | {"target_hard": "d8"}], "img_set.members: the target 'd8' is not among them"),
        ("cirr", [CIRR | {"img_set": 3}], "img_set: 3 is not an object"),
        ("cirr", [CIRR | {"pairid": True}], "pairid: True is not an id"),
        ("cirr", [CIRR, CIRR], "cap.rc2.val.json: line 1, entry 2: pairid: '7' appears twice"),
        ("circo", [CIRCO | {"relative_caption": " "}], "relative_caption: empty"),
        ("circo", [CIRCO | {"target_img_id": 12}], "gt_img_ids: the first is not target_img_id '12'"),
        ("circo", [CIRCO, CIRCO], "val.json: line 1, entry 2: id: '0' appears twice"),
        ("circo", [CIRCO | {"gt_img_ids": [9, 9]}], "gt_img_ids: an id appears twice"),
        ("circo", [CIRCO | {"gt_img_ids": [9, 1.5]}], "gt_img_ids: 1.5 is not an id"),
    ],
)
def test_a_fault_is_named_in_one_line(write, reader, content, fault):
    with pytest.raises(InputError) as raised:
        read_faulty(write, reader, content)
    message = str(raised.value)
    assert fault in message and "\n" not in message


def test_a_fault_names_its_line(write):
    text = '[\n  {"target": "B1",\n   "candidate": "B2", "captions": ["a", "b"]},\n  {"target": "B1"}\n]'
    with pytest.raises(InputError, match=r"cap\.dress\.val\.json: line 4, entry 2: candidate: missing$"):
        read_faulty(write, "fashioniq", text)
    path = write(
        "t.jsonl", '{"reference": "1", "text": "a", "target": "2"}\n\n{"reference": "1", "text": ""}\n'
    )
    with pytest.raises(InputError, match=r"t\.jsonl: line 3, entry 2: text: empty$"):
        triplets.read(path)
    images = write("cirr/image_splits/split.rc2.val.json", '{\n  "d1": "./dev/d1.png",\n  "d2": 5\n}')
    with pytest.raises(InputError, match=r"split\.rc2\.val\.json: d2: 5 is not a text$"):
        cirr.read(images.parents[2])
    path.write_text('{"reference": "1", "text": "a", "target": "2"}\n{"reference\n')
    with pytest.raises(InputError, match=r"t\.jsonl: line 2, column \d+: not JSON"):
        triplets.read(path)


def test_a_fault_of_a_list_of_images_names_its_line(write):
    write("captions/cap.dress.val.json", [FIQ])
    for content, fault in (
        ('["B1",\n "B2",\n "B1"]', "line 3, entry 3: image 'B1' appears twice"),
        ('["B1", "B2",\n 3]', "line 2, entry 3: 3 is not an image id"),
        ('["B1", "B2", ""]', "line 1, entry 3: '' is not an image id"),
        ('{"B1": "B1.png"}', "{'B1': 'B1.png'} is not a list of image ids"),
    ):
        root = write("image_splits/split.dress.val.json", content).parents[1]
        with pytest.raises(InputError, match=rf"split\.dress\.val\.json: {fault}$"):
            fashioniq.read(root, categories=("dress",))
    write("train_im_names.txt", "1.jpg\n")
    root = write("eval_im_names.txt", "2.jpg\n\n3.jpg\n2.jpg\n").parent
    with pytest.raises(
        InputError, match=r"eval_im_names\.txt: line 4, entry 3: image '2\.jpg' appears twice$"
    ):
        shoes.read(root)


@pytest.mark.parametrize(
    ("name", "options", "fault"),
    [
        ("fashoniq", {}, "unknown benchmark 'fashoniq': did you mean 'fashioniq'?"),
        (
            "fashioniq",
            {"galery": "union"},
            "unknown option 'galery' of benchmark fashioniq: did you mean 'gallery'?",
        ),
        ("fashioniq", {"gallery": "val"}, "gallery='val': must be one of original, union"),
        ("fashioniq", {"captions": "both"}, "captions='both': must be one of joined, averaged"),
        ("fashioniq", {"exclude_reference": "maybe"}, "exclude_reference='maybe': must be true or false"),
        ("fashioniq", {"categories": "dress"}, "categories='dress': must be a list of names"),
        ("cirr", {"split": "test"}, "split='test': must be one of train, val, test1"),
        ("circo", {"text": "both"}, "text='both': must be one of relative, shared"),
        ("genecis", {"tasks": ["object"]}, "tasks='object': must be one of focus_attribute"),
    ],
)
def test_unknown_options_are_refused(tmp_path, name, options, fault):
    with pytest.raises(InputError) as raised:
        read_benchmark(name, tmp_path, options)
    assert fault in str(raised.value)


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(InputError, match="cap.rc2|split.rc2"):
        cirr.read(tmp_path)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"reference": "\xff"}')
    with pytest.raises(InputError, match="not UTF-8"):
        triplets.read(path)


def test_a_new_benchmark_is_a_file_and_one_line_of_the_registry(monkeypatch, tmp_path):
    monkeypatch.setitem(READERS, "toy", f"{__name__}:read_toy")
    benchmark = read_benchmark("toy", tmp_path / "data", {"split": "mine"})
    assert benchmark.protocol["split"] == "mine" and benchmark.name == "data"
    with pytest.raises(InputError, match="unknown option 'splt' of benchmark toy: did you mean 'split'"):
        read_benchmark("toy", tmp_path, {"splt": "mine"})


def read_toy(path, split: str = "val") -> Benchmark:
    queries = (Query("1", "a", ("redder",), ("b",)),)
    return Benchmark(path.name, split, queries, {"all": ("a", "b")}, recall_at=(1,), headline=("R@1",))


@pytest.mark.parametrize("name", READERS)
def test_every_benchmark_has_a_reader(name):
    assert callable(resolve_name(READERS[name]))
