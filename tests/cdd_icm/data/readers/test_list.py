"""One list names the readers: a new one needs its module and one line."""

from types import SimpleNamespace

import pytest
from PIL import Image

from cdd_icm.data import Dialog, Turn, kind_of, load_dialogs, readers
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError


def read(path, split=None, on_fault=None, word="add"):
    pictures = [EncodedPicture(FolderFiles(path), f"{n}.png") for n in range(2)]
    return [Dialog("pairs", "train", pictures[0], (Turn(f"{word} a cat", pictures[1]),))]


def test_a_new_reader_is_found_by_its_place_in_the_list(tmp_path, monkeypatch):
    for n in range(2):
        Image.new("RGB", (4, 4), (n, 0, 0)).save(tmp_path / f"{n}.png")
    (tmp_path / "pairs.txt").touch()
    with pytest.raises(InputError, match="no data of a known kind is here .*i-CLEVR, CoDraw"):
        load_dialogs(tmp_path)
    new = SimpleNamespace(
        DESCRIPTION="pairs",
        kind_of=lambda path: "pairs" if (path / "pairs.txt").exists() else None,
        read=read,
    )
    monkeypatch.setattr(readers, "READERS", (*readers.READERS, new))
    assert kind_of(tmp_path) == "pairs"
    (dialog,) = load_dialogs(tmp_path, word="draw")
    assert dialog.turns[0].instruction == "draw a cat"
    assert dialog.reference(0).decode()[0, 0, 0] == 0 and dialog.turns[0].picture.decode()[0, 0, 0] == 1


@pytest.mark.parametrize("reader", readers.READERS, ids=lambda reader: reader.__name__.rpartition(".")[2])
def test_a_reader_says_what_it_reads_and_knows_nothing_in_an_empty_folder(reader, tmp_path):
    assert reader.DESCRIPTION and callable(reader.read)
    assert reader.kind_of(tmp_path) is None
