"""A dialog goes home and comes back; a hostile one is refused in one line."""

import io
import json
import runpy
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd_icm import DrawingSession
from cdd_icm.errors import InputError
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.studio import keep
from cdd_icm.studio.limits import VisitorLimits
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401

BLOCKS = Path(__file__).parents[3] / "data" / "pretrained" / "blocks"
LIMITS = VisitorLimits(session=2**22)


@pytest.fixture(scope="module")
def session(tiny_pipeline):  # noqa: F811
    session = DrawingSession(tiny_pipeline, Image.new("RGB", (40, 20), "teal"), seed=3)
    session.say("Add a red cube")
    session.seed = 9
    session.say('Say "hello" \\ to it', guidance_scale=1.5)
    return session


@pytest.fixture(scope="module")
def blocks():
    return load_pipeline(BLOCKS)


def pixels(session):
    return [turn.picture.tobytes() for turn in session.turns]


def test_the_strip_is_a_png_and_the_animation_has_a_frame_for_each_picture(session):
    assert Image.open(io.BytesIO(keep.strip(session))).format == "PNG"
    animation = Image.open(io.BytesIO(keep.animation(session)))
    assert animation.format == "WEBP" and animation.n_frames == 3


def test_a_zipped_session_comes_back(session, tiny_pipeline, tmp_path):  # noqa: F811
    file = tmp_path / "s.zip"
    file.write_bytes(keep.zipped(session, "tiny"))
    model, back = keep.unzipped(file, {"other": None, "tiny": tiny_pipeline}, "other", LIMITS)
    assert model == "tiny" and pixels(back) == pixels(session)
    assert [(t.instruction, t.seed, t.settings) for t in back.turns] == [
        (t.instruction, t.seed, t.settings) for t in session.turns
    ]


def test_a_session_without_a_model_name_is_of_the_model_that_is_shown(session, tiny_pipeline, tmp_path):  # noqa: F811
    session.save(tmp_path / "s")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for file in (tmp_path / "s").iterdir():
            archive.write(file, file.name)
    assert keep.unzipped(tmp_path / "s.zip", {"tiny": tiny_pipeline}, "tiny", LIMITS)[0] == "tiny"


@pytest.mark.slow
def test_the_snippet_draws_the_same_pixels(blocks, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    canvas = Image.fromarray(rng.integers(0, 255, (50, 90, 3), np.uint8))
    for name, session in {
        "own canvas": DrawingSession(blocks, canvas, seed=4),
        "the model's": DrawingSession(blocks, seed=1),
    }.items():
        session.say('a "red" ball in the middle\n')
        session.seed = 77
        session.say("put a small blue box to the left of it", num_inference_steps=2)
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        Path("again.py").write_text(keep.snippet(session, str(BLOCKS)), encoding="utf-8")
        again = runpy.run_path("again.py")["session"]
        assert pixels(again) == pixels(session)
        assert Image.open("picture.png").tobytes() == session.picture.tobytes()


def test_a_snippet_quotes_what_it_is_given(session):
    source = keep.snippet(session, 'a"b\\')
    assert json.dumps('Say "hello" \\ to it') in source and 'load_pipeline("a\\"b\\\\"' in source
    compile(source, "again.py", "exec")


def huge_png():
    picture = io.BytesIO()
    Image.new("L", (1, 1)).save(picture, "PNG")
    data = bytearray(picture.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2  # the header's width and height
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


def changed(**fields):
    return lambda files: files | {"session.json": json.dumps(json.loads(files["session.json"]) | fields)}


def with_canvas(content):
    def change(files):
        name = json.loads(files["session.json"])["canvas"]
        return files | {name: content}

    return change


HOSTILE = {
    "a path": (lambda f: f | {"../../evil.png": b""}, "session: '../../evil.png' is a path"),
    "an absolute path": (lambda f: f | {"/etc/cron.d/x": b""}, "session: '/etc/cron.d/x' is a path"),
    "a Windows path": (lambda f: f | {"..\\evil.png": b""}, "is a path"),
    "a canvas elsewhere": (
        changed(canvas="../../../etc/passwd"),
        "canvas is '../../../etc/passwd', expected",
    ),
    "wrong JSON": (lambda f: f | {"session.json": "{"}, "session.json: not JSON"),
    "NaN": (lambda f: f | {"session.json": '{"seed": NaN}'}, "session.json"),
    "a wrong field": (changed(seed="x"), "seed"),
    "an unknown field": (changed(run="rm -rf"), "run"),
    "no session": (lambda f: {"a.png": b""}, "session: session.json is not in the zip"),
    "a huge picture": (with_canvas(huge_png()), "60000x60000"),
    "no picture": (with_canvas(b"hello"), "not a picture"),
    "another size": (changed(image_size=512), "image_size is 512, but this model draws 32"),
    "another model": (
        lambda f: f | {"model.json": '{"model": "dall-e"}'},
        "with the model 'dall-e', which is",
    ),
    "a model that is no text": (
        lambda f: f | {"model.json": '{"model": [1]}'},
        "the model [1], which is not",
    ),
    "a zip bomb": (lambda f: f | {"z.png": b"\0" * 2**23}, "session: unpacks to 8"),
    "many files": (lambda f: f | {f"{n}.png": b"" for n in range(2001)}, "files in the zip, over the limit"),
    "a missing picture": (lambda f: {"session.json": f["session.json"]}, "No such file"),
}


def build(file, files):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def files(session, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    session.save(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refused(file, pipeline, limits=LIMITS):
    with pytest.raises(InputError) as refusal:
        keep.unzipped(file, {"tiny": pipeline}, "tiny", limits)
    line = str(refusal.value)
    assert "\n" not in line and "/tmp" not in line and str(file) not in line
    return line


@pytest.mark.parametrize(("change", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_session_is_refused(files, change, expected, tiny_pipeline, tmp_path):  # noqa: F811
    build(tmp_path / "x.zip", change(dict(files)))
    assert expected in refused(tmp_path / "x.zip", tiny_pipeline)
    assert [each.name for each in tmp_path.iterdir()] == ["x.zip"]


def test_a_link_is_refused(files, tiny_pipeline, tmp_path):  # noqa: F811
    build(
        tmp_path / "x.zip",
        {k: v for k, v in files.items() if k != json.loads(files["session.json"])["canvas"]},
    )
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as archive:
        entry = zipfile.ZipInfo(json.loads(files["session.json"])["canvas"])
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "is a link or a device" in refused(tmp_path / "x.zip", tiny_pipeline)


def test_what_is_no_zip_is_refused(tiny_pipeline, tmp_path):  # noqa: F811
    (tmp_path / "x.zip").write_bytes(b"PK\3\4 no")
    assert "session: not a readable zip" in refused(tmp_path / "x.zip", tiny_pipeline)


def test_too_many_turns_are_refused(files, tiny_pipeline, tmp_path):  # noqa: F811
    build(tmp_path / "x.zip", files)
    assert "2 turns, over the limit of 1" in refused(
        tmp_path / "x.zip", tiny_pipeline, VisitorLimits(turns=1)
    )


def test_an_upload_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"hello")
    with pytest.raises(InputError, match="^picture: not a picture .5 bytes., expected PNG, WebP or JPEG"):
        keep.picture_of(tmp_path / "x", VisitorLimits())
    (tmp_path / "x").write_bytes(huge_png())
    with pytest.raises(InputError, match="^picture: 60000x60000"):
        keep.picture_of(tmp_path / "x", VisitorLimits())
    with pytest.raises(InputError, match="^picture: the file has .* over the limit of 10 bytes"):
        keep.picture_of(tmp_path / "x", VisitorLimits(upload=10))
