from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd_icm.errors import InputError
from retrieval.benchmarks import Benchmark, Location, Query
from retrieval.images import find, resolve


def benchmark(*paths: str, box=None) -> Benchmark:
    """A picture per path, each but the first the target of a query from the first."""
    queries = tuple(Query(path, paths[0], ("redder",), (path,)) for path in paths[1:])
    locations = {path: Location(path, box) for path in paths}
    return Benchmark(
        "mine", "val", queries, {"all": paths}, recall_at=(1,), headline=("R@1",), locations=locations
    )


def draw(path: Path, color: str = "red", size=(6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def colors(wanted: Benchmark, folder: Path) -> dict[str, tuple]:
    return {
        id: tuple(map(int, picture.decode()[0, 0])) for id, picture in find(wanted, folder).pictures.items()
    }


RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("kept", ["{}.png", "images/{}.PNG", "images/dress/{}.webp", "a/b/c/{}.bmp"])
def test_any_suffix_and_nesting(tmp_path, kept):
    draw(tmp_path / kept.format("B01"), "blue")
    draw(tmp_path / kept.format("B02"), "red")
    assert colors(benchmark("dress/B01", "dress/B02.jpg"), tmp_path)["dress/B01"][2] > 200
    assert not find(benchmark("B01.png", "B02"), tmp_path).missing


def test_a_zip_is_as_good_as_a_folder(tmp_path):
    draw(tmp_path / "B01.png", "blue")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(tmp_path / "B01.png", "some/where/B01.png")
    assert colors(benchmark("B01", "B02"), tmp_path / "images.zip") == {"B01": BLUE}


def test_folders_decide_between_pictures_of_one_name(tmp_path):
    draw(tmp_path / "images" / "a" / "1.png", "red")
    draw(tmp_path / "images" / "b" / "1.png", "blue")
    assert colors(benchmark("a/1", "b/1"), tmp_path) == {"a/1": RED, "b/1": BLUE}
    # b's picture must not stand in for a's
    (tmp_path / "images" / "a" / "1.png").unlink()
    assert find(benchmark("a/1", "b/1"), tmp_path).missing == ("a/1",)


def test_copies_are_one_picture_and_different_ones_a_fault(tmp_path):
    draw(tmp_path / "shirt" / "B01.png", "red")
    draw(tmp_path / "toptee" / "B01.png", "red")
    draw(tmp_path / "B02.png")
    assert colors(benchmark("B01", "B02"), tmp_path)["B01"] == RED
    draw(tmp_path / "toptee" / "B01.png", "blue")
    with pytest.raises(
        InputError, match=r"shirt/B01\.png: another picture of this name is .*toptee/B01\.png"
    ):
        find(benchmark("B01", "B02"), tmp_path)
    assert colors(benchmark("toptee/B01", "B02"), tmp_path)["toptee/B01"] == BLUE


def test_png_comes_before_a_jpeg_of_the_same_name(tmp_path):
    draw(tmp_path / "B01.jpg", "red")
    draw(tmp_path / "B01.png", "blue")
    assert colors(benchmark("B01", "B02"), tmp_path) == {"B01": BLUE}


def test_all_missing_pictures_are_reported_at_once(tmp_path):
    draw(tmp_path / "B01.png")
    wanted = benchmark("B01", "B02", "B03", "B04", "B05")
    assert find(wanted, tmp_path).missing == ("B02", "B03", "B04", "B05")
    first = ", ".join(rf"{id} \(target of query {id}\)" for id in ("B02", "B03", "B04"))
    with pytest.raises(InputError, match=rf"4 of the 5 pictures of mine val are missing: {first}, \.\.\.$"):
        resolve(wanted, tmp_path)


def test_a_missing_picture_is_named_with_what_asks_for_it():
    queries = (
        Query("7", "1", ("redder",), ("2",), candidates=("2", "3")),
        Query("8", "2", ("a",), ("3",), candidates=("3", "4")),
    )
    gallery = ("1", "2", "3", "4", "5")
    wanted = Benchmark("mine", "val", queries, {"all": gallery}, (1,), headline=("R@1",))
    assert wanted.named_in == {
        "1": "reference of query 7",
        "2": "target of query 7",
        "3": "candidate of query 7",
        "4": "candidate of query 8",
        "5": "in the gallery",
    }


def test_a_partial_run_only_when_asked(tmp_path):
    for name in ("B01", "B02"):
        draw(tmp_path / f"{name}.png")
    partial = resolve(benchmark("B01", "B02", "B03"), tmp_path, allow_missing=True)
    assert partial.partial == {"pictures": 1, "queries": 1}
    assert partial.picture_ids == ("B01", "B02") and set(partial.pictures) == {"B01", "B02"}
    whole = resolve(benchmark("B01", "B02"), tmp_path, allow_missing=True)
    assert whole.partial is None


def test_boxes_are_cut_out(tmp_path):
    draw(tmp_path / "1.png", size=(40, 20))
    draw(tmp_path / "2.png")
    picture = find(benchmark("1", "2", box=(0, 0, 10, 5)), tmp_path).pictures["1"]
    whole = find(benchmark("1", "2"), tmp_path).pictures["1"]
    assert picture.decode().shape == (17, 17, 3) and picture.key != whole.key
    np.testing.assert_array_equal(picture.decode()[4:12], np.full((8, 17, 3), RED))


def test_pictures_are_not_looked_for_twice(tmp_path):
    for name in ("B01", "B02"):
        draw(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match="comes with its pictures"):
        resolve(resolve(benchmark("B01", "B02"), tmp_path), tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="not a folder or zip of pictures"):
        find(benchmark("1", "2"), tmp_path / "nowhere")
