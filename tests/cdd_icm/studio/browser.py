"""A studio in a process of its own, whose steps and limits a test may choose."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
from studio_visitor import PATIENCE

ROOT = Path(__file__).parents[3]


class Studio:
    """`serve.py` in a process."""

    def __init__(self, folder: Path, **options):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.options = [f"{name}={value}" for name, value in options.items()]
        self.log = folder.with_suffix(".log")
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [
            sys.executable,
            str(Path(__file__).with_name("serve.py")),
            str(self.port),
            str(self.folder),
        ]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*command, *self.options], stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(self.address, timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.kill()
                    raise AssertionError(self.log.read_text(encoding="utf-8")) from None
                time.sleep(0.2)

    def kill(self) -> None:
        """As by -9: nothing can be saved any more."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def memory(self) -> int:
        """Bytes that the process holds now."""
        return psutil.Process(self.process.pid).memory_info().rss
