"""What tests of both packages share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("CDD_ICM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CDD_ICM_DATA does not name the folder of the real data")
    return Path(folder)
