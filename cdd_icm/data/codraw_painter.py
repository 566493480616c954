"""Parses CoDraw's canvas strings and renders them from the clip art.

A canvas string is `n,` followed by eight fields for each of n pieces: PNG name, local index, index within its
type, type, x, y, z, flip. x and y are the centre of the piece on a canvas of 500x400.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.picture import check_size, open_picture
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.limits import MEMBER, open_file, read_stream

PAINTER = "codraw-painter-1"  # part of every picture's key: change it when the pixels change
WIDTH, HEIGHT = 500, 400
BACKGROUND = "background.png"
SCALE = (1.0, 0.7, 0.49)  # by depth, near to far

SKY = (
    "helicopter", "hot air balloon", "cloud", "sun", "lightning cloud", "rain cloud", "rocket", "airplane",
)  # fmt: skip
LARGE = (
    "spring bee", "slide", "sandbox", "grill", "swing set", "tent", "table", "pine tree", "oak tree",
    "apple tree",
)  # fmt: skip
ANIMALS = ("bear", "cat", "dog", "duck", "owl", "snake")
CLOTHES = (
    "baseball cap", "crown", "chef hat", "pirate hat", "winter hat", "propeller hat", "wizard hat",
    "viking hat", "glasses", "sunglasses",
)  # fmt: skip
FOOD = ("pie", "pizza", "hot dog", "ketchup", "mustard", "burger", "soda")
TOYS = (
    "baseball", "bucket", "beach ball", "basketball", "soccer ball", "tennis ball", "football", "frisbee",
    "baseball bat", "balloons", "baseball glove", "shovel", "tennis racket", "kite", "campfire",
)  # fmt: skip
POSES, FACES = 7, 5  # of the boy and of the girl; picture number n shows pose n // 5 with face n % 5

CODRAW_CLASSES = (*SKY, *LARGE, "boy", "girl", *ANIMALS, *CLOTHES, *FOOD, *TOYS)
CLASS_OF_PNG = {
    f"{prefix}_{index}s.png": name
    for prefix, names in {
        "s": SKY,
        "p": LARGE,
        "hb0": ("boy",) * (POSES * FACES),
        "hb1": ("girl",) * (POSES * FACES),
        "a": ANIMALS,
        "c": CLOTHES,
        "e": FOOD,
        "t": TOYS,
    }.items()
    for index, name in enumerate(names)
}
PNG_OF_CLASS = {name: png for png, name in CLASS_OF_PNG.items()}
PEOPLE = {"boy": "hb0", "girl": "hb1"}


@dataclass(frozen=True)
class Piece:
    """One piece of clip art on the canvas. `x`, `y`: centre in canvas pixels; `depth`: 0 (near) to 2
    (far)."""

    png: str
    x: float
    y: float
    depth: int
    flip: bool

    @classmethod
    def of(cls, obj: SceneObject) -> Piece:
        """The piece of an object whose traits are all known, see `look`."""
        numbers = {trait: int(value) for trait, value in obj.look.items()}
        png = PNG_OF_CLASS[obj.name]
        if obj.name in PEOPLE:
            png = f"{PEOPLE[obj.name]}_{numbers['pose'] * FACES + numbers['face']}s.png"
        return cls(png, obj.x * WIDTH, obj.y * HEIGHT, numbers["depth"], bool(numbers["flip"]))

    @property
    def name(self) -> str:
        return CLASS_OF_PNG[self.png]

    @property
    def look(self) -> dict[str, str]:
        """`SceneObject.look`: size (`depth`), direction (`flip`), and for boy and girl `pose` and `face`."""
        look = {"depth": str(self.depth), "flip": str(int(self.flip))}
        if self.name in PEOPLE:
            pose, face = divmod(int(self.png.partition("_")[2].removesuffix("s.png")), FACES)
            look |= {"pose": str(pose), "face": str(face)}
        return look


def parse_canvas(canvas: str, where: str) -> tuple[Piece, ...]:
    """The pieces on the canvas, in painting order, see `in_painting_order`.

    Raises:
        InputError: the string is malformed or names an unknown piece; the message starts with `where`.
    """
    count, *fields = canvas.rstrip(",").split(",")
    if not count.isdecimal() or len(fields) != 8 * int(count):
        raise InputError(f"{where}: canvas of {count!r} pieces with {len(fields)} fields, not 8 each")
    pieces = []
    for png, _, _, _, x, y, depth, flip in zip(*[iter(fields)] * 8, strict=True):
        if png not in CLASS_OF_PNG:
            raise InputError(f"{where}: unknown class of clip art {png!r}")
        try:
            piece = Piece(png, float(x), float(y), int(depth), bool(int(flip)))
            known = piece.depth in range(len(SCALE)) and int(flip) in (0, 1)
            if not (known and math.isfinite(piece.x) and math.isfinite(piece.y)):
                raise ValueError("out of range")
        except ValueError as error:
            raise InputError(f"{where}: {png}: x {x!r}, y {y!r}, depth {depth!r}, flip {flip!r}") from error
        if abs(piece.x) <= 1000 and abs(piece.y) <= 1000:  # -10000 means "not on the canvas"
            pieces.append(piece)
    return in_painting_order(pieces)


def in_painting_order(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """As in the CoDraw game: sky objects first, then far before near; pieces of equal depth keep their
    order."""
    return tuple(sorted(pieces, key=lambda piece: (piece.name not in SKY, -piece.depth)))


@dataclass(frozen=True)
class ClipArt:
    """A folder of PNG files: `background.png` and one file per piece."""

    folder: Path

    @cached_property
    def digest(self) -> str:
        """A digest of all pictures in the folder."""
        pngs = (content_digest(self._read(png)) for png in (BACKGROUND, *CLASS_OF_PNG))
        return content_digest(b"".join(map(bytes.fromhex, pngs)))

    def check(self) -> None:
        """Raises InputError if one of the pictures is missing or damaged."""
        for png in (BACKGROUND, *CLASS_OF_PNG):
            self._open(png)

    def background(self) -> Image.Image:
        """RGBA, 500x400."""
        return self._open(BACKGROUND).resize((WIDTH, HEIGHT))

    def sprite(self, png: str, depth: int, flip: bool) -> Image.Image:
        """RGBA, scaled for its depth, mirrored left to right if `flip`."""
        sprite = self._open(png)
        if SCALE[depth] != 1:
            size = (round(side * SCALE[depth]) for side in sprite.size)
            sprite = sprite.resize(tuple(size), Image.Resampling.BICUBIC)
        return ImageOps.mirror(sprite) if flip else sprite

    def _read(self, png: str) -> bytes:
        file = self.folder / png
        try:
            with open_file(file) as opened:
                return read_stream(opened, MEMBER, str(file))
        except OSError as error:
            raise InputError(f"{file}: clip art: {error.strerror}") from error

    def _open(self, png: str) -> Image.Image:
        encoded = self._read(png)
        try:
            sprite = open_picture(encoded, formats=["PNG"])
            check_size(sprite, str(self.folder / png))
            return sprite.convert("RGBA")
        except InputError:
            raise
        except Exception as error:  # Pillow raises many kinds of error for damaged files
            raise InputError(f"{self.folder / png}: clip art can't be decoded ({error})") from error


@dataclass(frozen=True)
class PaintedPicture:
    """A picture that is painted from its pieces each time it is decoded."""

    clip_art: ClipArt
    pieces: tuple[Piece, ...]

    @cached_property
    def key(self) -> str:
        return content_digest(f"{PAINTER} {self.clip_art.digest} {self.pieces}")

    def decode(self) -> UInt8[np.ndarray, "400 500 3"]:
        canvas = _background(self.clip_art).copy()
        for piece in self.pieces:
            sprite = _sprite(self.clip_art, piece.png, piece.depth, piece.flip)
            left, top = round(piece.x - sprite.width / 2), round(piece.y - sprite.height / 2)
            # alpha_composite needs the part of the sprite that is on the canvas
            offset = (max(0, -left), max(0, -top))
            if offset[0] < sprite.width and offset[1] < sprite.height and left < WIDTH and top < HEIGHT:
                canvas.alpha_composite(sprite, (max(0, left), max(0, top)), offset)
        return np.asarray(canvas.convert("RGB"))


# all pictures share the same 756 sprites
_background = lru_cache(maxsize=2)(ClipArt.background)
_sprite = lru_cache(maxsize=1024)(ClipArt.sprite)
