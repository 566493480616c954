"""The studio as a visitor uses it, in a real Chromium.

On a continuous-integration machine, whose cores several jobs share, a browser beside a model may miss any
limit of time: there it runs only if CDD_ICM_BROWSER is set."""

import os
import re
import zipfile
from io import BytesIO

import pytest
from PIL import Image
from studio_visitor import Visitor, chromium_path

from tests.cdd_icm.studio.browser import ROOT, Studio
from tests.cdd_icm.studio.test_keep import huge_png

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="the extra `studio` is not installed")
CHROMIUM = chromium_path()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (apt-get install chromium)"),
    pytest.mark.skipif(
        bool(os.environ.get("CI")) and not os.environ.get("CDD_ICM_BROWSER"),
        reason="CI is set: a loaded machine; CDD_ICM_BROWSER=1 runs it all the same",
    ),
]
SAMPLE, RETRIEVAL = ROOT / "data" / "iclevr_sample", ROOT / "data" / "pretrained" / "retrieval_iclevr"
DIALOG = [
    "a red ball in the middle",
    "put a small blue box to the left of it",
    "make the ball green",
    "add a yellow cylinder behind the box",
    "remove the ball",
]


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """With slow steps, so that a test can act while a turn is drawn."""
    studio = Studio(tmp_path_factory.mktemp("studio") / "sessions", slow=0.2, requests_a_minute=2000)
    yield studio
    studio.kill()
    assert "Traceback" not in studio.log.read_text(encoding="utf-8")


@pytest.fixture
def visit(chromium, studio):
    visitors = []

    def visitor(address=None, **context):
        visitors.append(Visitor(chromium, address or studio.address, **context))
        return visitors[-1]

    yield visitor
    for each in visitors:
        each.close()
        assert each.faults == []
        assert {host.split(":")[0] for host in each.hosts} <= {"127.0.0.1", ""}  # no other host is asked


def test_a_dialog_of_five_turns_undo_branch_and_compare(visit, tmp_path):
    me = visit()
    pictures = [me.picture]
    for number, text in enumerate(DIALOG, 1):
        me.say(text)
        pictures.append(me.picture)
        assert me.turns == number and f"turn={number}" in me.page.url
    assert me.texts == DIALOG and len(set(pictures)) == 6
    assert "Understood: removes the green sphere" in me.page.inner_text("#told")

    me.click("Undo")
    me.told("undone")
    assert me.picture == pictures[4] and me.turns == 4
    me.click("Redo")
    me.told("back")
    assert me.picture == pictures[5]

    me.page.click("#strip [data-turn='3']")
    me.told("You look at turn 3")
    assert me.picture == pictures[3]
    me.click("Branch from turn 3")
    me.told("The new branch is called 'main from 3'")
    me.say("make the box red")
    assert me.texts == [*DIALOG[:3], "make the box red"]

    me.tab("Branches")
    me.page.fill("#name input, #name textarea", "with a red box")
    me.click("Rename")
    me.told("is called 'with a red box' now")
    me.click("Compare")
    me.told("with a red box and main differ in")
    me.page.wait_for_selector("#difference img[alt*='Difference of with a red box and main']")
    assert me.page.locator("#slider img").count() == 2
    me.choose("branch", "main")
    me.until("document.querySelectorAll('#strip li').length === 6")
    assert me.texts == DIALOG and me.picture == pictures[5]

    me.tab("Keep")
    strip = Image.open(me.download("Film strip (PNG)", tmp_path / "strip.png"))
    assert strip.format == "PNG" and strip.width > 5 * 160
    assert Image.open(me.download("Animation (WebP)", tmp_path / "dialog.webp")).n_frames == 6
    session = me.download("Session (zip)", tmp_path / "session.zip")
    assert "session.json" in zipfile.ZipFile(session).namelist()
    me.download("Python that draws it again", tmp_path / "draw_again.py")
    source = (tmp_path / "draw_again.py").read_text(encoding="utf-8")
    assert all(text in source for text in DIALOG)
    other = visit()
    other.tab("Keep")
    other.page.set_input_files("#reopen input[type=file], input[type=file] >> nth=-1", session)
    other.told("The session is back")
    assert other.texts == DIALOG and other.picture == pictures[5]


def test_views_mark_what_was_planned_and_what_changed(visit):
    me = visit()
    me.say("a red ball in the middle")
    plain = me.picture
    me.page.keyboard.press("Alt+v")
    me.page.wait_for_selector("#stage img[alt*='planned places are marked']")
    planned = me.picture
    me.page.keyboard.press("Alt+v")
    me.page.wait_for_selector("#stage img[alt*='Only what changed']")
    assert len({plain, planned, me.picture}) == 3
    me.page.keyboard.press("Alt+v")
    me.page.wait_for_selector("#stage img[alt$='a red ball in the middle']")
    me.say("add a glorp")
    assert me.page.inner_text("#told mark") == "glorp"
    assert "Nothing was changed" in me.page.inner_text("#told")


def test_candidates_are_chosen(visit):
    me = visit()
    assert me.page.locator("#count input[type=number]").is_disabled()  # the matcher is not trained
    me.choose("model", "iclevr")
    me.until("document.querySelector('#examples').innerText.includes('Add a blue cube')")
    me.page.wait_for_selector("#count input[type=number]:not([disabled])")
    me.page.fill("#count input[type=number]", "3")
    me.page.press("#count input[type=number]", "Tab")
    me.say("Add a blue cube at the center")
    buttons = me.page.locator("#candidates button")
    buttons.nth(2).wait_for()
    assert "best match" in me.page.inner_text("#candidates") and buttons.count() == 3
    best = me.page.locator("#candidates [aria-pressed=true]").get_attribute("data-candidate")
    other = "0" if best != "0" else "1"
    me.page.keyboard.press(f"Alt+{int(other) + 1}")
    me.told(f"Candidate {int(other) + 1} is the turn now")
    assert f"Drawn with seed {1 + int(other)}," in me.page.inner_text("#told")
    assert "ICM, the matcher:" in me.page.inner_text("#told")


def test_a_reload_in_mid_drawing_finds_the_turn(visit):
    me = visit()
    me.say(DIALOG[0])
    me.begin(DIALOG[1])
    me.page.wait_for_selector("#stage .busy img[alt*='Being drawn']")
    me.page.reload()
    me.ready()
    me.until("document.querySelectorAll('#strip li').length === 3")
    me.idle()
    assert me.texts == DIALOG[:2]


def test_cancel_by_escape_keeps_the_sentence(visit):
    me = visit()
    me.begin(DIALOG[0])
    me.page.wait_for_selector("#stage .busy img[alt*='Being drawn']")
    me.page.keyboard.press("Escape")
    me.told("Cancelled; nothing was changed")
    assert me.turns == 0 and me.page.input_value("#say textarea") == DIALOG[0]
    me.say(DIALOG[0])
    assert me.turns == 1


def test_two_visitors_at_once_and_a_link(visit):
    mine, other = visit(), visit()
    mine.begin("a red ball in the middle")
    other.begin("a blue box in the middle")
    for each in (mine, other):
        each.until("document.querySelectorAll('#strip li').length === 2")
        each.idle()
    assert mine.texts == ["a red ball in the middle"] and other.texts == ["a blue box in the middle"]
    token = re.search("session=([^&]+)", mine.page.url)[1]
    other.open(mine.page.url)  # given by hand: a copy
    other.told("A copy of the dialog")
    assert other.texts == mine.texts and token not in other.page.url
    other.say("remove the ball")
    mine.page.reload()
    mine.ready()
    mine.until("document.querySelectorAll('#strip li').length === 2")
    assert mine.texts == ["a red ball in the middle"]


def test_bad_sentences_are_one_line_and_lose_nothing(visit):
    me = visit()
    me.say(DIALOG[0])
    me.begin("   ")
    me.alert("sentence: '   ' is empty")
    me.begin("x" * 5000)
    me.alert("sentence: 5,000 characters, over the limit of 1,000")
    me.page.fill("#seed input, #seed textarea", "1.5")
    me.begin(DIALOG[1])
    me.alert("seed: '1.5', expected a whole number")
    me.page.fill("#seed input, #seed textarea", "42")
    me.say("<img src=x onerror=alert(1)> a blue box")  # typed and entered at once: the new seed counts
    assert "seed 42" in me.page.inner_text("#told") and me.page.locator("#strip img[src=x]").count() == 0
    assert me.turns == 2


def test_a_cut_sentence_is_told(visit):
    me = visit()
    me.begin("a red ball in the middle " + "and there it stays for a long time " * 25)
    me.told("But: text cut before")


def test_find_refines_and_is_drawn_on(chromium, tmp_path):
    from retrieval.cli import main

    store, model = str(tmp_path / "s.db"), str(RETRIEVAL)
    assert main(["index", str(SAMPLE / "images"), "--store", store, "--model", model]) == 0
    studio = Studio(tmp_path / "sessions", models="iclevr", store=store)
    try:
        me = Visitor(chromium, studio.address)
        me.say("Add a blue cube at the center")
        me.tab("Find")
        me.click("Find what is nearest to this picture")
        me.told("12 pictures, the nearest first")
        first = me.page.inner_text("#found")
        me.page.click("#found [data-hit='2']")
        me.told("starts from number 3")
        me.page.fill("#refine input, #refine textarea", "Add a red sphere behind it on the left")
        me.page.press("#refine input, #refine textarea", "Enter")
        me.told("12 pictures for: Add a red sphere")
        assert me.page.inner_text("#found") != first
        me.page.fill("#filter input, #filter textarea", "no such (")
        me.click("Find what is nearest to this picture")
        me.page.locator("#message [role=alert]").wait_for()
        me.click("Draw on the framed one")
        me.told("A branch begins on the found picture")
        assert me.turns == 0 and me.page.locator("#found button").count() == 12
        me.close()
    finally:
        studio.kill()


def upload(me, button, name, content):
    chooser = me.page.locator(f"button:has-text('{button}')")
    with me.page.expect_file_chooser() as opened:
        chooser.click()
    opened.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})


def test_uploads(visit):
    me = visit()
    me.say(DIALOG[0])
    upload(me, "Draw on your own picture", "a.png", b"hello")
    me.alert("picture: not a picture (5 bytes), expected PNG")
    upload(me, "Draw on your own picture", "a.png", huge_png())
    me.alert("picture: 60000x60000 are 3,600,000,000 pixels, over the limit")
    upload(me, "Draw on your own picture", "big.png", b"\0" * (17 * 2**20))
    me.alert("upload: 17.0 MiB, over the limit of 16 MiB; nothing was sent")
    assert me.turns == 1
    own = BytesIO()
    Image.new("RGB", (200, 100), "teal").save(own, "PNG")
    upload(me, "Draw on your own picture", "own.png", own.getvalue())
    me.told("at 128x128 pixels, squeezed to a square")
    assert me.turns == 0
    me.tab("Keep")
    hostile = BytesIO()
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("../../evil.png", b"")
    upload(me, "Reopen a session (zip)", "s.zip", hostile.getvalue())
    me.alert("session: '../../evil.png' is a path, expected plain file names")
    upload(me, "Reopen a session (zip)", "s.zip", b"no zip")
    me.alert("session: not a readable zip")
    me.tab("Branches")
    me.choose("branch", "main")
    me.until("document.querySelectorAll('#strip li').length === 2")


def test_keyboard_only(visit):
    me = visit()
    press, focused = me.page.keyboard.press, "document.activeElement"
    me.until(f"{focused}.tagName === 'TEXTAREA'")  # the sentence has the focus
    me.page.keyboard.type(DIALOG[0])
    press("Enter")
    me.until("document.querySelectorAll('#strip li').length === 2")
    me.idle()
    press("Alt+z")
    me.told("undone")
    press("Alt+Shift+z")
    me.told("back")
    for _ in range(40):  # to the canvas in the strip, backwards from the sentence
        if me.page.evaluate(f"{focused}.dataset.turn === '0'"):
            break
        press("Shift+Tab")
    press("Enter")
    me.told("You look at the canvas")
    press("Escape")
    for _ in range(80):
        if me.page.evaluate(
            f"{focused}.getAttribute('role') === 'tab' && {focused}.innerText === 'Settings'"
        ):
            break
        press("Tab")
    assert me.page.evaluate(f"{focused}.getAttribute('role')") == "tab"


def test_every_control_has_a_name(visit):
    me = visit()
    me.say(DIALOG[0])
    nameless = """() => [...document.querySelectorAll('button, input, textarea, img')].filter(e =>
      e.offsetParent && !e.closest('[aria-hidden=true]') && e.type !== 'file' && !(e.innerText || '').trim()
      && !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby') && !e.title
      && e.getAttribute('alt') === null && !(e.labels && e.labels.length)).map(
      e => e.outerHTML.slice(0, 120))"""
    assert me.page.evaluate(nameless) == []
    assert me.page.locator("#message [aria-live]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width(visit, scheme):
    me = visit(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    for text in DIALOG:
        me.say(text)
    assert me.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert me.page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")


def test_a_server_that_is_killed_and_restarted_has_the_dialog(chromium, tmp_path):
    studio = Studio(tmp_path / "sessions", models="blocks", slow=0.2)
    try:
        me = Visitor(chromium, studio.address)
        for text in DIALOG[:2]:
            me.say(text)
        picture = me.picture
        me.begin(DIALOG[2])
        me.page.wait_for_selector("#stage .busy img[alt*='Being drawn']")
        studio.kill()
        studio.start()
        me.open(me.page.url)
        me.until("document.querySelectorAll('#strip li').length === 3")
        assert me.texts == DIALOG[:2] and me.picture == picture
        me.say(DIALOG[2])
        assert me.texts == DIALOG[:3]
        me.close()
    finally:
        studio.kill()
