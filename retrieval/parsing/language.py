"""A language model as a parser: behind an endpoint, or in this process by transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from cdd_icm.errors import InputError, first_line
from cdd_icm.io import parse_json
from cdd_icm.sources import local_path
from retrieval.endpoint import Endpoint
from retrieval.parsing.base import SceneGraph
from retrieval.parsing.rules import parse

VERSION = 1
"""Of the instructions, part of the parser's name."""

_EXAMPLE = "Add a red cube behind it and make the sphere blue"
INSTRUCTIONS = (
    "List the things that the text names, with their attributes, and the relations between them. Answer with "
    'JSON alone: {"entities": [{"name": head noun, "attributes": [words]}], "relations": [[number of an '
    'entity, preposition or verb, number of an entity]]}. What the text does not name is "it". Example: '
    f"{_EXAMPLE}\n{json.dumps(parse('a red cube behind it, the sphere is blue').to_json())}"
)


class LanguageParser:
    """Asks for each text, and once more where the answer is no graph. Texts without a graph are in `skipped`.

    Args:
        ask: (instructions, text) -> answer. model: its name.
    """

    def __init__(self, ask: Callable[[str, str], str], model: str):
        self.ask, self.name = ask, f"language-{VERSION}-{model}"
        self.skipped: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[SceneGraph | None]:
        return [self._graph(text) for text in texts]

    def _graph(self, text: str) -> SceneGraph | None:
        if not text.strip():
            return SceneGraph()
        for _ in range(2):
            try:
                return read_answer(self.ask(INSTRUCTIONS, text), self.name)
            except _NoGraph:
                continue
        self.skipped.append(text)
        return None


def read_answer(answer: str, where: str) -> SceneGraph:
    """The graph in an answer, which may have words around it. Raises `_NoGraph` if there is none."""
    first, last = answer.find("{"), answer.rfind("}")
    try:
        return SceneGraph.from_json(parse_json(answer[first : last + 1], where, foreign=True), where)
    except InputError as error:
        raise _NoGraph(str(error)) from error


def endpoint_parser(url: str = "", model: str = "", timeout: float = 60.0, tries: int = 4) -> LanguageParser:
    """A model behind an OpenAI-compatible server, see `Endpoint`."""
    return LanguageParser(Endpoint(url, model, timeout, tries).ask, model)


def transformers_parser(model: str = "", max_tokens: int = 512) -> LanguageParser:
    """A chat model of transformers by name or folder; only safetensors are read and none of its code runs.

    Raises:
        InputError: it can't be loaded.
    """
    from transformers import pipeline

    if not model:
        raise InputError("model is '', expected the name or folder of a chat model")
    source = str(local_path(model)) if Path(model).is_dir() else model
    try:
        generate = pipeline("text-generation", source, model_kwargs={"use_safetensors": True})
    except Exception as error:  # transformers raises errors of any kind
        raise InputError(f"model: {model}: {first_line(error)}") from error

    def ask(instructions: str, text: str) -> str:
        chat = [{"role": "system", "content": instructions}, {"role": "user", "content": text}]
        given = chat if generate.tokenizer.chat_template else f"{instructions}\n\n{text}\n"
        (answer,) = generate(given, max_new_tokens=max_tokens, do_sample=False, return_full_text=False)
        return answer["generated_text"]

    return LanguageParser(ask, Path(model).name)


class _NoGraph(Exception):
    pass
