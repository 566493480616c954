"""Triplets of the dialogs that ship."""

import pytest

from cdd_icm.data import PictureCache, TripletDataset, load_dialogs, pictures_of


@pytest.fixture
def real_items():
    """real_items(config, n) -> the first n triplets of the shipped training dialogs, and their dialogs."""

    def items(config, n):
        dialogs = load_dialogs(config.data.path, "train")[:2]
        cache = PictureCache.open_or_build(None, pictures_of(dialogs), 32, progress=False)
        return [TripletDataset(dialogs, cache)[i] for i in range(n)], dialogs

    return items
