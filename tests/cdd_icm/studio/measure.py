"""How fast the page is, in a real browser: `python -m tests.cdd_icm.studio.measure [--quick] FILE.json`.

On a quiet machine: other work beside it counts as the page's."""

import shutil
import sys
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cdd_icm.console import say
from cdd_icm.io import replacing, to_json
from tests.cdd_icm.studio.browser import Studio, Visitor

TURNS = ["a red ball in the middle", "put a small blue box to the left of it", "add a yellow cylinder"]
WATCH = """() => {
  window.shown = [];
  new MutationObserver(() => {
    const picture = document.querySelector('#stage img');
    if (picture) shown.push([performance.now() - window.entered, picture.alt]);
  }).observe(document.querySelector('#stage'), {subtree: true, childList: true, attributes: true});
  document.querySelector('#say textarea').addEventListener('keydown', event => {
    if (event.key === 'Enter') { window.entered = performance.now(); shown.length = 0; }
  }, true);
}"""


def measure(studio: Studio, chromium, visits: int) -> dict[str, list[float]]:
    """Seconds from opening the page to its picture, and from Enter to the first preview and to the turn's
    picture; the first visit, which warms up, is left out."""
    figures: dict[str, list[float]] = {"open": [], "first_preview": [], "turn": []}
    for number in range(visits + 1):
        start = time.monotonic()
        me = Visitor(chromium, studio.address)
        seconds = {"open": [time.monotonic() - start], "first_preview": [], "turn": []}
        me.page.evaluate(WATCH)
        for text in TURNS:
            me.say(text)
            shown = me.page.evaluate("shown")
            for name, start_of_alt in (("first_preview", "Being drawn"), ("turn", "The picture after")):
                times = [ms for ms, alt in shown if alt.startswith(start_of_alt) and text in alt]
                seconds[name] += [times[0] / 1000] if times else []
        me.close()
        for name in figures if number else ():
            figures[name] += seconds[name]
    return figures


def main(arguments: list[str]) -> None:
    quick, report = "--quick" in arguments, Path(arguments[-1])
    playwright = import_module("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with TemporaryDirectory() as folder, playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=path, args=["--no-sandbox"])
        studio = Studio(Path(folder) / "sessions", models="blocks", requests_a_minute=2000)
        try:
            figures = measure(studio, chromium, 1 if quick else 10)
        finally:
            studio.kill()
    result = {
        name: {"median": round(median(times), 3), "longest": round(max(times), 3), "times": len(times)}
        for name, times in figures.items()
    }
    with replacing(report) as file:
        file.write_text(to_json({"seconds": result}, indent=1) + "\n", encoding="utf-8")
    say(to_json(result))


if __name__ == "__main__":
    main(sys.argv[1:])
