"""`mossgen push`: uploads an export, or a set with sides, as a dataset to a Hugging Face hub, or previews it.

huggingface_hub reads the token from the environment (HF_TOKEN) or from `hf auth login`; this module does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mossgen.errors import BackendError, ConfigError
from mossgen.files.folders import export_files
from mossgen.sets import lineage

CARD = "README.md"
MAX_FILES = 100_000  # in one repository, as the hub recommends


@dataclass(frozen=True)
class Upload:
    """An upload to a hub: the folder, the repository, its files with their bytes, and the front matter of the card.

    `url` is the address of the commit; None if nothing was sent.
    """

    folder: Path
    repository: str
    private: bool
    files: Mapping[str, int]
    card: Mapping[str, Any]
    url: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return {
            "repository": self.repository,
            "private": self.private,
            "pushed": self.url is not None,
            "url": self.url,
            "bytes": sum(self.files.values()),
            "files": dict(self.files),
            "licence": self.card.get("license"),
            "configs": [config["config_name"] for config in self.card.get("configs", [])],
        }


def push(folder: Path | str, repo: str, *, public: bool = False, dry_run: bool = False) -> Upload:
    """Uploads an export, or a set with sides, to the dataset `repo` (ORG/NAME) in one commit.

    A missing repository is created, private unless `public`; `dry_run` uses no network. Raises ConfigError for a folder
    that mossgen did not make, was changed or has no card, and BackendError if the hub refuses; the repository then
    stays unchanged.

    >>> mossgen.push("my-set", "my-org/my-set", dry_run=True).to_dict()["pushed"]
    False
    """
    upload = _collect(Path(folder), repo, private=not public)
    return upload if dry_run else replace(upload, url=_send(upload))


def _collect(folder: Path, repository: str, private: bool) -> Upload:
    """What `push` would send from `folder`; raises ConfigError."""
    from huggingface_hub import DatasetCard

    _refuse_no_name(repository)
    names = export_files(folder)
    if CARD not in names:
        raise ConfigError(
            f"{folder} has no {CARD}, without which nobody knows what it is: `mossgen export` writes one."
        )
    if lineage.is_sided(folder) and (problems := lineage.problems(folder)):
        raise ConfigError(f"{problems[0]} Nothing is pushed before `mossgen verify {folder}` finds no problem.")
    if len(names) > MAX_FILES:
        raise ConfigError(f"{folder} has {len(names):,} files, more than a hub takes: export it as parquet.")
    try:
        card = DatasetCard.load(folder / CARD).data.to_dict()
    except ValueError as error:
        raise ConfigError(f"{folder / CARD}: its head is no dataset card ({error}): export again.") from None
    return Upload(folder, repository, private, {name: (folder / name).stat().st_size for name in names}, card)


def _refuse_no_name(repository: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ConfigError(f"`repo` {repository!r} names no repository ({error}): give ORG/NAME.") from None


def _send(upload: Upload) -> str:
    """Sends the files in one commit, and returns its address; raises BackendError."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    with _hub_errors(upload.repository):
        api.create_repo(upload.repository, repo_type="dataset", private=upload.private, exist_ok=True)
        commit = api.create_commit(
            upload.repository,
            [CommitOperationAdd(name, str(upload.folder / name)) for name in upload.files],
            repo_type="dataset",
            commit_message=f"mossgen: {upload.folder.resolve().name}",
        )
    return str(commit.commit_url)


@contextmanager
def _hub_errors(repository: str) -> Iterator[None]:
    """Turns an error of the hub or the network into a sentence, with its status and words but not the request."""
    from huggingface_hub import errors

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        yield
    except errors.LocalTokenNotFoundError:
        raise BackendError(f"{hub}: no token: set HF_TOKEN, or run `hf auth login`.") from None
    except errors.HfHubHTTPError as error:
        why = f"{error.response.status_code} {error.server_message or ''}".strip()
        mend = "give HF_TOKEN the right to write there" if error.response.status_code in (401, 403) else "try again"
        raise BackendError(f"{hub} refused {repository} ({why}): {mend}; nothing was changed there.") from None
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # whichever HTTP client it uses
        raise BackendError(f"{hub} cannot be reached ({type(error).__name__}): run the same command again.") from None
