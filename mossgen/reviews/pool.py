"""Chooses which items of a run people review, and in which order each reviewer sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mossgen.core.items import Item, State, derived_seed
from mossgen.errors import ConfigError, StoreError
from mossgen.runs.store import RunStore

PEOPLE = "people"  # who rejected an item, and the name of their verdict


def pool(store: RunStore, rejected: int = 0) -> list[Item]:
    """The items to review, in plan order: accepted by the machine, any that has votes, and some it rejected.

    `rejected` is how many items that checkers rejected after drawing are included, to show how often checkers are
    wrong. Their ids decide which ones. Raises ConfigError if there is none, StoreError if a picture is missing.
    """
    drawn = [item for item in store.items() if item.image]
    voted = {vote.item for vote in store.votes()}
    chosen = {i.id for i in drawn if i.state is State.ACCEPTED or i.rejected_by == PEOPLE or i.id in voted}
    others = [item for item in drawn if item.state is State.REJECTED and item.id not in chosen]
    others.sort(key=lambda item: derived_seed(item.id, "review"))
    chosen |= {item.id for item in others[:rejected]}
    items = [item for item in drawn if item.id in chosen]
    if not items:
        raise ConfigError(
            f"{store.folder}: no accepted item has a picture, so there is nothing to review: "
            "make some with `mossgen expand`, or look at some that were rejected, with `rejected` 20."
        )
    for item in items:
        if not store.blob(item.image or "").is_file():
            raise StoreError(f"The picture of item {item.id} is missing: run `mossgen verify {store.folder}`.")
    return items


def shuffled(items: Iterable[Item], reviewer: str) -> list[Item]:
    """The items in a fixed order of the reviewer's own, so that not all reviewers tire at the same items."""
    return sorted(items, key=lambda item: derived_seed(item.id, f"review/{reviewer}"))


def pictured(store: RunStore) -> dict[str, Item]:
    """Every item that could be voted on, by id."""
    return {item.id: item for item in store.items() if item.image}


def known_name(name: str, names: Sequence[str]) -> str:
    """The name as first written, if it differs only in case: phones capitalise."""
    return next((n for n in names if n.casefold() == name.casefold()), name)


def place_of(item: Item, images_at: str) -> str:
    """The address of an item's picture in a folder: joined by a slash, unless the folder's address ends in = or /."""
    joint = "" if images_at.endswith(("/", "=")) else "/"
    return f"{images_at}{joint}{item.image}.png"
