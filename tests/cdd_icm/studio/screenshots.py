"""Takes the pictures in docs/studio/: `python -m tests.cdd_icm.studio.screenshots`."""

import shutil
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from tests.cdd_icm.studio.browser import ROOT, Studio, Visitor

OUT = ROOT / "docs" / "studio"
BLOCKS = [
    "a red ball in the middle",
    "put a small blue box to the left of it",
    "make the ball green",
    "add a yellow cylinder behind the box",
    "add a glorp",
]
ICLEVR = ["Add a blue cube at the center", "Add a red sphere behind it on the left"]


def take(me: Visitor, name: str) -> None:
    me.page.wait_for_load_state("networkidle")
    me.page.evaluate("window.scrollTo(0, 0)")
    picture = Image.open(BytesIO(me.page.screenshot())).convert("RGB")
    picture.save(OUT / f"{name}.webp", quality=80, method=6)


def main() -> None:
    playwright = import_module("playwright.sync_api")
    OUT.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with TemporaryDirectory() as folder, playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        studio = Studio(Path(folder) / "sessions", requests_a_minute=2000)
        try:
            large, phone = {"width": 1280, "height": 960}, {"width": 390, "height": 844}
            me = Visitor(browser, studio.address, viewport=large, color_scheme="light")
            for text in BLOCKS:
                me.say(text)
            take(me, "desktop_light")

            me = Visitor(browser, studio.address, viewport=large, color_scheme="dark")
            for text in BLOCKS[:4]:
                me.say(text)
            me.page.click("#strip [data-turn='3']")
            me.told("You look at turn 3")
            me.begin("add a purple cube in front of the ball")
            me.until("location.search.includes('main+from+3')")
            me.idle()
            me.page.keyboard.press("Alt+v")
            me.page.wait_for_selector("#stage img[alt*='planned places are marked']")
            me.tab("Branches")
            me.click("Compare")
            me.page.wait_for_selector("#difference img")
            take(me, "desktop_dark")

            me = Visitor(browser, studio.address, viewport=phone, color_scheme="light")
            for text in BLOCKS[:3]:
                me.say(text)
            take(me, "phone_light")

            me = Visitor(browser, studio.address, viewport=phone, color_scheme="dark")
            me.choose("model", "iclevr")
            me.until("document.querySelector('#examples').innerText.includes('Add a blue cube')")
            me.page.fill("#count input[type=number]", "3")
            me.page.press("#count input[type=number]", "Tab")
            for text in ICLEVR:
                me.say(text)
            take(me, "phone_dark")
        finally:
            studio.kill()


if __name__ == "__main__":
    main()
