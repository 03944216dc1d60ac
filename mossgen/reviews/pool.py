"""Which items of a run people look at, and the order in which each of them does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mossgen.core.items import Item, State, derived_seed
from mossgen.errors import ConfigError, StoreError
from mossgen.runs.store import RunStore

PEOPLE = "people"  # who rejected an item, and the name of their verdict


def pool(store: RunStore, rejected: int = 0) -> list[Item]:
    """The items to review, in plan order: accepted by the machine, any that has votes, and some it rejected.

    `rejected` of those that checkers rejected after a picture was drawn show how often they are wrong; which
    ones, their ids decide. Raises ConfigError if there is none, StoreError if a picture is missing.
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
    """The items in a reviewer's own order, which is always the same, so that nobody tires at the same ones."""
    return sorted(items, key=lambda item: derived_seed(item.id, f"review/{reviewer}"))


def pictured(store: RunStore) -> dict[str, Item]:
    """Every item that could be voted on, by id."""
    return {item.id: item for item in store.items() if item.image}


def known_name(name: str, names: Sequence[str]) -> str:
    """The name as it was first written, should it only differ in case: a phone capitalises."""
    return next((n for n in names if n.casefold() == name.casefold()), name)


def place_of(item: Item, images_at: str) -> str:
    """Where an item's picture will lie, of a folder's address: joined by a slash, unless that ends in = or /."""
    joint = "" if images_at.endswith(("/", "=")) else "/"
    return f"{images_at}{joint}{item.image}.png"
