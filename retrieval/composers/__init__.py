"""Models of composed image retrieval, one family a file, all of them a `Composer`."""

from retrieval.composers.combiner import Combiner
from retrieval.composers.composer import Composer, ImageFeatures, TextFeatures
from retrieval.composers.multivector import MultiVector, max_over_vectors
from retrieval.composers.pooled import ImageOnly, Sum, TextOnly
from retrieval.composers.tirg import TIRG

__all__ = [
    "Combiner",
    "Composer",
    "ImageFeatures",
    "ImageOnly",
    "MultiVector",
    "Sum",
    "TIRG",
    "TextFeatures",
    "TextOnly",
    "max_over_vectors",
]
