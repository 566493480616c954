"""Data sets as dialogs, and training batches."""

from cdd_icm.data.cache import PictureCache
from cdd_icm.data.dialog import Dialog, Picture, SceneObject, Turn
from cdd_icm.data.picture import to_square
from cdd_icm.data.readers import kind_of, load_dialogs
from cdd_icm.data.readers.shards import ShardTriplets
from cdd_icm.data.triplets import ResumableSampler, Triplet, TripletDataset, collate, pictures_of

__all__ = [
    "Dialog",
    "Picture",
    "PictureCache",
    "ResumableSampler",
    "SceneObject",
    "ShardTriplets",
    "Triplet",
    "TripletDataset",
    "Turn",
    "collate",
    "kind_of",
    "load_dialogs",
    "pictures_of",
    "to_square",
]
