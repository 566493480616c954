"""Uploads a checked model folder to the Hugging Face Hub, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import CommitOperationAdd, HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from cdd_icm.card import README, Card, check_metadata, hub_card, read_card
from cdd_icm.errors import InputError, first_line, of_type
from cdd_icm.hashing import content_digest, stream_digest
from cdd_icm.limits import MEMORY, open_file
from cdd_icm.lock import unchanged
from cdd_icm.sources import local_path

SUFFIXES = (".safetensors", ".json", ".md", ".png")
"""Of the files that are uploaded. A tokenizer's folder may also have .txt."""


class Kind(NamedTuple):
    """What differs between the kinds of model that can be uploaded."""

    check: Callable[[Path], object]
    """Raises InputError if a folder is no valid model of this kind."""
    metadata: Mapping[str, Any]
    """Of the card, where its own are missing."""
    usage: str
    """How to load the model, in Markdown; `{repo_id}` stands for its name on the hub."""


class File(NamedTuple):
    """A file to upload."""

    source: Path | bytes
    """Where it is, or what it contains."""
    size: int
    """In bytes."""
    digest: str
    """Its SHA-256, by which the hub knows a large file."""


class Upload(NamedTuple):
    """What would be uploaded, and to where."""

    repo_id: str
    files: dict[str, File]
    """By their names in the repository, sorted."""
    card: str
    """The content of the repository's README.md."""

    def __str__(self) -> str:
        """A line for each file, with its size in bytes and its digest, and the card."""
        lines = [f"{file.size:>12,}  {file.digest}  {name}" for name, file in self.files.items()]
        total = sum(file.size for file in self.files.values())
        rest = [f"{len(lines)} files, {total:,} bytes, to {constants.ENDPOINT}/{self.repo_id}"]
        return "\n".join([*lines, *rest, "", f"{README}:", self.card])


def prepare(
    folder: str | Path, repo_id: str, kind: Kind, license: str | None = None, readme: Path | None = None
) -> Upload:
    """Checks a model folder and lists what of it would be uploaded; contacts nobody.

    Args:
        repo_id: "owner/name", or "name" for the token's owner.
        license: its SPDX identifier in lower case, as hubs write it; needed where the card has none.
        readme: the file with the card, in place of the folder's own.

    Raises:
        InputError: a malformed `repo_id`; `folder` is no valid model, or has files that don't belong to one,
            which the message names; or the card lacks a licence or has another than `license`.
    """
    check_repo_id(repo_id)
    folder = local_path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    with unchanged(folder):
        names = sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if not f.is_dir())
        if refused := [name for name in names if not _belongs(name)]:
            more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
            raise InputError(
                f"{folder}: {', '.join(refused[:5])}{more}: not uploaded; only {', '.join(SUFFIXES)} are "
                "part of a model, remove the rest first"
            )
        kind.check(folder)
        files = {name: _local(folder / name) for name in names if name != README}
        readme = readme or folder / README
        card = read_card(readme) if readme.is_file() else Card({}, f"# {repo_id.rpartition('/')[2]}")
    if license is not None:
        of_type(license, str, "license", "text such as 'apache-2.0'")
        if card.metadata.get("license", license) != license:
            raise InputError(f"license: {license!r}, but {readme} has {card.metadata['license']!r}")
        card = Card({"license": license, **card.metadata}, card.text)
    check_metadata(card.metadata, readme)
    text = hub_card(card, kind.metadata, kind.usage.replace("{repo_id}", repo_id))
    encoded = text.encode()
    files[README] = File(encoded, len(encoded), content_digest(encoded))
    return Upload(repo_id, dict(sorted(files.items())), text)


def send(
    upload: Upload,
    private: bool | None = None,
    message: str | None = None,
    token: str | None = None,
    create_pr: bool = False,
) -> str:
    """Uploads to the hub that `HF_ENDPOINT` names (default: huggingface.co), in one commit, and returns the
    commit's address. The repository is made if it is missing; `private`: whether it is then private (None:
    as its owner has set).

    Args:
        token: default: that of `hf auth login` or `HF_TOKEN`.
        create_pr: opens a pull request in place of changing the main branch.

    Raises:
        InputError: no token, no network, or the hub refuses; the message names the repository.
    """
    if not (token := token or get_token()):
        raise InputError(f"{upload.repo_id}: no token for the hub; run `hf auth login` or set HF_TOKEN")
    api = HfApi(token=token)
    try:
        operations = [
            CommitOperationAdd(name, file.source if isinstance(file.source, bytes) else str(file.source))
            for name, file in upload.files.items()
        ]
        for operation in operations:
            if operation.upload_info.sha256.hex() != upload.files[operation.path_in_repo].digest:
                raise InputError(f"{operation.path_or_fileobj}: changed while it was read; run it again")
        repo_id = api.create_repo(upload.repo_id, private=private, exist_ok=True).repo_id
        message = message or "Upload by cdd-icm"
        commit = api.create_commit(repo_id, operations, commit_message=message, create_pr=create_pr)
    except InputError:
        raise
    except Exception as error:  # the errors of the hub's client and of its network library share no base
        reason = " ".join(str(error).split()) or first_line(error)
        raise InputError(f"{upload.repo_id}: can't be uploaded to {api.endpoint} ({reason:.300})") from error
    return str(commit.pr_url or commit.commit_url)


def check_repo_id(repo_id: object) -> None:
    """Raises InputError if `repo_id` is no valid name on the hub."""
    of_type(repo_id, str, "repo_id", "'owner/name'")
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise InputError(f"repo_id: {repo_id!r:.120}, expected 'owner/name' ({first_line(error)})") from None


def _belongs(name: str) -> bool:
    path = Path(name)
    in_tokenizer = path.parts[0] == "tokenizer" and path.suffix == ".txt"
    return (path.suffix in SUFFIXES or in_tokenizer) and not any(p.startswith(".") for p in path.parts)


def _local(file: Path) -> File:
    with open_file(file, MEMORY) as stream:
        return File(file, file.stat().st_size, stream_digest(stream))
