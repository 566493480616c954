import functools
import http.server
import io
import json
import math
import tarfile
import threading
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from torch.utils.data import DataLoader

from cdd_icm import sources
from cdd_icm.data import ShardTriplets, collate, kind_of, load_dialogs, to_square
from cdd_icm.data.check import info
from cdd_icm.data.readers import shards
from cdd_icm.errors import InputError


@pytest.fixture
def source(make_iclevr, tmp_path):
    """17 dialogs of three turns: 51 triplets."""
    return load_dialogs(
        make_iclevr(tmp_path / "source", 16, "train") and make_iclevr(tmp_path / "source", 1, "val")
    )


@pytest.fixture
def folder(source, tmp_path):
    shards.convert(source, tmp_path / "shards", max_dialogs_per_shard=4, progress=False)
    return tmp_path / "shards"


def facts(dialogs):
    return [
        (d.id, d.split, d.canvas.key, [(t.instruction, t.picture.key, t.objects) for t in d.turns])
        for d in dialogs
    ]


def test_what_is_written_is_read(source, folder):
    assert [file.name for file in sorted(folder.iterdir())] == [
        *(f"train-{number:06d}.tar" for number in range(4)),
        "val-000000.tar",
    ]
    read = load_dialogs(folder)
    assert kind_of(folder) == "shards"
    assert facts(read) == facts(source)
    assert np.array_equal(read[3].turns[1].picture.decode(), source[3].turns[1].picture.decode())
    assert facts(load_dialogs(folder, split="val")) == facts(source[16:])


def test_globs_and_braces(source, folder):
    assert facts(load_dialogs(f"{folder}/train-{{000001..000002}}.tar")) == facts(source[4:12])
    assert facts(load_dialogs(f"{folder}/val-*.tar")) == facts(source[16:])
    assert facts(load_dialogs(folder / "train-000000.tar")) == facts(source[:4])


def test_pictures_that_are_no_files_become_png(source, tmp_path):
    class Drawn:
        key = "0"

        def decode(self):
            return np.arange(3 * 4 * 5, dtype=np.uint8).reshape(4, 5, 3)

    shards.convert([replace(source[0], canvas=Drawn())], tmp_path / "drawn", progress=False)
    (dialog,) = load_dialogs(tmp_path / "drawn")
    assert np.array_equal(dialog.canvas.decode(), Drawn().decode())


def test_a_conversion_that_stopped_goes_on(source, folder, tmp_path, monkeypatch):
    out, written, write = tmp_path / "again", [], shards._write

    def failing(shard, dialogs, first):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(shard.name)
        write(shard, dialogs, first)

    monkeypatch.setattr(shards, "_write", failing)
    with pytest.raises(KeyboardInterrupt):
        shards.convert(source, out, 4, progress=False)
    assert not out.exists()
    monkeypatch.setattr(shards, "_write", lambda *shard: (written.append(shard[0].name), write(*shard)))
    shards.convert(source, out, 4, progress=False)
    assert len(written) == 5 == len(set(written))
    for shard in folder.iterdir():
        assert shard.read_bytes() == (out / shard.name).read_bytes()
    with pytest.raises(InputError, match="already exists"):
        shards.convert(source, out, 4, progress=False)


def stream(folder, count, workers=0, **options):
    """(dialog, turn, sum of the negative) of the first `count` batches."""
    options = {"size": 8, "batch_size": 3, "seed": 1, "shuffle_buffer": 10} | options
    dataset = ShardTriplets(str(folder), **options)
    loader = DataLoader(dataset, batch_size=dataset.share, collate_fn=collate, num_workers=workers)
    return [
        list(zip(batch["dialog"], batch["turn"], batch["other"].sum((1, 2, 3)).tolist(), strict=True))
        for batch in islice(loader, count)
    ]


def test_a_triplet_is_decoded_resized_and_whole(source, folder):
    item = next(iter(ShardTriplets(str(folder), size=8, batch_size=1, seed=0)))
    dialog = next(dialog for dialog in source if dialog.id == item["dialog"])
    turn = item["turn"]
    target = to_square(dialog.turns[turn].picture.decode(), 8).transpose(2, 0, 1)
    assert np.array_equal(item["target"].numpy(), target)
    reference = to_square(dialog.reference(turn).decode(), 8).transpose(2, 0, 1)
    assert np.array_equal(item["reference"].numpy(), reference)
    assert item["history"] == tuple(earlier.instruction for earlier in dialog.turns[:turn])


def test_each_epoch_has_every_triplet_once_in_an_order_of_its_own(source, folder):
    items = [item[:2] for batch in stream(folder, 34) for item in batch]
    epochs = items[:51], items[51:]
    expected = sorted((dialog.id, turn) for dialog in source for turn in range(3))
    assert all(sorted(epoch) == expected for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert stream(folder, 34, seed=2) != stream(folder, 34) == stream(folder, 34)


def test_processes_and_workers_share_without_duplicates(source, folder):
    # five shards over two processes with two workers each: no worker's first triplets are another's
    seen = [
        item[:2]
        for rank in range(2)
        for batch in stream(folder, 3, workers=2, batch_size=2, rank=rank, world=2)
        for item in batch
    ]
    assert len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_stream_goes_on_exactly(folder, workers):
    whole = stream(folder, 24, workers)
    assert stream(folder, 5, workers, start_sample=19 * 3) == whole[19:]


def test_a_stream_that_goes_on_with_another_number_of_processes(folder):
    with pytest.raises(InputError, match="data.path: sample 6 is not the end of a batch of 4 on 2 processes"):
        stream(folder, 1, batch_size=4, world=2, start_sample=6)


def test_too_few_shards(folder):
    with pytest.raises(InputError, match="5 shards are too few for 6 workers"):
        stream(folder, 1, batch_size=6, world=6)


def test_a_truncated_shard_is_named(folder):
    shard = folder / "train-000001.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    faults = []
    assert len(load_dialogs(folder, on_fault=faults.append)) == 13
    assert len(faults) == 1 and str(faults[0]).startswith(f"{shard}: not a readable tar")
    with pytest.raises(InputError, match=r"train-000001\.tar"):
        stream(folder, 40)


FAULTS = {
    "no text": (["turns", 1, "instruction"], " ", "turns: the dialog, or a turn of it, has no text"),
    "no turns": (["turns"], [], "turns: the dialog, or a turn of it, has no text"),
    "number as instruction": (["turns", 1, "instruction"], 5, "turns[1]: instruction: 5 is not of type str"),
    "text as turn": (["turns", 1], "a", "turns[1]: 'a' is not a JSON object"),
    "list as id": (["id"], ["a"], "id: ['a'] is not of type str"),
    "null as split": (["split"], None, "split: None is not of type str"),
    "split in another folder": (["split"], "../evil", "split: '../evil' can't name a file"),
    "id that is a folder": (["id"], "..", "id: '..' can't name a file"),
    "text as place": (["turns", 0, "objects", 0, "x"], "q", "turns[0]: objects: x: 'q' is not of type"),
    "no number": (
        ["turns", 0, "objects", 0, "depth"],
        math.nan,
        "NaN is not a finite number",
    ),
    "list as class": (["turns", 0, "objects", 0, "name"], ["a"], "turns[0]: objects: name: ['a'] is not of"),
}


@pytest.mark.parametrize(("keys", "value", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(folder, keys, value, says):
    shard = folder / "val-000000.tar"
    with tarfile.open(shard) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    node = facts = json.loads(members["00000000.json"])
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    members["00000000.json"] = json.dumps(facts).encode()
    with tarfile.open(shard, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    found = info(folder, progress=False)
    (fault,) = found.faults
    assert fault.startswith(f"{shard}/00000000.json: {says}")
    assert found.splits["train"].dialogs == 16


def test_no_shards():
    with pytest.raises(InputError, match="no shards"):
        ShardTriplets("nowhere/*.tar", size=8, batch_size=1, seed=0)


def test_a_url_that_can_not_be_reached():
    url = "https://localhost:1/x.tar"
    with pytest.raises(InputError) as error:
        shards.first_dialogs(url, 1)
    assert str(error.value) == f"{url}: can't be reached, or is not a complete tar"


def test_by_url(folder, monkeypatch):
    monkeypatch.setitem(sources.SCHEMES, "http", "aiohttp")  # as https, for which no certificate is here

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/train-{{000000..000003}}.tar"
    try:
        assert stream(url, 10) == stream(f"{folder}/train-*.tar", 10)
    finally:
        server.shutdown()
