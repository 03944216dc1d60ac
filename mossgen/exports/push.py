"""`mossgen push`: an export, or a set with sides, as a dataset on a Hugging Face hub: what would go, and sending it.

The token comes from the environment (HF_TOKEN) or from `hf auth login`, by huggingface_hub itself: it is not read here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mossgen.errors import BackendError, ConfigError
from mossgen.files.folders import written
from mossgen.sets import lineage

CARD = "README.md"
MAX_FILES = 100_000  # of one repository, as the hub advises


@dataclass(frozen=True)
class Parcel:
    """What is to be pushed: the folder, the repository, its files with their bytes, and what the card's head says."""

    folder: Path
    repository: str
    files: Mapping[str, int]
    card: Mapping[str, Any]


def parcel(folder: Path, repository: str) -> Parcel:
    """What `folder` would push. Raises ConfigError: not ours, altered, without a card, or no name of a repository."""
    from huggingface_hub import DatasetCard
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ConfigError(f"--repo {repository!r} names no repository ({error}): give ORG/NAME.") from None
    names = written(folder)
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
    return Parcel(folder, repository, {name: (folder / name).stat().st_size for name in names}, card)


def push(parcel: Parcel, private: bool = True) -> str:
    """Uploads the files in one commit, and returns its address. Raises BackendError; what is there stays as it was."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    with _hub_errors(parcel.repository):
        api.create_repo(parcel.repository, repo_type="dataset", private=private, exist_ok=True)
        commit = api.create_commit(
            parcel.repository,
            [CommitOperationAdd(name, str(parcel.folder / name)) for name in parcel.files],
            repo_type="dataset",
            commit_message=f"mossgen: {parcel.folder.resolve().name}",
        )
    return str(commit.commit_url)


@contextmanager
def _hub_errors(repository: str) -> Iterator[None]:
    """Makes a sentence of what the hub or the network answers: its status and words, nothing of the request."""
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
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # of whichever client it stands on
        raise BackendError(f"{hub} cannot be reached ({type(error).__name__}): run the same command again.") from None
