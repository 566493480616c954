"""The HTML of the page's own parts. All text from outside goes through `html.escape`."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

from PIL import Image

from cdd_icm.plan.answer import DOUBT, Answer
from cdd_icm.sampling.session import SessionTurn

THUMBNAIL = 112
REMEMBERED = 2**16
"""Pixels of the largest picture whose address is remembered, so that memory is bounded."""


def data_uri(picture: Image.Image, lossless: bool = True) -> str:
    """The picture within an address, so that no file of a visitor's is ever written for the page."""
    encode = _uri if picture.width * picture.height <= REMEMBERED else _uri.__wrapped__
    return encode(picture.tobytes(), picture.size, lossless)


@lru_cache(maxsize=512)
def _uri(pixels: bytes, size: tuple[int, int], lossless: bool) -> str:
    picture, out = Image.frombytes("RGB", size, pixels), io.BytesIO()
    if lossless:
        picture.save(out, "WEBP", lossless=True, quality=30, method=2)
    else:
        picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS).save(out, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def preview_uri(picture: Image.Image) -> str:
    """As `data_uri`, for a picture that is shown for a moment: JPEG, which costs a hundredth of the time."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def stage(picture: Image.Image, alt: str, note: str = "") -> str:
    """The large picture."""
    return _figure(data_uri(picture), alt, note)


def busy_stage(picture: Image.Image, alt: str, note: str) -> str:
    """The large picture while a turn is being drawn."""
    return _figure(preview_uri(picture), alt, note, ' class="busy"')


def _figure(uri: str, alt: str, note: str, state: str = "") -> str:
    caption = f"<figcaption>{escape(note)}</figcaption>" if note else ""
    return f'<figure{state}><img src="{uri}" alt="{escape(alt)}">{caption}</figure>'


def strip(
    canvas: Image.Image, turns: Sequence[SessionTurn], undone: Sequence[SessionTurn], shown: int
) -> str:
    """The row of turns; `shown` is the one on the stage, 0 for the canvas."""
    pictures = [canvas, *(turn.picture for turn in (*turns, *undone))]
    texts = ["canvas", *(turn.instruction for turn in (*turns, *undone))]
    items = []
    for number, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        gone = number > len(turns)
        name = "the canvas" if number == 0 else f"turn {number}: {text}{' (undone)' if gone else ''}"
        current = ' aria-current="true"' if number == shown else ""
        label = "canvas" if number == 0 else f"{number}. {escape(text)}"
        items.append(
            f'<li><button type="button" data-turn="{number}"{current}{" class=undone" if gone else ""} '
            f'aria-label="Show {escape(name)}" title="{escape(text)}"{" disabled" if gone else ""}>'
            f'<img src="{data_uri(picture, lossless=False)}" alt=""><span>{label}</span></button></li>'
        )
    return f'<ol aria-label="Turns of this branch">{"".join(items)}</ol>'


def candidates(pictures: Sequence[Image.Image], words: Sequence[str], chosen: int) -> str:
    """Pictures to choose from, each with its score in words."""
    if not pictures:
        return ""
    items = "".join(
        f'<li><button type="button" data-candidate="{number}" aria-pressed="{str(number == chosen).lower()}" '
        f'aria-label="Choose candidate {number + 1} of {len(pictures)}: {escape(text)}">'
        f'<img src="{data_uri(picture)}" alt=""><span>{number + 1}. {escape(text)}</span></button></li>'
        for number, (picture, text) in enumerate(zip(pictures, words, strict=True))
    )
    return f'<h3>Candidates</h3><ol aria-label="Candidates of this turn">{items}</ol>'


def found(pictures: Sequence[Image.Image | None], names: Sequence[str], chosen: int) -> str:
    """What a search found; a picture is None where its file is gone."""
    items = []
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        shown = '<span class="gone">gone</span>'
        if picture is not None:
            shown = f'<img src="{data_uri(picture, lossless=False)}" alt="">'
        items.append(
            f'<li><button type="button" data-hit="{number}" aria-pressed="{str(number == chosen).lower()}" '
            f'aria-label="Take number {number + 1}, {escape(name)}, as the next reference"'
            f"{' disabled' if picture is None else ''}>{shown}<span>{number + 1}. {escape(name)}</span>"
            "</button></li>"
        )
    return f'<ol aria-label="Found pictures, best first">{"".join(items)}</ol>'


def message(text: str, kind: str = "status") -> str:
    """The line about what happens; `kind` "alert" for what went wrong, which screen readers say at once."""
    live = "assertive" if kind == "alert" else "polite"
    return f'<p role="{kind}" aria-live="{live}" class="{kind}">{escape(text)}</p>'


def examples(texts: Sequence[str]) -> str:
    """Sentences to click on."""
    buttons = "".join(
        f'<button type="button" data-say="{escape(text)}">{escape(text)}</button>' for text in texts
    )
    return f'<div role="group" aria-label="Examples: click one to draw it">{buttons}</div>'


def understood(text: str, answer: Answer | None, matched: str, changed: str) -> str:
    """What is known about a turn."""
    words = [f"<p class=said>“{_marked(text, () if answer is None else answer.unknown_words)}”</p>"]
    if answer is None:
        words.append("<p>This model draws without telling what it understood.</p>")
    else:
        sure = f", {answer.confidence:.0%} sure".replace("%", " %") if answer.outcome == "changed" else ""
        doubt = ": look at the picture" if answer.outcome == "changed" and answer.confidence < DOUBT else ""
        words.append(f"<p>Understood: {escape(answer.understood)}{sure}{doubt}.</p>")
        if answer.outcome in ("unchanged", "not understood"):
            words.append("<p><strong>Nothing was changed.</strong></p>")
        if answer.unknown_words:
            unknown = ", ".join(f"<mark>{escape(word)}</mark>" for word in answer.unknown_words)
            words.append(f"<p>Words that it never learnt: {unknown}</p>")
    words.append(f"<p>Changed: {escape(changed)}{'' if changed == 'nothing' else ' of the picture'}.</p>")
    if matched:
        words.append(f"<p>{escape(matched)}</p>")
    return "".join(words)


def _marked(text: str, unknown: Sequence[str]) -> str:
    """The text with its unknown words marked."""
    known = {word.lower() for word in unknown}
    parts = re.split(r"([\w'-]+)", text)
    return "".join(
        f"<mark title='never learnt'>{escape(part)}</mark>" if part.lower() in known else escape(part)
        for part in parts
    )
