"""The card of a model on a hub: a README.md that begins with metadata in YAML between two lines of `---`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cdd_icm.config import parse_yaml
from cdd_icm.errors import InputError
from cdd_icm.limits import CONFIG
from cdd_icm.text import read_text

README = "README.md"
CODE_LICENSE = "apache-2.0"
"""Of this project's code. A model's own depends on the data that it was trained on."""

DATA_LICENSES = {"codraw": "cc-by-nc-4.0"}
"""Data sets whose licence also binds the models trained on them."""

TEXTS = ("license", "pipeline_tag", "library_name")
LISTS = ("tags", "datasets", "metrics")

_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|$)", re.DOTALL)
_LINK_ELSEWHERE = re.compile(r"\[([^\]\[]*)\]\((?!#|https?://)\.\.[^)\s]*\)")

CONFIRM = """\
## Licence

`{license}`, as stated by whoever uploaded this model. No lawyer has looked at it: a person should confirm
that it fits the data that the model was trained on before relying on it. The code of CDD-ICM is {code}.
"""


class Card(NamedTuple):
    """A README.md in its two parts."""

    metadata: dict[str, Any]
    text: str


def read_card(file: Path) -> Card:
    """The card in a file; one without metadata has only text.

    Raises:
        InputError: the file is missing, is not UTF-8, or its metadata are not a YAML mapping.
    """
    text = read_text(file, CONFIG)
    found = _FRONT_MATTER.match(text)
    if found is None:
        return Card({}, text)
    metadata = parse_yaml(found[1] or "", f"{file}: the metadata are not YAML") or {}
    if not isinstance(metadata, dict):
        raise InputError(f"{file}: the metadata are a {type(metadata).__name__}, expected a mapping of keys")
    return Card(metadata, text[found.end() :].lstrip("\r\n"))


def check_metadata(metadata: Mapping[str, Any], where: str | Path) -> None:
    """Checks what a hub needs to know of a model.

    Raises:
        InputError: no licence, one that the data do not allow, or a field of another type; the message starts
            with `where`.
    """
    for name in TEXTS:
        value = metadata.get(name)
        if name in metadata and not (isinstance(value, str) and value.strip()):
            raise InputError(f"{where}: {name} is {value!r:.80}, expected text")
    for name in LISTS:
        value = metadata.get(name, [])
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise InputError(f"{where}: {name} is {value!r:.80}, expected a list of texts")
    if "license" not in metadata:
        raise InputError(f"{where}: no license; give one, such as --license {CODE_LICENSE}")
    for data in metadata.get("datasets", []):
        required = DATA_LICENSES.get(data.rpartition("/")[2].lower(), metadata["license"])
        if metadata["license"] != required:
            raise InputError(
                f"{where}: license is {metadata['license']!r}, but the model was trained on {data}, "
                f"which is {required}"
            )


def hub_card(card: Card, defaults: Mapping[str, Any], usage: str) -> str:
    """The README.md for a hub: the metadata with `defaults` for missing ones, the text, how to load the model
    (`usage`, Markdown), and a section that asks a person to confirm the licence.

    Links to other folders of the project would lead nowhere there; only their texts are kept.
    """
    metadata = {**defaults, **card.metadata}
    written = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=100)
    text = _LINK_ELSEWHERE.sub(r"\1", card.text).strip()
    confirm = CONFIRM.format(license=metadata["license"], code=CODE_LICENSE)
    return f"---\n{written}---\n\n{text}\n\n{usage.strip()}\n\n{confirm}"
