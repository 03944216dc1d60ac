"""`mossgen split`: writes whole clusters to sides as a set to publish, with a report on leaks between sides.

An existing set grows: its items keep their sides, its canary stays, and an item that would join two sides is left out
with the reason. See `lineage` for the files, and `clusters` for the grouping.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mossgen import __version__
from mossgen.core.progress import SILENT, Progress
from mossgen.duplicates.nearness import between, links, nearest, worst
from mossgen.duplicates.vectors import Vectors, concatenate
from mossgen.errors import ConfigError
from mossgen.files.disk import sha256
from mossgen.files.folders import write_folder
from mossgen.plugins.cards import card, fill
from mossgen.plugins.protocols import CHANNELS
from mossgen.plugins.spec import load_embedder
from mossgen.sets import lineage
from mossgen.sets.dataset import Dataset, unaltered
from mossgen.sets.open import open_set
from mossgen.splits.clusters import RELATIONS, Sides, Traits, divide
from mossgen.splits.members import Batch, Member, common_embedder, embed, read_batches

PRIORITY = ("test", "dev", "train")  # if two partners are near-duplicates, the one on the first of these sides stays


@dataclass(frozen=True)
class Split:
    """A written set with sides: sizes, leak report, clusters, and what was left out.

    `train`, `dev` and `test` open a side as a set.
    """

    folder: Path
    sides: Mapping[str, int]
    partners: Mapping[str, int]
    leaks: Mapping[str, Any]
    head: Mapping[str, Any]

    @property
    def train(self) -> Dataset:
        """The side for training."""
        return open_set(self.folder, side="train")

    @property
    def dev(self) -> Dataset:
        """The side for choosing between models; raises ConfigError if there is none."""
        return open_set(self.folder, side="dev")

    @property
    def test(self) -> Dataset:
        """The held-out side."""
        return open_set(self.folder, side="test")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        told = ("clusters", "largest_cluster", "bound", "unbound", "left_out", "canary")
        return {
            "out": str(self.folder),
            "sides": dict(self.sides),
            "targets": self.head["targets"],
            "contrast": dict(self.partners),
            "leaks": self.leaks["leaks"],
            "nearest": {pair: facts["channels"] for pair, facts in self.leaks["between"].items()},
            "shared": {pair: facts["shared"] for pair, facts in self.leaks["between"].items()},
            **{key: self.head[key] for key in told},
        }


@dataclass(frozen=True)
class _Placed:
    """An item or partner with its side."""

    member: Member
    side: str
    cluster: str


def split(
    runs: Path | str | Dataset | Sequence[Path | str | Dataset],
    *,
    out: Path | str,
    test: float = 0.2,
    dev: float = 0.0,
    bind: Sequence[str] | None = None,
    progress: Progress = SILENT,
) -> Split:
    """Splits runs and other sets into train, dev and test sides that share no near-duplicates, and reports leaks.

    `test` and `dev` are the shares of those sides. `bind` names the relations that must not cross sides (RELATIONS:
    question, scene, seed; empty for none). By default, all that leave enough clusters for the shares are bound; if the
    set at `out` grows, those bound before. The set is written completely or not at all.

    Raises ConfigError, MissingModel, BackendError or StoreError.

    >>> sides = mossgen.split(["generated/negated_harm-0"], out="my-set", test=0.25)
    >>> sides.leaks["leaks"]
    0
    """
    unknown = [name for name in bind or () if name not in RELATIONS]
    if unknown:
        raise ConfigError(f"`bind` {unknown[0]!r}: there is no such relation; choose among {', '.join(RELATIONS)}.")
    if test + dev >= 1:
        raise ConfigError(
            f"`test` {test:g} and `dev` {dev:g} leave nothing to train on: give shares that sum to less than 1."
        )
    sets = [runs] if isinstance(runs, Path | str | Dataset) else runs
    shares = {"test": test, **({"dev": dev} if dev else {})}
    return _split([s if isinstance(s, Dataset) else Path(s) for s in sets], Path(out), shares, bind, progress)


def _split(
    runs: Sequence[Path | Dataset],
    out: Path,
    shares: Mapping[str, float],
    bind: Sequence[str] | None,
    progress: Progress,
) -> Split:
    before = _before(out)
    batches = read_batches(runs)
    members = [member for batch in batches for member in batch.members]
    pinned = {key: row["side"] for key, row in before.items()}
    _refuse_lost(pinned, members, out)
    part, stored = common_embedder(batches)
    progress.say("loading the embedder")
    embedder = load_embedder(part, progress)
    progress.say("comparing items")
    vectors = embed(batches, embedder, stored)
    tied = dict.fromkeys((a, b) for a, b, _, _ in links(vectors, embedder.thresholds))  # once for all channels
    near = [(vectors.labels[a], vectors.labels[b]) for a, b in tied]
    if bind is None and before:
        bind = tuple(lineage.head(out)["bound"])
    sides = divide([_traits(member) for member in members], near, shares, bind, pinned)
    placed = _placed(members, sides)
    partners, partner_vectors, dropped = _partners(placed, vectors, embedder, before, out)
    everything = concatenate([vectors, partner_vectors])
    thresholds = {c: round(float(embedder.thresholds[c]), 6) for c in CHANNELS}
    leaks = leak_report([*placed, *partners], everything, thresholds, sides)
    sizes = {name: sum(p.side == name for p in partners) for name in sides.sizes()}
    head = _head(out, batches, sides, before, thresholds, embedder.name, dropped) | {"partners": sizes}
    progress.say("writing the set")
    write_folder(out, "split", lambda stage: _fill(stage, placed, partners, head, leaks))
    return Split(out, sides.sizes(), sizes, leaks, head)


def _before(out: Path) -> dict[str, lineage.Row]:
    """The rows of the existing set, by id."""
    if not lineage.is_sided(out):
        return {}
    return {row["id"]: row for side in lineage.head(out)["sides"] for row in lineage.rows(out, side)}


def _refuse_lost(pinned: Mapping[str, str], members: Sequence[Member], out: Path) -> None:
    here = {member.id for member in members}
    lost = [key for key in pinned if key not in here]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise ConfigError(
            f"{out} holds {lost[0]}{more}, which none of the runs has: a set only grows, so give all the runs that it "
            "was made from, or another `out`."
        )


def _traits(member: Member) -> Traits:
    return Traits(member.id, member.row["type"], member.row.get("category", ""), member.shares)


def _placed(members: Sequence[Member], sides: Sides) -> list[_Placed]:
    """The members that have a side, in order of their ids."""
    cluster = {key: f"c-{group[0]}" for group in sides.clusters for key in group}
    kept = [member for member in members if member.id in sides.side]
    return [_Placed(m, sides.side[m.id], cluster[m.id]) for m in sorted(kept, key=lambda m: m.id)]


# -- harmful partners ----------------------------------------------------------------------------------


def _partners(
    placed: Sequence[_Placed], vectors: Vectors, embedder: Any, before: Mapping[str, lineage.Row], out: Path
) -> tuple[list[_Placed], Vectors, dict[str, str]]:
    """Each partner on its item's side, its vectors, and partners left out with the reason.

    Partners share a few dozen harmful texts, so clusters through them would contain nearly all of the set. Instead, a
    partner too near to anything on another side is left out; published partners come first, then those of the test
    side.
    """
    found = [_Placed(partner, p.side, p.cluster) for p in placed for partner in p.member.partners]
    empty = Vectors([], np.zeros((0, embedder.dim), np.float32), np.zeros((0, embedder.dim), np.float32))
    if not found:
        return [], empty, {}
    published = {row["id"] for side in _sides_of(out) for row in lineage.rows(out, side, contrast=True)}
    found.sort(key=lambda p: (p.member.id not in published, PRIORITY.index(p.side), p.member.id))
    at = {label: row for row, label in enumerate(vectors.labels)}
    # the picture without its overlay, as used for the benign item
    images = vectors.images[[at[p.member.row["contrast_of"]] for p in found]]
    own = Vectors(
        [p.member.id for p in found], embedder.texts([str(p.member.row["question"]) for p in found]), images
    )  # fmt: skip
    benign = {side: vectors.part([at[p.member.id] for p in placed if p.side != side]) for side in PRIORITY}
    kept: list[int] = []
    dropped: dict[str, str] = {}
    # partners of one side do not compete, so they can be compared together
    for side, group in itertools.groupby(range(len(found)), key=lambda row: found[row].side):
        rows = list(group)
        rivals = concatenate([benign[side], own.part([k for k in kept if found[k].side != side])])
        for row, nears in zip(rows, nearest(own.part(rows), rivals, embedder.thresholds), strict=True):
            near = worst(nears.values())
            if near is not None and near.over:
                dropped[found[row].member.id] = f"it is too near to {near.label} of another side by {near.channel}"
            else:
                kept.append(row)
    return [found[k] for k in kept], own.part(kept), dropped


def _sides_of(out: Path) -> list[str]:
    return list(lineage.head(out)["sides"]) if lineage.is_sided(out) else []


# -- the leak report -----------------------------------------------------------------------------------


def leak_report(
    placed: Sequence[_Placed], vectors: Vectors, thresholds: Mapping[str, float], sides: Sides
) -> dict[str, Any]:
    """For each pair of sides: the nearest pair by channel, pairs over its threshold, values shared by relation."""
    at = {label: row for row, label in enumerate(vectors.labels)}
    report: dict[str, Any] = {"thresholds": dict(thresholds), "between": {}, "leaks": 0}
    for one, other in itertools.combinations(sides.sizes(), 2):
        mine, theirs = ([p for p in placed if p.side == name] for name in (one, other))
        a, b = (vectors.part([at[p.member.id] for p in part]) for part in (mine, theirs))
        channels = between(a, b, thresholds)
        shared = {relation: _shared(mine, theirs, relation) for relation in RELATIONS}
        report["between"][f"{one}-{other}"] = {"channels": channels, "shared": shared}
        report["leaks"] += sum(int(str(facts["over"])) for facts in channels.values())
        report["leaks"] += sum(shared[relation] for relation in sides.bound)
    return report


def _shared(mine: Sequence[_Placed], theirs: Sequence[_Placed], relation: str) -> int:
    """How many values of a relation occur on both sides."""
    a, b = ({p.member.shares[relation] for p in part if relation in p.member.shares} for part in (mine, theirs))
    return len(a & b)


# -- writing -------------------------------------------------------------------------------------------


def _head(
    out: Path,
    batches: Sequence[Batch],
    sides: Sides,
    before: Mapping[str, lineage.Row],
    thresholds: Mapping[str, float],
    embedder: str,
    dropped: Mapping[str, str],
) -> dict[str, Any]:
    """set.json without the hashes of the files; its canaries come from the items, or from the set that grew."""
    marks = lineage.head(out)["canary"] if before else {}
    origin = hashlib.sha256("".join(sorted(sides.side)).encode()).hexdigest()
    sources = lineage.sources(member.row for batch in batches for member in batch.members)
    return {
        "format": lineage.FORMAT,
        "name": out.resolve().name,
        "mossgen": __version__,
        "canary": {side: marks.get(side) or canary(side, origin) for side in sides.sizes()},
        "sides": sides.sizes(),
        "targets": dict(sides.targets),
        "clusters": len(sides.clusters),
        "largest_cluster": max(map(len, sides.clusters)),
        "bound": list(sides.bound),
        "unbound": dict(sides.unbound),
        "left_out": {**sides.left_out, **dropped, **{k: why for b in batches for k, why in b.left_out.items()}},
        "embedder": embedder,
        "thresholds": dict(thresholds),
        "sources": [source.to_dict() for source in sources],
        "runs": [batch.evidence for batch in batches if batch.evidence],
    }


def canary(side: str, origin: str) -> str:
    """The canary of one side: a text that shows, if found in a corpus, where data came from."""
    mark = uuid.uuid5(uuid.NAMESPACE_URL, f"mossgen/{origin}/{side}")
    return f"mossgen {side} data, which must not be in a training corpus unless meant to be; canary {mark}"


def _fill(
    stage: Path, placed: Sequence[_Placed], partners: Sequence[_Placed], head: dict[str, Any], leaks: Mapping[str, Any]
) -> None:
    hashes = {}
    for side in head["sides"]:
        for contrast, all_of_them in ((False, placed), (True, partners)):
            part = [p for p in all_of_them if p.side == side]
            if part:
                folder = lineage.part_folder(stage, side, contrast)
                _write_part(folder, part, head["canary"][side])
                hashes[folder.relative_to(stage).as_posix()] = sha256(folder / lineage.MANIFEST)
    _write_json(stage / lineage.LEAKS, leaks)
    (stage / "README.md").write_text(_readme(head, leaks, placed, bool(partners)), encoding="utf-8")
    _write_json(stage / lineage.HEAD, {**head, "manifests": hashes, "leaks_sha256": sha256(stage / lineage.LEAKS)})


def _write_part(folder: Path, part: Sequence[_Placed], mark: str) -> None:
    """Writes one side's rows, pictures and manifest."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for placed in sorted(part, key=lambda p: p.member.id):
        row = {**placed.member.row, "side": placed.side, "cluster": placed.cluster, "canary": mark}
        (folder / row["file_name"]).write_bytes(unaltered(placed.member.record, row))
        rows.append(row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / lineage.METADATA).write_text(text, encoding="utf-8")
    _write_json(folder / lineage.MANIFEST, lineage.seal(rows, mark))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _readme(head: Mapping[str, Any], leaks: Mapping[str, Any], placed: Sequence[_Placed], partners: bool) -> str:
    """The set's card; its front matter makes `datasets` open each side, and the partners, separately."""
    types = sorted({p.member.row["type"] for p in placed})
    counts = Counter((p.member.row["type"], p.side) for p in placed)
    licences = {source["licence"] for source in head["sources"] if source["role"] == "item"}
    body = fill(
        "set.md.jinja",
        **{key: head[key] for key in ("name", "sources", "unbound", "canary", "sides")},
        types=[(kind, [counts[kind, side] for side in head["sides"]]) for kind in types],
        partners=head["partners"] if partners else {},
        evidence={**{key: head[key] for key in ("runs", "bound", "embedder")}, "leaks": leaks},
    )
    configs = [_config(name, folder, head["sides"]) for name, folder in _CONFIGS[: 1 + partners]]
    return card(head["name"], licences.pop() if len(licences) == 1 else "other", len(placed), types, configs, body)


_CONFIGS = (("default", ""), (lineage.CONTRAST, f"{lineage.CONTRAST}/"))


def _config(name: str, folder: str, sides: Iterable[str]) -> dict[str, object]:
    files = [
        {"split": side, "path": [f"{folder}{side}/{lineage.METADATA}", f"{folder}{side}/images/*"]} for side in sides
    ]
    return {"config_name": name, "default": not folder, "data_files": files}
