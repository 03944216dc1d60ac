"""expand(): the stages in order, written out. Decisions about one item are maps; decisions between items are
serial, in plan order; one writer.

Candidates go in waves: the first of FIRST, so that a picture is there soon, then twice as many up to WAVE. A wave
is written (draft, rules, text dedup, text checks) as one batch, then its survivors are drawn in chunks of CHUNK
(render, overlay, image checks, match, dedup). Each batch is one transaction, and what is in a batch depends on the
plan alone: so a killed run, resumed, makes the same calls with the same batches and gives the same bytes, and `-n`
only decides where a run stops.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from mossgen.items import Decision, Item, State, Verdict
from mossgen.policy import Policy
from mossgen.ports import LLM, Case, Checker, Embedder, Imager
from mossgen.references import Reference
from mossgen.stages.check import check, spent
from mossgen.stages.dedup import Deduplicator, Near
from mossgen.stages.draft import Draft, draft
from mossgen.stages.render import Rendered, render, to_png
from mossgen.stimulus import StimulusType
from mossgen.store import RunStore

FIRST, WAVE = 2, 16  # candidates written as one batch: at first, and at most
CHUNK = 8  # pictures drawn as one batch
PATIENCE = 25  # candidates tried for each item asked for, before a run gives up


@dataclass(frozen=True)
class Backends:
    """The models and checkers of a run."""

    llm: LLM
    imager: Imager
    embedder: Embedder
    checkers: tuple[Checker, ...]
    samples: int
    guided: int
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class Budget:
    """Where a run stops: items accepted and candidates tried in all, seconds and US dollars of this invocation."""

    accepted: int
    candidates: int | None = None
    seconds: float | None = None
    usd: float | None = None

    def used_up(self, seconds: float, usd: float) -> str | None:
        """Which of "time" and "cost" is used up. Money only where some was spent: what is free may always go on."""
        if self.seconds is not None and seconds >= self.seconds:
            return "time"
        if self.usd is not None and usd > 0 and usd >= self.usd:
            return "cost"
        return None


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the stage just entered, and items by state."""

    stage: str
    counts: Mapping[str, int]


Report = Callable[[Progress], None]


def expand(
    store: RunStore,
    stimulus: StimulusType,
    seed: int,
    backends: Backends,
    budget: Budget,
    references: Sequence[Reference] = (),
    report: Report = lambda progress: None,
) -> str:
    """Makes candidates until `budget.accepted` are accepted; the same call again goes on where it stopped.

    Returns why it stopped: "quota", "candidates", "time", "cost", or "exhausted" (no combination is left).
    Raises RunError from a backend or the store; what was committed before stays.
    """
    return _Run(store, stimulus, seed, backends, budget, references, report).go()


def accept_spares(store: RunStore, wanted: int) -> int:
    """Accepts spare items, in plan order, up to `wanted` accepted ones; returns how many are still missing."""
    missing = max(wanted - store.counts().get(State.ACCEPTED, 0), 0)
    spare = store.items(State.SPARE)[:missing]
    if spare:
        with store.transaction():
            store.put([replace(item, state=State.ACCEPTED) for item in spare])
    return missing - len(spare)


class _Run:
    """One invocation of expand: the stages over the store, with what is kept in memory for dedup."""

    def __init__(
        self,
        store: RunStore,
        stimulus: StimulusType,
        seed: int,
        backends: Backends,
        budget: Budget,
        references: Sequence[Reference],
        report: Report,
    ) -> None:
        self.store = store
        self.stimulus = stimulus
        self.seed = seed
        self.backends = backends
        self.budget = budget
        self.report = report
        self.started = time.monotonic()
        self.kept = self._load_kept(references)
        store.spend("references", time.monotonic() - self.started)

    def go(self) -> str:
        """Drives waves through the stages until something stops it; returns what did, as `expand` does."""
        for wave in _waves(self.stimulus.plan(self.seed)):
            if reason := self._stop():
                return reason
            survivors = self._written(wave)
            for chunk in _chunks(survivors):
                if reason := self._stop():
                    return reason
                if any(item.state is State.DRAFTED for item in chunk):
                    self._picture(chunk)
        return self._stop() or "exhausted"

    def _stop(self) -> str | None:
        """Accepts what the quota still wants of the spare items, and says why to stop, if so."""
        if not accept_spares(self.store, self.budget.accepted):
            return "quota"
        counts = self.store.counts()
        tried = sum(counts.values()) - counts.get(State.PLANNED, 0) - counts.get(State.DRAFTED, 0)
        if tried >= (self.budget.candidates or PATIENCE * max(self.budget.accepted, 4)):
            return "candidates"
        return self.budget.used_up(time.monotonic() - self.started, self._usd())

    def _usd(self) -> float:
        """US dollars spent by this invocation, as far as the backends know."""
        return self.backends.llm.cost + self.backends.imager.cost + spent(self.backends.checkers)

    # -- the written half of a wave ------------------------------------------------------------------

    def _written(self, wave: Sequence[Item]) -> list[Item]:
        """The wave's items that passed everything that is decided without a picture."""
        first, last = wave[0].number, wave[-1].number
        stored = self.store.items(after=first - 1, below=last + 1)
        if len(stored) < len(wave):  # none is, unless the run began when waves were larger
            stored += self._write(wave[len(stored) :])
        # an item that an imager has seen was not rejected before: so the chunks are the same on every resume
        return [item for item in stored if item.state is not State.REJECTED or "imager" in item.provenance]

    def _write(self, wave: Sequence[Item]) -> list[Item]:
        """Drafts a new wave and decides on its questions, as one batch."""
        with self._batch("draft"):
            drafts = draft(wave, self.stimulus, self.backends.llm, self.backends.samples, self.backends.guided)
            items = self._choose(drafts)
            items = self._checked([(item, None) for item in items], "text")
            self.store.put(items)
        return items

    def _choose(self, drafts: Sequence[Draft]) -> list[Item]:
        """Gives each item the likeliest of its questions that is not near to a kept one (text channel).

        Within the wave, questions not yet given are preferred; should one be given twice, the picture half
        decides, since the first of the two may still fall.
        """
        texts = list(dict.fromkeys(c.text for d in drafts for c in d.questions))
        near = dict(zip(texts, self.kept.near_texts(self.backends.embedder.texts(texts)), strict=True)) if texts else {}
        given: set[str] = set()
        return [self._question(d, near, given) for d in drafts]

    def _question(self, drafted: Draft, near: Mapping[str, Near | None], given: set[str]) -> Item:
        """The item with its chosen question, or rejected where all of its questions are near to kept ones."""
        if not drafted.questions:
            return drafted.item
        fresh = [c for c in drafted.questions if near[c.text] is None]
        if not fresh:
            nearest = near[drafted.questions[0].text]
            assert nearest is not None
            item = replace(drafted.item, question=drafted.questions[0].text)
            return item.reject("dedup", nearest.sentence())
        chosen = next((c for c in fresh if c.text not in given), fresh[0])
        given.add(chosen.text)
        item = replace(drafted.item, question=chosen.text, state=State.DRAFTED)
        return item.noted(question_made=chosen.how, question_logprob=chosen.logprob)

    # -- the drawn half ------------------------------------------------------------------------------

    def _picture(self, chunk: Sequence[Item]) -> None:
        """Draws a chunk and decides on its pictures; only the latter is kept, so a killed chunk is drawn again."""
        with self._batch("render"):
            results = render(chunk, self.stimulus, self.backends.imager)
        rendered = [result for result in results if not isinstance(result, Item)]
        with self._batch("check"):
            self.store.put([result for result in results if isinstance(result, Item)])  # refused by the imager
            if rendered:
                self._judge(rendered)

    def _judge(self, rendered: Sequence[Rendered]) -> None:
        """Checks, match and dedup of the drawn items; puts what they come to, and the vectors of those kept."""
        items = [self._with_picture(r) for r in rendered]
        items = self._checked([(i, r.picture) for i, r in zip(items, rendered, strict=True)], "image")
        # the bare picture: a prompt does not speak of the overlay, and another overlay makes no new picture
        images = self.backends.embedder.images([r.bare for r in rendered])
        items = self._matched(items, images)
        decided, kept = self._deduplicated(items, images)
        self.store.put(decided)  # before the vectors, which refer to them
        for channel, vectors in kept.items():
            self.store.put_vectors(channel, vectors)

    def _with_picture(self, rendered: Rendered) -> Item:
        """The item with its picture, and where that has an overlay the bare one, among the blobs."""
        item = replace(rendered.item, image=self.store.put_blob(to_png(rendered.picture)))
        if rendered.bare is not rendered.picture:
            item = item.noted(bare_image=self.store.put_blob(to_png(rendered.bare)))
        return item if item.state is State.REJECTED else replace(item, state=State.RENDERED)

    def _matched(self, items: Sequence[Item], images: np.ndarray) -> list[Item]:
        """Adds the match verdict: the picture's cosine with its own prompt against the embedder's threshold."""
        prompts = self.backends.embedder.texts([item.image_prompt or "" for item in items])
        threshold = self.backends.embedder.thresholds["match"]
        matched = []
        for item, score in zip(items, np.sum(images * prompts, axis=1).tolist(), strict=True):
            fits = score >= threshold
            reason = f"cosine of picture and prompt is {score:.3f}, wanted {threshold:.3f}"
            verdict = Verdict("match", Decision.PASS if fits else Decision.FAIL, reason, round(score, 4))
            item = item.with_verdicts((verdict,))
            if not fits and item.state is not State.REJECTED and self.backends.policy.gates(verdict.checker):
                item = item.reject("match", f"fail: {reason}")
            matched.append(item)
        return matched

    def _deduplicated(
        self, items: Sequence[Item], images: np.ndarray
    ) -> tuple[list[Item], dict[str, dict[str, np.ndarray]]]:
        """The items decided, and the vectors by channel of those that are kept."""
        rows = [row for row, item in enumerate(items) if item.state is State.RENDERED]
        if not rows:
            return list(items), {}
        alive = [items[row] for row in rows]
        texts = self.backends.embedder.texts([item.question or "" for item in alive])
        found = self.kept.greedy([item.id for item in alive], texts, images[rows])
        decided = list(items)
        for row, item, near in zip(rows, alive, found, strict=True):
            decided[row] = item.reject("dedup", near.sentence()) if near else replace(item, state=State.SPARE)
        kept = [place for place, near in enumerate(found) if near is None]
        return decided, {
            "text": {alive[place].id: texts[place] for place in kept},
            "image": {alive[place].id: images[rows[place]] for place in kept},
        }

    # -- shared --------------------------------------------------------------------------------------

    def _checked(self, pairs: Sequence[tuple[Item, object]], needs: str) -> list[Item]:
        """The items after the checkers of this kind; those already rejected pass through untouched."""
        checkers = [c for c in self.backends.checkers if c.needs == needs]
        cases = [Case(item, self.stimulus, image) for item, image in pairs if item.state is not State.REJECTED]  # type: ignore[arg-type]
        checked = {item.id: item for item in check(cases, checkers, self.backends.policy)} if cases else {}
        return [checked.get(item.id, item) for item, _ in pairs]

    @contextmanager
    def _batch(self, stage: str) -> Iterator[None]:
        """One transaction. Its seconds and dollars are booked on the stage even if it fails: they are gone."""
        self.report(Progress(stage, self.store.counts()))
        started, usd = time.monotonic(), self._usd()
        try:
            with self.store.transaction():
                yield
        finally:
            self.store.spend(stage, time.monotonic() - started, self._usd() - usd)

    def _load_kept(self, references: Sequence[Reference]) -> Deduplicator:
        """Everything that new items may not be near to: the seeds, the references, and what the run has kept."""
        embedder = self.backends.embedder
        kept = Deduplicator(embedder.dim, embedder.thresholds)
        seeds = self.stimulus.seeds
        if seeds:
            kept.keep_texts([f"seed {s.id}" for s in seeds], embedder.texts([s.question for s in seeds]))
        for reference in references:
            reference.keep_in(kept, embedder)
        texts, images = self.store.vectors("text"), self.store.vectors("image")
        if texts:
            kept.keep(list(texts), np.stack(list(texts.values())), np.stack([images[i] for i in texts]))
        return kept


def _waves(plan: Iterator[Item]) -> Iterator[list[Item]]:
    """The plan in its waves, the last one maybe shorter."""
    size = FIRST
    while wave := list(itertools.islice(plan, size)):
        yield wave
        size = min(2 * size, WAVE)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """The items in groups of CHUNK."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
