"""One process at a time holds a folder; a dead one holds nothing."""

import copy
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from cdd_icm.errors import InputError
from cdd_icm.io import HOST, replacing
from cdd_icm.lock import NAME, ThreadLock, claimed, held, serial, unchanged
from tests.runs import leftover

FORK = multiprocessing.get_context("fork")


def _hold(folder, ready, release):
    with claimed(folder):
        ready.set()
        release.wait()


@contextmanager
def another_process(folder):
    """Another process that holds `folder`."""
    ready, release = FORK.Event(), FORK.Event()
    process = FORK.Process(target=_hold, args=(folder, ready, release))
    process.start()
    assert ready.wait(60)
    process.release = release
    try:
        yield process
    finally:
        process.kill()
        process.join()


def refusal(folder, **options):
    with pytest.raises(InputError) as refused, claimed(folder, **options):
        pass
    return str(refused.value)


def test_the_second_process_is_refused_and_told_by_whom(tmp_path):
    with another_process(tmp_path / "run") as other:
        said = refusal(tmp_path / "run")
        who = f"process {other.pid} on {socket.gethostname()} ({' '.join(sys.argv)})"
        assert said == f"{tmp_path / 'run'}: in use by {who}"
        other.release.set()
        other.join()
        with claimed(tmp_path / "run"):
            pass
    assert not (tmp_path / "run").exists()  # nothing was written


def test_a_killed_process_holds_nothing(tmp_path):
    with another_process(tmp_path) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.join()
        assert (tmp_path / NAME).exists()
        with claimed(tmp_path):
            assert f'"pid": {os.getpid()}' in (tmp_path / NAME).read_text()
    assert list(tmp_path.iterdir()) == []


def test_children_of_a_killed_process_do_not_hold_its_lock(tmp_path):
    """As the loaders of a training run, which live on for some seconds."""

    def parent(pids):
        with claimed(tmp_path):
            child = FORK.Process(target=time.sleep, args=(600,))
            child.start()
            pids.put(child.pid)
            time.sleep(600)

    pids = FORK.Queue()
    process = FORK.Process(target=parent, args=(pids,))
    process.start()
    child = pids.get(timeout=60)
    process.kill()
    process.join()
    try:
        with claimed(tmp_path):
            os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_reader_waits_and_says_for_whom(tmp_path, capsys):
    with another_process(tmp_path) as other:
        threading.Timer(0.2, other.release.set).start()
        with claimed(tmp_path, patience=60):
            pass
        assert f"{tmp_path}: waiting for process {other.pid} on" in capsys.readouterr().err
    with another_process(tmp_path):
        assert "in use by process" in refusal(tmp_path, patience=0.1)


def test_a_cache_waits_until_it_is_free(tmp_path):
    with another_process(tmp_path) as other:
        threading.Timer(0.2, other.release.set).start()
        with held(tmp_path / NAME):
            assert not other.is_alive() or other.release.is_set()


def test_not_even_the_same_process_twice(tmp_path):
    with claimed(tmp_path):
        assert f"in use by process {os.getpid()} on" in refusal(tmp_path)


def test_the_leftovers_of_the_dead_go_and_those_of_others_stay(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "other").mkdir()
    dead = [leftover(tmp_path / "checkpoints" / "8"), leftover(tmp_path / "a.png", host=HOST ^ 1)]
    of_another = leftover(tmp_path / "other" / "a.png")
    (tmp_path / "other" / NAME).touch()
    for file in (*dead, of_another):
        file.write_text("half")
    with replacing(tmp_path / "mine.txt") as mine, claimed(tmp_path):
        mine.write_text("whole")  # by this process, which lives
        assert not any(file.exists() for file in dead) and of_another.exists()
    assert (tmp_path / "mine.txt").read_text() == "whole"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_lock_without_a_name_is_held_all_the_same(tmp_path, content):
    with another_process(tmp_path):
        (tmp_path / NAME).write_text(content)
        assert refusal(tmp_path) == f"{tmp_path}: in use by another process"


def test_a_folder_that_is_replaced_while_it_is_read(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    with unchanged(folder):
        (folder / "config.json").touch()  # a new file in it is no replacement
    line = "model: it was replaced while it was read; run the command again"
    with pytest.raises(InputError, match=line), unchanged(folder), replacing(folder) as another:
        another.mkdir()
    with pytest.raises(InputError, match="it was replaced"), unchanged(folder):
        folder.rename(tmp_path / "elsewhere")
        raise FileNotFoundError("config.json")


def test_threads_of_an_object_take_turns_and_a_copy_has_its_own_lock():
    class Counted:
        def __init__(self):
            self._lock, self.inside, self.most = ThreadLock(), 0, 0

        @serial
        def work(self):
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.001)
            self.again()  # the thread that holds it may go on
            self.inside -= 1

        @serial
        def again(self):
            assert self.inside == 1

    one = Counted()
    threads = [threading.Thread(target=one.work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.most == 1
    with one._lock:
        for other in (copy.deepcopy(one._lock), pickle.loads(pickle.dumps(one._lock))):
            thread = threading.Thread(target=other.__enter__)
            thread.start()
            thread.join(10)
            assert not thread.is_alive()
