"""A small network, and requests for it."""

import torch
from tokenizers import Tokenizer

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.edits.changes import ObjectChange
from cdd_icm.plan.edits.network import EditNetwork
from cdd_icm.plan.edits.requests import RequestEncoder
from cdd_icm.plan.shared.words import learn_words

CLASSES, TRAITS, GRID = ("ball", "cube", "tube"), {"size": ("large", "small")}, 8
CUBE = SceneObject("cube", 0.3, 0.4, look={"size": "large"})
BALL = SceneObject("ball", 0.7, 0.6, look={"size": "small"})
TUBE = SceneObject("tube", 0.5, 0.9)
TEXTS = ["remove the cube", "add a tube", "move the small ball to the left", "thank you"]
CHANGES = [
    [ObjectChange(0, None)],
    [ObjectChange(None, TUBE)],
    [ObjectChange(1, SceneObject("ball", 0.1, 0.6, look={"size": "small"}))],
    [],
]
INTENTS = ["change", "change", "change", "nothing"]


def network(seed=0):
    torch.manual_seed(seed)
    made = EditNetwork(300, len(CLASSES), (2,), width=32, heads=2, grid=GRID, horizon=None)
    words = [last for layer in made.word_layers for last in (layer.attention.out, layer.mlp[-1])]
    for last in (made.map_out, made.pair_out, *words):  # which are 0 at the start of a training
        torch.nn.init.normal_(last.weight, std=0.1)
    return made


def encoder():
    return RequestEncoder(CLASSES, TRAITS, GRID, 0.02, Tokenizer.from_str(learn_words(TEXTS * 20)))


def requests():
    scenes = [(CUBE, BALL)] * len(TEXTS)
    return encoder()(TEXTS, scenes, [(1,)] * len(TEXTS), CHANGES, INTENTS)
