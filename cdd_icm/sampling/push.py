"""What makes a pipeline known to a hub and to diffusers: `push_to_hub`, its card, its class's name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from cdd_icm.card import README
from cdd_icm.io import parse_json
from cdd_icm.push import Kind, Upload, prepare, send
from cdd_icm.sampling.folder import CLASS_NAME, check_folder, read_canvas

USAGE = """\
## Use

```python
from cdd_icm import CDDICMPipeline, DrawingSession

session = DrawingSession(CDDICMPipeline.from_pretrained("{repo_id}"), seed=1)
session.say("...").save("turn_1.png")
```

The class is part of the package `cdd-icm`; no code is downloaded, so that `trust_remote_code` is not needed.
"""


def _check(folder: Path) -> None:
    check_folder(folder)
    read_canvas(folder)


PIPELINE = Kind(
    _check,
    {"library_name": "cdd-icm", "pipeline_tag": "image-to-image", "tags": ["cdd-icm", "diffusers"]},
    USAGE,
)
"""A pipeline folder. Its library is not given as diffusers: hubs would then show code that can't load it."""


class Pushable:
    """A diffusers pipeline's `push_to_hub`, with a card that states the licence. A base class of the
    pipeline, before `DiffusionPipeline`."""

    def push_to_hub(
        self,
        repo_id: str,
        commit_message: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        create_pr: bool = False,
        *,
        license: str | None = None,
        readme: str | os.PathLike | None = None,
        dry_run: bool = False,
    ) -> str | Upload:
        """Like any diffusers pipeline, in one commit; returns its address. The arguments that diffusers has
        for pickled weights are not supported.

        Args:
            license: its SPDX identifier in lower case; needed where the card has none.
            readme: the file with the card (default: the README.md of the folder that the pipeline was loaded
                from).
            dry_run: contacts nobody, and returns what would be uploaded.

        Raises:
            InputError: see `cdd_icm.push.prepare` and `send`.
        """
        if readme is None and (loaded := self.config.get("_name_or_path")):
            readme = Path(loaded) / README
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            upload = prepare(folder, repo_id, PIPELINE, license, None if readme is None else Path(readme))
            return upload if dry_run else send(upload, private, commit_message, token, create_pr)

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs) -> None:
        """Like any diffusers pipeline; `push_to_hub` and its keywords are those of the method."""
        hub = ("repo_id", "commit_message", "private", "token", "create_pr", "license")
        given = {name: kwargs.pop(name) for name in hub if name in kwargs}
        super().save_pretrained(save_directory, **kwargs)
        if push_to_hub:
            folder, license = Path(save_directory), given.pop("license", None)
            upload = prepare(folder, given.pop("repo_id", folder.name), PIPELINE, license)
            send(upload, message=given.pop("commit_message", None), **given)

    def to_json_string(self) -> str:
        """The content of `model_index.json`, in which the class has its full name: that is what
        `DiffusionPipeline.from_pretrained` says it does not know, and so says what to import."""
        values = parse_json(super().to_json_string(), "model_index.json", foreign=True)
        return json.dumps(values | {"_class_name": CLASS_NAME}, indent=2, sort_keys=True) + "\n"
