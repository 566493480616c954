"""Shared by what needs the studio as a visitor sees it: the command in a process, and a real Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from cdd_icm.errors import InputError

PATIENCE = 300
"""Seconds after which something that has to come counts as missing, also on a loaded machine."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """The program of this machine's Chromium."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A Chromium that Playwright drives. Raises InputError if one of them is missing."""
    path = chromium_path()
    if path is None:
        raise InputError("chromium: not found; apt-get install chromium")
    try:
        playwright = import_module("playwright.sync_api")
    except ImportError:
        raise InputError("playwright: not installed; pip install playwright") from None
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(models: Sequence[Path]) -> Iterator[str]:
    """The command `cdd-icm studio` in a process of its own; gives its address. Raises InputError if it does
    not start."""
    command = [sys.executable, "-m", "cdd_icm", "studio", "--port", "0", "--share-nothing", "--model"]
    limits = ["--requests-a-minute", "10000"]
    process = subprocess.Popen(
        [*command, *map(str, models), *limits], stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        address = process.stdout.readline().split(" ")[0]
        if not address.startswith("http"):
            raise InputError("studio: it did not start")
        yield f"{address}/"
    finally:
        process.terminate()
        process.communicate()


class Visitor:
    """A page of the studio in a browser context of its own, so that it shares nothing with other visitors.
    The methods wait for what is shown, never a number of seconds."""

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
