import multiprocessing
import os
import pickle
import signal
from itertools import pairwise

import numpy as np
import pytest

from cdd_icm.data import PictureCache, load_dialogs, pictures_of, to_square
from cdd_icm.data import rows as growing
from cdd_icm.errors import InputError

SIZE = 8


class Painted:
    """A picture that counts how often it is decoded."""

    def __init__(self, value: int):
        self.value, self.decoded = value, 0

    @property
    def key(self) -> str:
        return f"{self.value:064x}"

    def decode(self):
        self.decoded += 1
        return np.full((6, 9, 3), self.value, np.uint8)


class Fatal(Painted):
    def decode(self):
        os.kill(os.getpid(), signal.SIGKILL)


def build(folder, pictures, size=SIZE):
    return PictureCache.open_or_build(folder, pictures, size, progress=False)


def test_every_picture_is_its_squeezed_decode(iclevr, tmp_path):
    pictures = list(pictures_of(load_dialogs(iclevr)))
    built = build(tmp_path / "cache", pictures)
    for picture in pictures:
        expected = to_square(picture.decode(), SIZE).transpose(2, 0, 1)
        assert np.array_equal(built[picture.key], expected)
    assert built[pictures[0].key].shape == (3, SIZE, SIZE) and built[pictures[0].key].dtype == np.uint8
    assert len(built) == len({picture.key for picture in pictures})


def test_nothing_is_decoded_twice_and_new_pictures_are_appended(tmp_path):
    old, new = [Painted(1), Painted(2), Painted(1)], Painted(3)
    first = build(tmp_path, old)
    again = build(tmp_path, [*old, new])
    assert [picture.decoded for picture in (*old, new)] == [0, 1, 1, 1]
    assert len(first) == 2 and len(again) == 3
    assert (first[old[1].key] == 2).all() and (again[old[1].key] == 2).all() and (again[new.key] == 3).all()
    with pytest.raises(KeyError):
        first[new.key]


def test_sizes_are_apart(tmp_path):
    picture = Painted(5)
    assert build(tmp_path, [picture], 4)[picture.key].shape == (3, 4, 4)
    assert build(tmp_path, [picture], 16)[picture.key].shape == (3, 16, 16)
    assert picture.decoded == 2


def test_a_killed_writer_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "CHUNK", 2)
    pictures = [Painted(value) for value in range(1, 8)]
    doomed = [*pictures[:5], Fatal(99), *pictures[5:]]
    writer = multiprocessing.get_context("fork").Process(target=build, args=(tmp_path, doomed))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    built = build(tmp_path, pictures)
    assert [picture.decoded for picture in pictures[:4]] == [0] * 4  # two whole chunks were kept
    assert all((built[picture.key] == picture.value).all() for picture in pictures)


def test_only_whole_pictures_are_trusted(tmp_path):
    pictures = [Painted(1), Painted(2), Painted(3)]
    build(tmp_path, pictures)
    (data,) = tmp_path.glob("*.rgb")
    os.truncate(data, 2 * 3 * SIZE * SIZE + 7)
    built = build(tmp_path, pictures)
    assert [picture.decoded for picture in pictures] == [1, 1, 2]
    assert all((built[picture.key] == picture.value).all() for picture in pictures)


def test_pictures_and_index_are_only_ever_appended(tmp_path, monkeypatch):
    """What is on the disk stays as it is, whatever the number of pictures."""
    monkeypatch.setattr(growing, "CHUNK", 2)
    contents = []
    for count in (1, 4, 9):
        build(tmp_path, map(Painted, range(count)))
        contents.append([next(tmp_path.glob(f"*.{kind}")).read_bytes() for kind in ("rgb", "keys")])
    for before, after in pairwise(contents):
        assert all(longer.startswith(shorter) for shorter, longer in zip(before, after, strict=True))


def test_half_a_key_of_a_killed_writer_is_cut_off(tmp_path):
    pictures = [Painted(1), Painted(2)]
    build(tmp_path, pictures[:1])
    for file, end in ((next(tmp_path.glob("*.rgb")), b"\1" * 99), (next(tmp_path.glob("*.keys")), b"00")):
        with open(file, "ab") as opened:
            opened.write(end)
    built = build(tmp_path, pictures)
    assert [picture.decoded for picture in pictures] == [1, 1] and len(built) == 2
    assert all((built[picture.key] == picture.value).all() for picture in pictures)


@pytest.mark.parametrize("damaged", [b"side 9\na\n", b"side 8\na\na\n", b"\xff\n"])
def test_a_damaged_index_is_named(tmp_path, damaged):
    build(tmp_path, [Painted(1)])
    (index,) = tmp_path.glob("*.keys")
    index.write_bytes(damaged)
    with pytest.raises(InputError, match=index.name):
        build(tmp_path, [Painted(1)])


def test_a_worker_maps_the_file_again(tmp_path):
    picture = Painted(4)
    built = build(tmp_path, [picture])
    message = pickle.dumps(built)
    assert len(message) < 1000
    assert np.array_equal(pickle.loads(message)[picture.key], built[picture.key])


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build(None, [Painted(1)])
    assert list((tmp_path / "cdd-icm").glob("*.rgb"))


def test_squares_are_squeezed_never_cropped():
    wide = np.zeros((30, 40, 3), np.uint8)
    wide[:, :2], wide[:, -2:] = (255, 0, 0), (0, 0, 255)
    square = to_square(wide, 20)
    assert square.shape == (20, 20, 3)
    assert square[10, 0, 0] > 200 and square[10, -1, 2] > 200 and square[10, 10].max() == 0
    same = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert np.array_equal(to_square(same, 20), same)
