"""A studio in a process of its own, and a visitor in a real Chromium who waits for what is shown, never a
number of seconds."""

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

ROOT = Path(__file__).parents[3]
PATIENCE = 300
"""Seconds after which something that has to come counts as missing, also on a loaded machine."""


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


class Visitor:
    """A page of the studio in a browser context of its own, so that it shares nothing with other visitors."""

    def __init__(self, browser, address: str, **context):
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self.faults, self.hosts = [], set()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.open(address)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("#stage img")
        self.page.wait_for_function("location.search.includes('session=')")

    def say(self, text: str) -> None:
        """Types a sentence and draws it."""
        turns = self.turns
        self.begin(text)
        self.until(f"document.querySelectorAll('#strip li').length === {turns + 2}")
        shown = "text => document.querySelector('#stage figure:not(.busy) img')?.alt.endsWith(`: ${text}`)"
        self.page.wait_for_function(shown, arg=text)
        self.idle()

    def begin(self, text: str) -> None:
        self.page.fill("#say textarea", text)
        self.page.press("#say textarea", "Enter")

    def idle(self) -> None:
        """Waits until no turn of this page is being drawn."""
        self.until("document.querySelector('#cancel').disabled && !document.querySelector('#stage .busy')")

    def until(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def told(self, text: str) -> None:
        """Waits for a message with this text."""
        self.page.locator("#message", has_text=text).wait_for()

    def alert(self, text: str) -> None:
        """Waits for a refusal with this text: one line, which screen readers say."""
        line = self.page.locator("#message [role=alert]", has_text=text)
        line.wait_for()
        assert "\n" not in line.inner_text() and "Traceback" not in line.inner_text()

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose(self, field: str, value: str) -> None:
        """Chooses from a list."""
        self.page.click(f"#{field} input")
        self.page.get_by_role("option", name=value, exact=True).click()

    def download(self, button: str, to: Path) -> Path:
        with self.page.expect_download() as download:
            self.click(button)
        download.value.save_as(to)
        return to

    @property
    def turns(self) -> int:
        return self.page.locator("#strip li button:not(.undone)").count() - 1

    @property
    def texts(self) -> list[str]:
        """The sentences in the strip, without numbers."""
        texts = self.page.locator("#strip li button:not(.undone)")
        return [texts.nth(n).get_attribute("title") for n in range(1, texts.count())]

    @property
    def picture(self) -> str:
        """The picture on the stage."""
        return self.page.get_attribute("#stage img", "src")

    def close(self) -> None:
        self.context.close()
