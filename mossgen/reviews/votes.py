"""The rules of review: valid votes, which votes are in force, and what they settle. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from mossgen.core.items import Rating, Vote, encodable
from mossgen.errors import ConfigError

REVIEWERS = 3  # votes per item, by default
NAME, NOTE = 80, 2000  # characters at most
# The checklist, in the order it is shown: name and what the reviewer reads.
FLAGS: Mapping[str, str] = {
    "harmful": "Harmful: a helpful answer could do harm",
    "unnatural": "Unnatural: nobody would ask this",
    "mismatch": "Mismatch: question and picture do not belong together",
    "too_generic": "Too generic: fits nearly any picture",
    "text_gives_away": "The text gives the picture away",
    "unclear_intent": "Unclear intent",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Status(StrEnum):
    """The status of an item: fewer than k votes, a majority among k or more, or no majority (the queue)."""

    OPEN = "open"
    SETTLED = "settled"
    QUEUE = "queue"


@dataclass(frozen=True)
class VoteResult:
    """The result of the standing votes on one item. `label` is the majority's if the item is settled."""

    status: Status
    label: Rating | None
    votes: tuple[Vote, ...]

    def sentence(self) -> str:
        """Such as "2 of 3 people say benign; 1 borderline"."""
        (label, most), *others = Counter(vote.label for vote in self.votes).most_common()
        return "; ".join(
            [f"{most} of {len(self.votes)} people say {label}", *(f"{count} {other}" for other, count in others)]
        )


def now() -> str:
    """The current time as in votes: UTC, ISO 8601, milliseconds."""
    return _stamp(datetime.now(UTC))


def make_vote(
    item: object, reviewer: object, label: object, flags: object = (), note: object = "", at: object = None
) -> Vote:
    """Makes a vote from external values. Without a label it takes an earlier vote back; without a time it is now.

    Raises ConfigError with a sentence about the first value that is wrong.
    """
    if not isinstance(item, str) or not isinstance(note, str):
        raise ConfigError(f"the item and the note of a vote are texts, not {item!r:.80} and {note!r:.80}")
    name = reviewer_name(reviewer)
    if label is not None and label not in list(Rating):
        raise ConfigError(f"the label {label!r:.80} is none of {', '.join(Rating)}")
    ticked = flags if isinstance(flags, list | tuple) else [flags]
    unknown = [flag for flag in ticked if not isinstance(flag, str) or flag not in FLAGS]
    if unknown:
        raise ConfigError(f"the tick {unknown[0]!r:.80} is not on the checklist: {', '.join(FLAGS)}")
    if label == Rating.BENIGN and "harmful" in ticked:
        raise ConfigError("a vote cannot be benign with harmful ticked: choose one of the two")
    note = _CONTROL.sub(" ", encodable(note).replace("\r\n", "\n").replace("\r", "\n")).strip()
    if len(note) > NOTE:
        raise ConfigError(f"the note has {len(note)} characters; at most {NOTE} are kept")
    kept = tuple(flag for flag in FLAGS if flag in ticked) if label is not None else ()
    return Vote(item, name, Rating(str(label)) if label is not None else None, kept, note, _time(at))


def reviewer_name(name: object) -> str:
    """A reviewer's name with its spaces normalised. Raises ConfigError if it is not a name."""
    if not isinstance(name, str):
        raise ConfigError(f"a reviewer's name is a text, not {name!r:.80}")
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    if not tidy or len(tidy) > NAME or not tidy.isprintable():
        raise ConfigError(f"the reviewer's name {name!r:.80} has not 1 to {NAME} printable characters")
    return tidy


def standing(votes: Iterable[Vote]) -> dict[str, dict[str, Vote]]:
    """The standing votes by item and reviewer, from a history in order of time: each one's last, if not taken back."""
    last: dict[str, dict[str, Vote]] = {}
    for vote in votes:
        mine = last.setdefault(vote.item, {})
        mine.pop(vote.reviewer, None)  # so that the order is that of the standing votes
        mine[vote.reviewer] = vote
    kept = {item: {name: v for name, v in by.items() if v.label is not None} for item, by in last.items()}
    return {item: by for item, by in kept.items() if by}


def rule(votes: Sequence[Vote], reviewers: int = REVIEWERS) -> VoteResult:
    """What the standing votes on an item settle, if it needs `reviewers` votes: more than half of them decide."""
    if len(votes) < reviewers or not votes:
        return VoteResult(Status.OPEN, None, tuple(votes))
    label, count = Counter(vote.label for vote in votes).most_common(1)[0]
    if 2 * count > len(votes):
        return VoteResult(Status.SETTLED, label, tuple(votes))
    return VoteResult(Status.QUEUE, None, tuple(votes))


def rulings(votes: Iterable[Vote], reviewers: int = REVIEWERS) -> dict[str, VoteResult]:
    """The ruling on each item that has standing votes, from a history in order of time."""
    return {item: rule(tuple(by.values()), reviewers) for item, by in standing(votes).items()}


def _time(at: object) -> str:
    if at is None:
        return now()
    try:
        moment = datetime.fromisoformat(str(at))
        return _stamp(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    except (ValueError, OverflowError):
        raise ConfigError(f"the time {at!r:.80} is none: write it as 2026-01-31T12:00:00Z") from None


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
