"""Whatever happens to an indexing run, the next one brings the store to what the folder holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cdd_icm.errors import InputError
from retrieval.index.build import Indexed, index
from retrieval.index.store import Store
from tests.retrieval.colours import Colours, paint

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "data" / "iclevr_sample" / "images"


class Run:
    """Indexes a folder into one store, each time with a new encoder."""

    def __init__(self, folder: Path, uri: str):
        self.folder, self.uri = folder, uri

    def __call__(self, batch_size: int = 4, encoder: Colours | None = None, prune: bool = False) -> Indexed:
        encoder = encoder or Colours()
        with Store(self.uri, encoder.fingerprint, encoder.width, True, encoder.vectors) as store:
            done = index(self.folder, store, encoder, batch_size, progress=False, prune=prune)
        assert done.added == encoder.encoded
        return done

    def entries(self) -> dict:
        """What the store knows, by path."""
        with Store(self.uri, Colours().fingerprint, Colours.width) as store:
            found = list(store.entries(str(self.folder.resolve())))
            assert len(found) == store.count() == len({entry.content for entry in found})
        return {entry.path: entry for entry in found}


@pytest.fixture
def run(tmp_path, uri):
    """Over four pictures, nested and of several kinds."""
    folder = tmp_path / "pictures"
    paint(folder / "red.png", "red")
    paint(folder / "a" / "blue.webp", "blue", size=(7, 5))
    paint(folder / "a" / "b" / "green.JPG", "green")
    paint(folder / "half.bmp", "red", "blue")
    (folder / "notes.txt").write_text("no picture")
    return Run(folder, uri)


def counts(done: Indexed) -> tuple[int, ...]:
    return done.added, done.updated, done.unchanged, done.duplicates, done.removed


def tag(folder: Path, *rows) -> None:
    (folder / "metadata.jsonl").write_text(
        "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    )


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_every_picture_once_and_a_second_run_asks_the_model_nothing(run, batch_size):
    paint(run.folder / "z" / "red again.png", "red")
    assert counts(run(batch_size)) == (4, 0, 0, 1, 0)
    entries = run.entries()
    assert set(entries) == {"red.png", "a/blue.webp", "a/b/green.JPG", "half.bmp"}
    blue = entries["a/blue.webp"]
    assert (blue.width, blue.height, blue.tags) == (7, 5, {})
    assert blue.file.samefile(run.folder / "a" / "blue.webp")
    assert counts(run(batch_size)) == (0, 0, 4, 1, 0)
    assert run.entries() == entries


@pytest.mark.slow
def test_vectors_are_those_of_the_pictures(run):
    run()
    with Store(run.uri, Colours().fingerprint, Colours.width) as store:
        for rgb, path in (((255, 0, 0), "red.png"), ((0, 255, 0), "a/b/green.JPG")):
            pixels = torch.tensor(rgb, dtype=torch.uint8)[None, :, None, None].expand(1, 3, 8, 8)
            ((score, entry),) = store.search(Colours().encode_gallery(pixels)[0], 1)
            assert entry.path == path and score > 0.999


@pytest.mark.slow
def test_tags_come_from_metadata_and_change_without_the_model(run):
    tag(run.folder, {"file_name": "red.png", "colour": "red", "n": 1}, "\n", {"file_name": "a/blue.webp"})
    tag(run.folder / "a" / "b", {"file_name": "green.JPG", "colour": "green", "deep": {"of": [1.5, None]}})
    run()
    entries = run.entries()
    assert entries["red.png"].tags == {"colour": "red", "n": 1}
    assert entries["a/blue.webp"].tags == entries["half.bmp"].tags == {}
    assert entries["a/b/green.JPG"].tags == {"colour": "green", "deep": {"of": [1.5, None]}}
    tag(run.folder, {"file_name": "red.png", "price": 2})
    assert counts(run()) == (0, 1, 3, 0, 0)
    assert run.entries()["red.png"].tags == {"price": 2}


@pytest.mark.slow
def test_the_store_follows_the_folder(run):
    run()
    (run.folder / "half.bmp").unlink()  # gone
    paint(run.folder / "red.png", "white")  # other content
    (run.folder / "a" / "blue.webp").rename(run.folder / "blue.webp")  # another path
    assert counts(run(prune=True)) == (1, 1, 1, 0, 2)
    assert set(run.entries()) == {"red.png", "blue.webp", "a/b/green.JPG"}


@pytest.mark.slow
def test_a_folder_that_became_a_link_keeps_its_pictures(run, tmp_path):
    run()
    (run.folder / "a").rename(tmp_path / "disk")
    (run.folder / "a").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(run.folder)
    assert counts(run()) == (0, 0, 4, 0, 0)
    assert set(run.entries()) == {"red.png", "a/blue.webp", "a/b/green.JPG", "half.bmp"}
    (tmp_path / "disk").rename(tmp_path / "not mounted")
    done = run(prune=True)
    assert counts(done) == (0, 0, 2, 0, 0) and done.kept == 0 and len(run.entries()) == 4
    assert done.unreadable == [f"{run.folder / 'a'}: No such file or directory"]


GONE = {"none": 0, "a tenth": 2, "over a tenth": 3, "all but one": 19}


@pytest.mark.slow
@pytest.mark.parametrize("gone", GONE.values(), ids=GONE.keys())
def test_over_a_tenth_is_removed_only_if_asked(tmp_path, gone):
    run = Run(tmp_path / "pictures", str(tmp_path / "mine.db"))
    for number in range(20):
        paint(run.folder / f"{number:02}.png", "red", size=(12, 10 + number))
    assert run().added == 20
    for number in range(gone):
        (run.folder / f"{number:02}.png").unlink()
    allowed = gone <= 2
    done = run()
    assert (done.removed, done.kept) == ((gone, 0) if allowed else (0, gone))
    assert len(run.entries()) == (20 - gone if allowed else 20)
    done = run(prune=True)
    assert (done.removed, done.kept) == (0 if allowed else gone, 0)
    assert len(run.entries()) == 20 - gone


def test_a_picture_with_other_content_is_replaced_without_asking(tmp_path):
    run = Run(tmp_path / "pictures", str(tmp_path / "mine.db"))
    for name in ("a", "b"):
        paint(run.folder / f"{name}.png", "red", size=(12, 10 + ord(name)))
    run()
    for name in ("a", "b"):
        paint(run.folder / f"{name}.png", "blue", size=(12, 10 + ord(name)))
    assert counts(run()) == (2, 0, 0, 0, 2)


@pytest.mark.slow
def test_folders_share_a_store(run, tmp_path):
    run()
    other = Run(tmp_path / "other", run.uri)
    paint(other.folder / "white.png", "white")
    assert counts(other()) == (1, 0, 0, 0, 0)
    assert counts(run()) == (0, 0, 4, 0, 0)
    with Store(run.uri, Colours().fingerprint, Colours.width) as store:
        assert store.count() == 5


@pytest.mark.slow
def test_unreadable_pictures_are_listed_and_the_others_indexed(run):
    whole = (run.folder / "half.bmp").read_bytes()
    (run.folder / "cut.bmp").write_bytes(whole[:-30])
    (run.folder / "empty.png").touch()
    (run.folder / "z").mkdir()
    (run.folder / "z" / "empty too.png").touch()
    (run.folder / "gone.png").symlink_to(run.folder / "nowhere.png")
    tag(run.folder, {"file_name": "gone.png", "n": 1})
    done = run(3)
    assert done.added == 4 and done.duplicates == 0
    listed = sorted(done.unreadable)
    assert [Path(line.split(": ")[0]).name for line in listed] == [
        "cut.bmp",
        "empty.png",
        "gone.png",
        "empty too.png",
    ]
    assert all("\n" not in line for line in listed)
    assert set(run.entries()) == {"red.png", "a/blue.webp", "a/b/green.JPG", "half.bmp"}


@pytest.mark.slow
def test_a_picture_that_became_unreadable_stays_until_it_is_another(run):
    run()
    path = run.folder / "half.bmp"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert counts(run()) == (0, 0, 3, 0, 0) and "half.bmp" in run.entries()
    path.write_bytes(whole)
    assert counts(run()) == (0, 0, 4, 0, 0)
    path.unlink()
    path.symlink_to(run.folder / "on a disk that is away.bmp")
    assert counts(run()) == (0, 0, 3, 0, 0) and "half.bmp" in run.entries()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("{", "not JSON"),
        ("[1]\n", "not a JSON object"),
        ('{"file_name": "red.png", "n": NaN}\n', "NaN is not a finite number"),
        ('{"file_name": "red.png", "n": 9223372036854775808}\n', "needs more than 64 bits"),
        ('{"file_name": "red.png", "n": "\\ud800"}\n', "not JSON that the store can hold"),
        ({"name": "red.png"}, "file_name: None, expected a text"),
        ({"file_name": "none.png"}, "file_name: 'none.png': no such file"),
        ({"file_name": "../pictures/red.png"}, "no such file"),
        ({"file_name": "red.png", "path": "x"}, "path: the name of a field of the store itself"),
        ({"file_name": "red.png", "text": "x" * 70000}, "70012 bytes of tags"),
        ({"file_name": "half.bmp"}, "file_name: 'half.bmp' has a row already"),
    ],
)
def test_faulty_metadata_is_refused_before_anything_is_done(run, row, fault):
    tag(run.folder, {"file_name": "half.bmp"}, row)
    with pytest.raises(InputError, match=r"metadata\.jsonl:2: .*" + fault) as refused:
        run()
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_folders_without_pictures_are_refused(run, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        Run(tmp_path / "nowhere", run.uri)()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no pictures here \(\.png, "):
        Run(tmp_path / "empty", run.uri)()
    with pytest.raises(InputError, match="batch_size: 0"):
        run(batch_size=0)


@pytest.mark.slow
def test_a_model_with_several_vectors_a_picture_is_indexed_and_found(run):
    class Several(Colours):
        vectors = 3

        def encode_gallery(self, pictures):
            own = super().encode_gallery(pictures)[:, None]
            return torch.cat([-own, own, -own], dim=1)

    run(encoder=Several())
    query = Several().encode_query(None, ["red"])[0]
    with Store(run.uri, Several().fingerprint, Several.width, vectors=3) as store:
        scores = {entry.path: score for score, entry in store.search(query, 10)}
    with Store(run.uri, Several().fingerprint, Several.width, vectors=3) as store:
        assert len(scores) == store.count() and max(scores, key=scores.get).endswith("red.png")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_after_a_batch_and_another_run_goes_on(run, number, capfd):
    class Signalled(Colours):
        def encode_gallery(self, pictures):
            os.kill(os.getpid(), number)
            return super().encode_gallery(pictures)

    done = run(1, Signalled())
    assert done.stopped and counts(done) == (1, 0, 0, 0, 0)
    assert "run the same command again to resume" in capfd.readouterr().err
    assert counts(run(1)) == (3, 0, 1, 0, 0)


@pytest.mark.slow
def test_a_store_that_fails_ends_the_run(run, monkeypatch):
    run()
    paint(run.folder / "white.png", "white")

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("retrieval.index.store.MilvusClient.upsert", refuse)
        with pytest.raises(InputError, match="No space left on device"):
            run(1)
    assert counts(run(1)) == (1, 0, 4, 0, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.retrieval.colours import Colours
from tests.retrieval.index.test_build import Run

class Killed(Colours):
    def encode_gallery(self, pictures):
        if self.encoded == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_gallery(pictures)

Run(Path(sys.argv[1]), sys.argv[2])(8, Killed())
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_without_duplicates(tmp_path):
    run = Run(SAMPLE, str(tmp_path / "mine.db"))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, run.folder, run.uri], cwd=ROOT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = run(8)
    number = len({path.read_bytes() for path in SAMPLE.iterdir()})
    assert 24 <= done.unchanged <= 40  # what was put stayed: all but the newest batches
    assert done.added + done.unchanged == number and done.updated == done.removed == 0
    assert len(run.entries()) == number
