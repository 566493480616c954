"""A folder that the user names is listed whole, through links, or not at all."""

import os
import shutil

import pytest

from cdd_icm.data import load_dialogs
from cdd_icm.data.files import FolderFiles
from cdd_icm.errors import InputError
from cdd_icm.walk import files_below
from tests.cdd_icm.conftest import SAMPLE


def touch(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


@pytest.fixture
def folder(tmp_path):
    for name in ("a/1", "a/b/2", "c", ".hidden/3"):
        touch(tmp_path / "folder" / name)
    for name in ("x/4", "x/y/5"):
        touch(tmp_path / "disk" / name)
    return tmp_path / "folder"


def listed(folder):
    return sorted(file.relative_to(folder).as_posix() for file in files_below(folder))


OWN = [".hidden/3", "a/1", "a/b/2", "c"]

LINKS = {
    "none": ({}, OWN),
    "a folder": ({"z": "disk/x"}, [*OWN, "z/4", "z/y/5"]),
    "a folder of links": ({"z": "disk", "disk/x/w": "disk/x/y"}, [*OWN, "z/x/4", "z/x/w/5", "z/x/y/5"]),
    "twice": ({"y": "disk/x/y", "z": "disk/x/y"}, [*OWN, "y/5", "z/5"]),
    "a file": ({"z": "disk/x/4"}, [*OWN, "z"]),
    "to itself": ({"z": "folder/z"}, [*OWN, "z"]),
    "to what holds it": ({"a/z": "folder"}, OWN),
    "to and fro": ({"z": "disk", "disk/back": "folder"}, [*OWN, "z/x/4", "z/x/y/5"]),
    "broken": ({"z": "nowhere"}, [*OWN, "z"]),
}


@pytest.mark.parametrize(("links", "names"), LINKS.values(), ids=LINKS.keys())
def test_links_are_followed_but_loops_end(folder, tmp_path, links, names):
    for name, target in links.items():
        link = tmp_path / name if name.startswith("disk") else folder / name
        link.symlink_to(tmp_path / target)
    assert listed(folder) == names
    assert set(FolderFiles(folder).names()) == {name for name in names if (folder / name).is_file()}


def test_a_very_deep_folder(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(300):
            os.mkdir("a", dir_fd=here)
            deeper = os.open("a", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        os.close(os.open("file", os.O_CREAT, dir_fd=here))
    finally:
        os.close(here)
    assert listed(tmp_path) == ["a/" * 300 + "file"]


def test_a_folder_that_can_not_be_listed_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="nowhere: can't be listed \\(No such file or directory\\)"):
        listed(tmp_path / "nowhere")
    if os.geteuid() == 0:
        pytest.skip("root may list everything")
    (folder / "a").chmod(0)
    try:
        with pytest.raises(InputError, match="folder/a: can't be listed \\(Permission denied\\)"):
            listed(folder)
    finally:
        (folder / "a").chmod(0o700)


@pytest.mark.parametrize("name", ["images", "text", "scenes"])
def test_a_part_of_i_clevr_on_another_disk(tmp_path, name):
    shutil.copytree(SAMPLE, tmp_path / "data")
    (tmp_path / "data" / name).rename(tmp_path / "elsewhere")
    (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere")
    expected = [(dialog.id, len(dialog.turns)) for dialog in load_dialogs(SAMPLE)]
    assert [(dialog.id, len(dialog.turns)) for dialog in load_dialogs(tmp_path / "data")] == expected
