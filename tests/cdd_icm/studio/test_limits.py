"""What a visitor may ask for: a table of what goes in, and the one line that comes out."""

import io

import numpy as np
import pytest
from PIL import Image

from cdd_icm.errors import InputError
from cdd_icm.studio import limits as module
from cdd_icm.studio.limits import RequestCounter, TooMany, VisitorLimits
from tests.cdd_icm.studio.bomb import bomb

LIMITS = VisitorLimits(turns=2, text=10, candidates=2, steps=5, upload=5000, pixels=400)


def saved(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


PICTURE = Image.fromarray(np.arange(300).astype(np.uint8).reshape(10, 10, 3))

REFUSED = {
    "text": (lambda: LIMITS.check_text("a" * 11, "f"), "f: 11 characters, over the limit of 10"),
    "5,000": (
        lambda: VisitorLimits().check_text("a" * 5000, "f"),
        "f: 5,000 characters, over the limit of 1,000",
    ),
    "blank": (lambda: LIMITS.check_text(" \n", "f"), "f: ' \\n' is empty"),
    "NUL": (lambda: LIMITS.check_text("a\0", "f"), "f: 'a\\x00' has a NUL character"),
    "turns": (lambda: LIMITS.check_history(["a"] * 3), "history: 3 texts, over the limit of 2 turns"),
    "a turn": (lambda: LIMITS.check_history(["a", ""]), "history[1]: '' is empty"),
    "steps": (
        lambda: LIMITS.check_sampling({"num_inference_steps": 6}),
        "settings.num_inference_steps: 6, over the limit of 5",
    ),
    "candidates": (
        lambda: LIMITS.check_sampling({"num_candidates": 10**9}),
        "settings.num_candidates: 1,000,000,000, over the limit of 2",
    ),
    "bytes": (lambda: LIMITS.picture(b"x" * 5001, "f"), "f: 5,001 bytes, over the limit of 5,000"),
    "no picture": (
        lambda: LIMITS.picture(b"hello", "f"),
        "f: not a picture (5 bytes), expected PNG, WebP or JPEG",
    ),
    "nothing": (lambda: LIMITS.picture(b"", "f"), "f: not a picture (0 bytes), expected PNG, WebP or JPEG"),
    "another format": (
        lambda: LIMITS.picture(saved(PICTURE, "TIFF"), "f"),
        "f: not a picture (",
    ),
    "PostScript": (lambda: LIMITS.picture(b"%!PS-Adobe-3.0 EPSF-3.0\n", "f"), "f: not a picture (24 bytes)"),
    "pixels": (
        lambda: LIMITS.picture(saved(PICTURE.resize((21, 20))), "f"),
        "f: 21x20 are 420 pixels, over the limit of 400",
    ),
    "a bomb": (
        lambda: VisitorLimits().picture(bomb(60_000), "f"),
        "f: 60000x60000 are 3,600,000,000 pixels, over the limit of 16,000,000",
    ),
    "cut": (lambda: LIMITS.picture(saved(PICTURE)[:-40], "f"), "f: picture can't be decoded ("),
    "16 bits": (
        lambda: LIMITS.picture(saved(Image.new("I;16", (4, 4))), "f"),
        "f: mode I;16 has more than 8 bits per channel; save it as 8-bit RGB",
    ),
}


@pytest.mark.parametrize(("ask", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_one_line(ask, line):
    with pytest.raises(InputError) as refused:
        ask()
    assert str(refused.value).startswith(line) and "\n" not in str(refused.value)


def test_what_is_within_the_limits_passes():
    LIMITS.check_text("a" * 10, "f")
    LIMITS.check_history(["a", "b"])
    LIMITS.check_sampling({"num_inference_steps": 5, "guidance_scale": 9.0})
    for kind in ("PNG", "WEBP", "JPEG"):
        assert LIMITS.picture(saved(PICTURE, kind), "f").shape == (10, 10, 3)
    assert np.array_equal(LIMITS.picture(saved(PICTURE), "f"), np.asarray(PICTURE))


def test_a_caller_has_so_many_requests_a_minute(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    counter = RequestCounter(2)
    counter.count("a"), counter.count("b"), counter.count("a")
    with pytest.raises(TooMany, match="^2 requests a minute are allowed; go on in 60 seconds$") as refused:
        counter.count("a")
    assert refused.value.wait == 60
    now += 59
    with pytest.raises(TooMany, match="go on in 1 seconds"):
        counter.count("a")
    now += 2
    counter.count("a")
    assert set(counter._times) == {"a"}, "who asked nothing for a minute is forgotten"
