"""The tour's pictures are made by the commands above them, and its answers are those of the model."""

import re
from pathlib import Path

import docs_pictures
import pytest
from PIL import Image

from cdd_icm import CDDICMPipeline, DrawingSession

DOCS = Path(__file__).parents[3] / "docs"
TOUR = (DOCS / "tour.md").read_text(encoding="utf-8")


def test_each_picture_of_the_tour_has_its_command():
    made = {picture for _, picture in docs_pictures.commands(TOUR) if picture}
    assert made == set(re.findall(r"\((pictures/[\w.]+)\)", TOUR)) and len(made) == 4
    shipped = {f"pictures/{file.name}" for file in (DOCS / "pictures").glob("*")}
    assert made | {"pictures/dialog.webp"} <= shipped


def test_the_animation_grows_by_a_turn_a_frame():
    with Image.open(DOCS / "pictures" / "dialog.webp") as moving:
        assert moving.n_frames == 6
        shown = []
        for frame in range(6):
            moving.seek(frame)
            columns = moving.convert("L").resize((moving.width, 1), Image.Resampling.BOX).tobytes()
            shown.append(max(x for x, value in enumerate(columns) if value < 250))
    whole, *grown = shown
    assert grown == sorted(set(grown)) and grown[-1] < whole


@pytest.mark.slow
def test_the_answers_in_the_tour_are_what_the_model_says():
    table = TOUR[TOUR.index("| You say |") :].split("\n\n")[0]
    rows = [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in table.splitlines()[2:]]
    [words] = [words for words, picture in docs_pictures.commands(TOUR) if picture == "pictures/blocks.webp"]
    assert docs_pictures.said(words) == [text for text, _ in rows]
    pipe = CDDICMPipeline.from_pretrained(DOCS.parent / words[words.index("--model") + 1])
    pipe.set_progress_bar_config(disable=True)
    session = DrawingSession(pipe)
    for text, answer in rows:
        session.say(text)
        assert str(session.answer) == answer
