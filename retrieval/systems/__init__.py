"""Models of composed image retrieval, one family a file, all of them a `Composer`."""

from retrieval.systems.base import Composer, ImageFeatures, TextFeatures
from retrieval.systems.combiner import Combiner
from retrieval.systems.fusion import Fusion, Matching
from retrieval.systems.multivector import MultiVector, max_over_vectors
from retrieval.systems.places import OverPlaces
from retrieval.systems.pooled import ImageOnly, Sum, TextOnly
from retrieval.systems.tirg import TIRG

__all__ = [
    "Combiner",
    "COMPOSERS",
    "Composer",
    "Fusion",
    "ImageFeatures",
    "ImageOnly",
    "Matching",
    "MultiVector",
    "OverPlaces",
    "Sum",
    "TIRG",
    "TextFeatures",
    "TextOnly",
    "max_over_vectors",
]

COMPOSERS = {
    "combiner": Combiner,
    "fusion": Fusion,
    "image": ImageOnly,
    "matching": Matching,
    "multi-vector": MultiVector,
    "over-places": OverPlaces,
    "sum": Sum,
    "text": TextOnly,
    "tirg": TIRG,
}
"""What a config or a model's folder may name."""
