"""Takes the pictures in docs/studio/, with Playwright and Chromium: `python scripts/studio_pictures.py`."""

from pathlib import Path

from PIL import Image
from studio_visitor import Visitor, chromium, served

from cdd_icm.data.picture import decode

ROOT = Path(__file__).parents[1]
MODELS = [ROOT / "data" / "pretrained" / name for name in ("blocks", "iclevr")]
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
    me.idle()
    me.page.wait_for_load_state("networkidle")
    me.page.evaluate("window.scrollTo(0, 0)")
    picture = Image.fromarray(decode(me.page.screenshot(), name))
    picture.save(OUT / f"{name}.webp", quality=80, method=6)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with served(MODELS) as address, chromium() as browser:
        large, phone = {"width": 1280, "height": 960}, {"width": 390, "height": 844}
        me = Visitor(browser, address, reduced_motion="reduce", viewport=large, color_scheme="light")
        for text in BLOCKS:
            me.say(text)
        take(me, "desktop_light")

        me = Visitor(browser, address, reduced_motion="reduce", viewport=large, color_scheme="dark")
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

        me = Visitor(browser, address, reduced_motion="reduce", viewport=phone, color_scheme="light")
        for text in BLOCKS[:3]:
            me.say(text)
        take(me, "phone_light")

        me = Visitor(browser, address, reduced_motion="reduce", viewport=phone, color_scheme="dark")
        me.choose("model", "iclevr")
        me.until("document.querySelector('#examples').innerText.includes('Add a blue cube')")
        me.page.wait_for_selector("#count input[type=number]:not([disabled])")
        me.page.fill("#count input[type=number]", "3")
        me.page.press("#count input[type=number]", "Tab")
        for text in ICLEVR:
            me.say(text)
        take(me, "phone_dark")


if __name__ == "__main__":
    main()
