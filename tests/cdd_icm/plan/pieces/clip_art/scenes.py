"""A scene of clip art for tests."""

from cdd_icm.data.dialog import SceneObject


def piece(name: str, x: float, y: float, depth: int = 1, flip: str = "0", **look: str) -> SceneObject:
    if name in ("boy", "girl"):
        look = {"pose": "0", "face": "0", **look}
    return SceneObject(name, x, y, float(depth), {"depth": str(depth), "flip": flip, **look})


SCENE = (
    piece("sun", 0.2, 0.12),
    piece("boy", 0.3, 0.6),
    piece("girl", 0.6, 0.6, flip="1", pose="5"),
    piece("dog", 0.75, 0.7),
    piece("cloud", 0.7, 0.15, 0),
    piece("pine tree", 0.92, 0.35, 2),
    piece("oak tree", 0.08, 0.4, 2),
    piece("crown", 0.287, 0.42),
    piece("table", 0.48, 0.75),
)
