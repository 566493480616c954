"""What a request to the API holds and what its answer does, checked by pydantic, strictly."""

from __future__ import annotations

import difflib
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from cdd_icm.config import LARGEST_SEED
from cdd_icm.config.values import form_fault
from cdd_icm.errors import InputError
from cdd_icm.plan import answer


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TurnRequest(_Request):
    """Asks for the next picture of a dialog."""

    instruction: str = Field(description="what to draw or change")
    model: str | None = Field(None, description="a name from /healthz; the first if it is left out")
    history: list[str] = Field([], description="the dialog's earlier instructions, oldest first")
    canvas: str | None = Field(
        None,
        description="the picture that the instruction is about: PNG, WebP or JPEG in base64, squeezed to the "
        "model's square. The model's empty canvas if it is left out, which only a dialog's first turn may",
    )
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = Field(0, description="of the noise")
    preset: str | None = Field(None, description="the name of alternative settings of the model")
    settings: dict[str, Any] = Field({}, description="sampling settings in place of the preset's")
    alone: bool = Field(False, description="never in one pass with the turns of other callers")


class FindRequest(_Request):
    """Asks for the pictures of the store that are nearest to "this picture, but with ..."."""

    picture: str | None = Field(None, description="PNG, WebP or JPEG in base64")
    text: str | None = Field(None, description="what to change about the picture, or what to find")
    history: list[str] = Field([], description="the earlier texts of the conversation, oldest first")
    k: Annotated[int, Field(ge=1)] = Field(10, description="how many to find at most")
    filter: str = Field("", description="a condition on size and tags, such as width >= 64")
    exclude: list[str] = Field([], description="names of pictures to leave out")


class Answer(BaseModel):
    """What the model understood of an instruction."""

    outcome: str = Field(description="changed, undo, unchanged, or not understood")
    understood: str
    confidence: float = Field(description="in [0, 1]")
    unknown_words: list[str] = Field(description="words that no training text has")
    is_understood: bool
    sentence: str = Field(description="all of it in one sentence")

    @classmethod
    def of(cls, given: answer.Answer | None) -> Answer | None:
        if given is None:
            return None
        fields = {**asdict(given), "unknown_words": list(given.unknown_words)}
        return cls(**fields, is_understood=given.is_understood, sentence=str(given))


class TurnResponse(BaseModel):
    """A drawn turn."""

    picture: str = Field(description="PNG in base64, of the model's size")
    scores: list[float] | None = Field(
        description="the matcher's score of each candidate if there are several"
    )
    answer: Answer | None = Field(description="null for a model that does not tell")
    warnings: list[str] = Field(description="what was not used as given, such as the end of a long text")
    model: str
    seed: int
    settings: dict[str, Any] = Field(description="all sampling settings that were used")
    seconds: float = Field(description="of drawing")
    queue_seconds: float = Field(description="of waiting before")
    batch: int = Field(description="turns that were drawn in the same forward pass, with this one")


class Hit(BaseModel):
    """A picture that was found."""

    # not "path": Gradio's client takes a dict with that for a file
    name: str = Field(description="its path in the folder that was indexed")
    score: float = Field(description="cosine, in [-1, 1]")
    tags: dict[str, Any]


class FindResponse(BaseModel):
    """The hits, best first."""

    hits: list[Hit]
    seconds: float
    queue_seconds: float


class ModelCard(BaseModel):
    """A model that is offered."""

    name: str
    image_size: int = Field(description="side of its pictures, in pixels")
    presets: list[str]
    has_canvas: bool
    settings: dict[str, Any] = Field(description="its own sampling settings")


class Health(BaseModel):
    """The answer of /healthz."""

    status: str
    models: list[ModelCard]
    device: str
    waiting: int = Field(description="turns and searches in the queue")
    finds: bool = Field(description="whether there is a store, so that /api/find answers")


class Fault(BaseModel):
    """The answer to a request that is refused or failed."""

    error: str = Field(description="one line that names field and value")


R = TypeVar("R", bound=_Request)


def request_of(kind: type[R], values: Any) -> R:
    """A checked request.

    Raises:
        InputError: no object, an unknown field, a missing one, or one of a wrong type or out of range.
    """
    if not isinstance(values, dict):
        raise InputError(f"body: {type(values).__name__}, expected an object")
    known = kind.model_fields
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InputError(f"{name:.60}: unknown field; the nearest is {near}")
    if fault := form_fault(kind, values):
        raise InputError(fault)
    return kind.model_validate(values)
