"""The readers on the official annotation files, against the counts that are published or were checked in
them."""

from __future__ import annotations

import itertools
import json
import lzma

import numpy as np
import pytest

from cdd_icm.errors import InputError
from retrieval.benchmarks import (
    circo,
    cirr,
    dialogs,
    fashioniq,
    fine_cirr,
    fine_fashioniq,
    genecis,
    lasco,
    shoes,
    triplets,
)
from tests.retrieval.conftest import SAMPLE

CIRCO = {
    "reference_img_id": 1,
    "relative_caption": "has two dogs",
    "shared_concept": "a dog",
    "id": 0,
    "target_img_id": 9,
    "gt_img_ids": [9, 12],
    "semantic_aspects": ["cardinality"],
}
FASHIONIQ = {  # split: category: queries, images
    "train": {"dress": (5985, 11452), "shirt": (5988, 19036), "toptee": (6027, 16121)},
    "val": {"dress": (2017, 3817), "shirt": (2038, 6346), "toptee": (1961, 5373)},
    "test": {"dress": (2024, 3818), "shirt": (2038, 6346), "toptee": (2056, 5374)},
}


@pytest.mark.parametrize("split", FASHIONIQ)
def test_fashioniq_counts(cir, split):
    protocol = fashioniq.read(cir / "fashion-iq", split=split).protocol
    assert protocol["queries"] == {name: queries for name, (queries, _) in FASHIONIQ[split].items()}
    assert protocol["gallery"] == {name: images for name, (_, images) in FASHIONIQ[split].items()}


def test_fashioniq_union_gallery(cir):
    benchmark = fashioniq.read(cir / "fashion-iq", gallery="union", exclude_reference=True)
    assert benchmark.protocol["gallery"] == {"dress": 2628, "shirt": 3089, "toptee": 2902}
    assert benchmark.protocol["reference"] == "excluded"
    assert benchmark.protocol["gallery images"].startswith("union")


def test_fashioniq_shares_images_between_categories(cir):
    """77,683 images are listed, 74,381 are different: what is missing from a download is mostly this."""
    benchmarks = [fashioniq.read(cir / "fashion-iq", split=split) for split in FASHIONIQ]
    assert sum(len(gallery) for one in benchmarks for gallery in one.galleries.values()) == 77683
    assert len({id for one in benchmarks for id in one.picture_ids}) == 74381


def test_fashioniq_test_hides_its_targets(cir):
    assert not fashioniq.read(cir / "fashion-iq", split="test").labelled
    with pytest.raises(InputError, match="union.*hides its targets"):
        fashioniq.read(cir / "fashion-iq", split="test", gallery="union")


def test_fashioniq_caption_modes(cir):
    def texts(captions, split="val"):
        benchmark = fashioniq.read(cir / "fashion-iq", split, captions=captions, categories=("dress",))
        assert benchmark.protocol["captions"].startswith(captions)
        return [query.texts for query in benchmark.queries]

    one, other = "is shiny and silver with shorter sleeves", "fit and flare"
    assert texts("joined")[0] == (f"Is shiny and silver with shorter sleeves and {other}",)
    assert texts("averaged")[0] == (f"{one} and {other}", f"{other} and {one}")
    assert texts("token")[0] == (f"{one} <and> {other}",)
    assert texts("separate")[:2] == [(one,), (other,)]
    first = ("Is solid black with no sleeves", "Is black with straps")
    assert texts("augmented", "train")[0] == (
        "Is solid black with no sleeves and is black with straps",
        "Is black with straps and is solid black with no sleeves",
        *first,
    )
    with pytest.raises(InputError, match="augmented.*only for the train split"):
        texts("augmented")


@pytest.mark.parametrize(("split", "queries", "images"), [("val", 4181, 2297), ("test1", 4148, 2315)])
def test_cirr_counts(cir, split, queries, images):
    benchmark = cirr.read(cir / "CIRR", split)
    assert (len(benchmark.queries), len(benchmark.galleries["all"])) == (queries, images)
    assert benchmark.protocol["reference"] == "excluded"
    for query in benchmark.queries:
        assert len(query.subset) == 5 and query.reference not in query.subset
    assert benchmark.labelled == (split == "val")


def test_cirr_train_images_are_there_and_its_captions_are_not(cir):
    _, gallery = cirr.read_gallery(cir / "CIRR", "train")
    assert len(gallery) == 16939
    with pytest.raises(InputError, match=r"cap\.rc2\.train\.json: annotation file not found$"):
        cirr.read(cir / "CIRR", "train")


def test_circo_counts(cir):
    val, test = (circo.read_queries(cir / "CIRCO", split) for split in ("val", "test"))
    assert (len(val), len(test)) == (220, 800)
    assert sum(len(query.targets) for query in val) / 220 == pytest.approx(4.16, abs=0.005)
    assert max(len(query.targets) for query in val) == 14
    assert not any(query.reference in query.targets for query in val)
    assert len({tag for query in val for tag in query.tags}) == 9
    assert not any(query.targets for query in test)


def test_circo_text_is_relative_or_with_the_shared_concept(cir):
    relative, shared = (circo.read_queries(cir / "CIRCO", "val", text)[0].texts[0] for text in circo.TEXTS)
    assert relative == "shows two people and has a more colorful background"
    assert shared == f"find a girl with a traditional Chinese umbrella but {relative}"


def test_circo_needs_cocos_list_for_its_gallery(cir):
    with pytest.raises(InputError, match=r"image_info_unlabeled2017\.json: annotation file not found$"):
        circo.read(cir / "CIRCO")


def test_circo_gallery_is_in_the_order_of_cocos_list(write):
    write("annotations/val.json", [CIRCO | {"gt_img_ids": [9, 12], "target_img_id": 9}])
    images = [{"id": id, "file_name": f"{id:012d}.jpg"} for id in (12, 9, 1)]
    write("COCO2017_unlabeled/annotations/image_info_unlabeled2017.json", {"images": images})
    root = write("x", "").parent
    benchmark = circo.read(root)
    assert benchmark.galleries["all"] == ("12", "9", "1")
    assert benchmark.locations["9"].path == "unlabeled2017/000000000009.jpg"
    assert benchmark.queries[0].targets == ("9", "12")


@pytest.mark.parametrize(
    ("changed", "listed", "fault"),
    [
        (
            {"gt_img_ids": [9, 99]},
            (),
            "val.json: line 1, entry 1: gt_img_ids: unknown image '99', not in image_",
        ),
        ({"reference_img_id": 77}, (), "entry 1: reference_img_id: unknown image '77', not in image_info"),
        ({}, ({"id": 1, "file_name": "x.jpg"},), "2017.json: images[3].id: '1' appears twice"),
        ({}, ({"id": 2},), "image_info_unlabeled2017.json: images[3].file_name: missing"),
    ],
)
def test_circo_and_cocos_list_must_agree(write, changed, listed, fault):
    write("annotations/val.json", [CIRCO | changed])
    images = [*({"id": id, "file_name": f"{id:012d}.jpg"} for id in (12, 9, 1)), *listed]
    path = write("annotations/image_info_unlabeled2017.json", {"images": images})
    with pytest.raises(InputError) as raised:
        circo.read(path.parent.parent)
    assert fault in str(raised.value)


def test_genecis_counts(cir):
    benchmark = genecis.read(cir / "genecis", ("change_object", "focus_object"))
    assert benchmark.protocol["queries"] == {"change_object": 1960, "focus_object": 1960}
    assert benchmark.protocol["distractors that are the target itself, left out"] == 1
    lengths = [len(query.candidates) for query in benchmark.queries]
    assert sorted(set(lengths)) == [14, 15] and lengths.count(14) == 1
    with pytest.raises(InputError, match=r"focus_attribute\.json: annotation file not found$"):
        genecis.read(cir / "genecis")


def test_genecis_crops_grow_to_the_left_and_upwards_only():
    picture = np.arange(100 * 200, dtype=np.int64).reshape(100, 200)
    picture = np.stack([picture % 251 + 1] * 3, axis=-1).astype(np.uint8)  # no black of its own
    square = genecis.crop(picture, (50, 40, 20, 10))
    # from (50 - 14, 40 - 7), 34 wide and 17 high, in the middle of a 34 x 34 square
    assert square.shape == (34, 34, 3)
    np.testing.assert_array_equal(square[8:25], picture[33:50, 36:70])
    assert not square[:8].any() and not square[25:].any()
    # at the left border the width still counts from the border: 17 pixels from 0
    np.testing.assert_array_equal(genecis.crop(picture, (0, 0, 10, 10)), picture[:17, :17])


def test_genecis_reads_boxes_and_leaves_out_galleries_of_unusual_length(write):
    def box(image, x=0):
        return {"image_id": str(image), "instance_bbox": [x, 0, 10, 20.5]}

    entry = {"condition": "red", "reference": box(1), "target": box(2), "gallery": [box(2, 5), box(3)]}
    write("focus_attribute.json", [entry, entry, entry | {"gallery": [box(3)]}])
    root = write("x", "").parent
    benchmark = genecis.read(root, ("focus_attribute",))
    assert len(benchmark.queries) == 2
    assert benchmark.protocol["entries with a gallery of unusual length, left out"] == 1
    assert len(set(benchmark.queries[0].candidates)) == 3  # two boxes of picture 2 are two pictures
    place = benchmark.locations[benchmark.queries[0].targets[0]]
    assert (place.path, place.box) == ("2", (0, 0, 10, 20.5))


@pytest.mark.parametrize(("split", "queries", "images"), [("train", 8990, 10000), ("eval", 1761, 4658)])
def test_shoes_counts(cir, split, queries, images):
    benchmark = shoes.read(cir / "shoes", split)
    assert (len(benchmark.queries), len(benchmark.galleries["all"])) == (queries, images)
    lost = {"train": 26, "eval": 1}[split]
    assert benchmark.protocol["queries whose target is the reference, and so never found"] == lost


LASCO = {
    "qid": 28714000,
    "query-image": [28714, "val2014/COCO_val2014_000000028714.jpg"],
    "query-text": "The person is riding the bike",
    "target-image": [42, "val2014/COCO_val2014_000000000042.jpg"],
}


def test_lasco(write):
    write("lasco_val.json", [LASCO])
    corpus = [{"id": id, "path": f"val/val2014/COCO_val2014_{id:012d}.jpg"} for id in (42, 28714)]
    root = write("lasco_val_corpus.json", corpus).parent
    benchmark = lasco.read(root)
    assert benchmark.galleries["all"] == benchmark.picture_ids == ("42", "28714")
    assert benchmark.recall_at == (1, 5, 10, 50, 500, 1000)
    for field in ("query-image", "target-image"):
        write("lasco_val.json", [LASCO | {field: [7, "x.jpg"]}])
        fault = f"line 1, entry 1: {field}: unknown image '7', not in lasco_val_corpus.json$"
        with pytest.raises(InputError, match=fault):
            lasco.read(root)
    write("lasco_val_corpus.json", [{"id": 42, "path": "a.jpg"}, {"id": 42, "path": "b.jpg"}])
    with pytest.raises(InputError, match="lasco_val_corpus.json: line 1, entry 2: id: '42' appears twice"):
        lasco.read(root)


def test_the_train_corpus_of_lasco_is_one_object(write):
    corpus = {"42": "train2014/42.jpg", "28714": "train2014/28714.jpg"}
    write("lasco_train_corpus.json", "\ufeff" + json.dumps(corpus))  # a byte-order mark is no JSON
    benchmark = lasco.read(write("lasco_train.json", [LASCO]).parent, "train")
    assert benchmark.galleries["all"] == ("42", "28714")
    assert benchmark.locations["42"].path == "train2014/42.jpg"


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ""])
def test_fine_fashioniq(write, suffix):
    lines = [
        '{"target":"B02","candidate":"B01","finemt":"1. Make it red. 2. Add a belt."}',
        '{"target":"B03","candidate":"B02","finemt":"1. Longer."}',
    ]
    path = write(f"captions/fiq.fine.dress.val{suffix}", "\n".join(lines) + "\n")
    root = write("image_splits/split.dress.val.json", ["B04", "B03", "B02", "B01"]).parents[1]
    benchmark = fine_fashioniq.read(root, categories=("dress",))
    assert benchmark.galleries == {"dress": ("B01", "B02", "B03")}
    assert benchmark.exclude_reference
    assert benchmark.queries[0].texts == ("1. Make it red. 2. Add a belt.",)
    for field in ("candidate", "target"):
        path.write_text("\n".join([lines[0], json.dumps(json.loads(lines[1]) | {field: "B9"})]))
        fault = f"line 2, entry 2: {field}: unknown image 'B9', not in split.dress.val.json$"
        with pytest.raises(InputError, match=fault):
            fine_fashioniq.read(root, categories=("dress",))


def test_fine_cirr(write):
    names = [f"dev-{i}" for i in range(7)]
    write("image_splits/split.rc2.val.json", {name: f"./dev/{name}.png" for name in names})
    entry = {
        "pairid": 0,
        "reference": "dev-1",
        "target_hard": "dev-2",
        "finemt": "1. Closer.",
        "img_set": {"id": 6, "members": names[:6], "reference_rank": 0, "target_rank": 2},
    }
    root = write("captions/cirr.fine.val.jsonl", [entry]).parent.parent
    benchmark = fine_cirr.read(root)
    assert benchmark.queries[0].subset == ("dev-0", "dev-2", "dev-3", "dev-4", "dev-5")
    assert len(benchmark.galleries["all"]) == 7


def test_triplets(write):
    lines = [
        '{"reference": "a/1.jpg", "text": "redder", "target": "a/2.jpg", "split": "val"}',
        "",
        '{"reference": "a/2.jpg", "text": "bluer", "target": "a/3.jpg", "split": "train"}',
    ]
    path = write("mine.jsonl", "\n".join(lines))
    assert len(triplets.read(path).queries) == 2
    benchmark = triplets.read(path, split="val")
    assert (benchmark.name, benchmark.galleries["all"]) == ("mine", ("a/1.jpg", "a/2.jpg"))
    gallery = write("gallery.json", ["a/2.jpg", "a/9.jpg"])
    benchmark = triplets.read(path, split="val", gallery=gallery)
    assert benchmark.galleries["all"] == ("a/2.jpg", "a/9.jpg")
    assert benchmark.picture_ids == ("a/2.jpg", "a/9.jpg", "a/1.jpg")
    with pytest.raises(InputError, match="no triplets with split 'test'"):
        triplets.read(path, split="test")


def test_a_triplet_may_say_what_its_reference_shows(write):
    line = '{"reference": "1", "text": "redder", "target": "2"%s}\n'
    path = write("t.jsonl", line % "" + line % ', "caption": "a blue cube"')
    assert [query.caption for query in triplets.read(path).queries] == [(), ("a blue cube",)]
    for value, fault in (("3", "3 is not a text"), ('" "', "empty"), ("null", "None is not a text")):
        path.write_text(line % "" + "\n" + line % f', "caption": {value}')
        with pytest.raises(InputError, match=rf"t\.jsonl: line 3, entry 2: caption: {fault}$"):
            triplets.read(path)


def test_the_earlier_instructions_of_a_turn_are_its_caption():
    queries = dialogs.read(SAMPLE, split="train").queries
    one, two, three = (query.texts[0] for query in queries[:3])
    assert [query.caption for query in queries[:4]] == [(), (one,), (one, two), (one, two, three)]
    assert all((query.caption == ()) == (query.tags == ("turn 1",)) for query in queries)


def test_dialogs_of_iclevr(cir):
    benchmark = dialogs.read(cir.parent / "iclevr" / "val.zip", split="val")
    turns = len(benchmark.queries)
    assert turns % 5 == 0
    repeated = benchmark.protocol["identical pictures, counted as one"]
    assert len(benchmark.galleries["all"]) == turns - repeated
    first, second = benchmark.queries[:2]
    assert second.reference == first.targets[0]
    assert second.history == first.texts and second.tags == ("turn 2",)
    assert first.reference not in benchmark.galleries["all"]  # the canvas
    assert benchmark.pictures[first.targets[0]].decode().shape[2] == 3


@pytest.mark.slow
def test_dialogs_of_codraw(cir, tmp_path):
    """Thirty of them, and the last once more."""
    whole = json.loads(lzma.decompress((cir.parent / "codraw" / "CoDraw_1_0.json.xz").read_bytes()))["data"]
    scenes = {id: whole[id] for id in sorted(id for id in whole if id.startswith("val_"))[:30]}
    last = max(scenes)
    scenes["val_99999"] = scenes[last]
    (tmp_path / "CoDraw.json").write_text(json.dumps({"data": scenes}))
    (tmp_path / "Pngs").symlink_to(cir.parent / "codraw" / "Pngs")
    benchmark = dialogs.read(tmp_path, split="val")
    queries, (gallery,) = benchmark.queries, benchmark.galleries.values()
    once, again = (
        [query for query in queries if query.id.startswith(f"{id}-")] for id in (last, "val_99999")
    )
    assert (len(queries), len(gallery), len(again)) == (123, 120, 3)
    assert benchmark.protocol["identical pictures, counted as one"] == len(again)
    assert [query.targets for query in again] == [query.targets for query in once]
    assert {id for query in queries for id in query.targets} == set(gallery)
    for before, query in itertools.pairwise(queries):
        if query.tags == ("turn 1",):  # from the canvas
            assert query.reference == queries[0].reference not in gallery and query.history == ()
        else:
            assert query.reference == before.targets[0]
            assert query.history == before.history + before.texts
    assert benchmark.pictures[once[0].targets[0]].decode().shape == (400, 500, 3)
