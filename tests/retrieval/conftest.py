from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cir() -> Path:
    """The folder of official annotation files."""
    data = os.environ.get("CDD_ICM_DATA")
    folder = Path(data or "") / "cir"
    if not data or not folder.is_dir():
        pytest.skip("CDD_ICM_DATA is not set, or has no cir/: the official annotations are not here")
    return folder


@pytest.fixture
def write(tmp_path):
    """write(name, content) -> the path of a JSON file (of the text itself, if content is a text)."""

    def write(name: str, content) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write
