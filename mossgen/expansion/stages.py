"""The stages that every candidate passes from a plan to a decision, in `expand` and in `evolve`.

The written half (draft, rules, text dedup, text checks) goes in waves; the drawn half (render, overlay, image checks,
match, dedup) goes in chunks of CHUNK. Each batch is one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from mossgen.checks.policy import Policy
from mossgen.checks.verdicts import check, spent
from mossgen.core.items import Decision, Item, State, Verdict
from mossgen.duplicates.index import Deduplicator, Relatives
from mossgen.duplicates.nearness import Near
from mossgen.duplicates.vectors import Vectors, embed_set, texts_only
from mossgen.expansion.draft import Draft, draft, offer
from mossgen.expansion.render import Rendered, render
from mossgen.expansion.watch import Watch
from mossgen.files.pictures import to_png
from mossgen.plugins.protocols import LLM, Case, Checker, Embedder, Imager
from mossgen.runs.store import RunStore
from mossgen.sets.dataset import Dataset
from mossgen.stimulus.types import StimulusType

CHUNK = 8  # pictures drawn as one batch


@dataclass(frozen=True)
class Backends:
    """The models and checkers of a run. Without an `llm` every question must be offered (see Stages.write)."""

    llm: LLM | None
    imager: Imager
    embedder: Embedder
    checkers: tuple[Checker, ...]
    samples: int
    guided: int
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class Inherited:
    """What candidates inherit if they vary items of another run; by default nothing.

    `picture` returns the picture of a candidate that is not drawn anew, or None. `relatives` are the items, by channel,
    that a candidate may be near to. `known` are the vectors of the other run's items; only relatives may be near to
    them. `passed` is the state of a candidate that passed everything.
    """

    picture: Callable[[Item], Rendered | Item | None] = lambda item: None
    relatives: Callable[[Item], Relatives] = lambda item: {}
    known: Vectors | None = None
    passed: State = State.SPARE


class Stages:
    """The stages over a store; dedup keeps seeds, references, known items and the run's own items in memory."""

    def __init__(
        self,
        store: RunStore,
        stimulus: StimulusType,
        backends: Backends,
        references: Sequence[Dataset] = (),
        inherited: Inherited = Inherited(),
        watch: Watch | None = None,
    ) -> None:
        self.store = store
        self.stimulus = stimulus
        self.backends = backends
        self.inherited = inherited
        self.watch = watch or Watch()
        self.started = time.monotonic()
        self.kept = self._load_kept(references)
        store.spend("references", time.monotonic() - self.started)

    def usd(self) -> float:
        """The US dollars spent by this invocation, as far as the backends know."""
        writer = self.backends.llm.cost if self.backends.llm else 0.0
        return writer + self.backends.imager.cost + spent(self.backends.checkers)

    def forget(self, items: Sequence[str]) -> None:
        """Removes these items from dedup: they passed, but a later step rejected them."""
        self.store.drop_vectors(items)
        self.kept.forget(items)

    # -- the written half ----------------------------------------------------------------------------

    def write(self, wave: Sequence[Item], offered: Mapping[str, Sequence[str]] | None = None) -> list[Item]:
        """Drafts a new wave and decides on its questions, as one batch.

        The language model gets no item whose questions are `offered`, by its id.
        """
        with self.batch("draft"):
            items = self._choose(self._drafts(wave, offered or {}))
            items = self._check([(item, None) for item in items], "text")
            self.store.put(items)
        return items

    def _drafts(self, wave: Sequence[Item], offered: Mapping[str, Sequence[str]]) -> list[Draft]:
        drafts = {item.id: offer(item, self.stimulus, offered[item.id]) for item in wave if item.id in offered}
        unwritten = [item for item in wave if item.id not in offered]
        if unwritten:
            llm = self.backends.llm
            assert llm is not None
            written = draft(unwritten, self.stimulus, llm, self.backends.samples, self.backends.guided)
            drafts |= {item.id: made for item, made in zip(unwritten, written, strict=True)}
        return [drafts[item.id] for item in wave]

    def _choose(self, drafts: Sequence[Draft]) -> list[Item]:
        """Gives each item its likeliest question that is not near to a kept one (text channel).

        Within the wave, questions not yet used are preferred. If two items get the same question, the drawn half
        decides, since the first of the two may still be rejected.
        """
        relatives = {d.item.id: self.inherited.relatives(d.item).get("text", frozenset()) for d in drafts}
        asked = list(dict.fromkeys((c.text, relatives[d.item.id]) for d in drafts for c in d.questions))
        found: Sequence[Near | None] = []
        if asked:
            texts = list(dict.fromkeys(text for text, _ in asked))
            rows = dict(zip(texts, self.backends.embedder.texts(texts), strict=True))
            found = self.kept.near_texts(np.stack([rows[text] for text, _ in asked]), [its for _, its in asked])
        near = dict(zip(asked, found, strict=True))
        given: set[str] = set()
        return [
            self._question(d, {c.text: near[c.text, relatives[d.item.id]] for c in d.questions}, given) for d in drafts
        ]

    def _question(self, drafted: Draft, near: Mapping[str, Near | None], given: set[str]) -> Item:
        """The item with its chosen question, or rejected if all of its questions are near to kept ones."""
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
        return item.with_provenance(question_made=chosen.how, question_logprob=chosen.logprob)

    # -- the drawn half ------------------------------------------------------------------------------

    def picture(self, chunk: Sequence[Item]) -> None:
        """Draws a chunk and decides on its pictures. Only the decision is stored, so a killed chunk is drawn again."""
        with self.batch("render"):
            results = self._pictures(chunk)
        rendered = [result for result in results if not isinstance(result, Item)]
        with self.batch("check"):
            self.store.put([result for result in results if isinstance(result, Item)])  # refused by the imager
            if rendered:
                self._decide(rendered)

    def _pictures(self, chunk: Sequence[Item]) -> list[Rendered | Item]:
        """Each item with its picture, in order: inherited or newly drawn."""
        results = {item.id: self.inherited.picture(item) for item in chunk}
        drawn = [item for item in chunk if results[item.id] is None]
        if drawn:
            made = render(drawn, self.stimulus, self.backends.imager)
            results |= {item.id: result for item, result in zip(drawn, made, strict=True)}
        return [result for item in chunk if (result := results[item.id]) is not None]

    def _decide(self, rendered: Sequence[Rendered]) -> None:
        """Runs checks, match and dedup on the drawn items; stores the results and the vectors of the kept items."""
        items = [self._with_picture(r) for r in rendered]
        items = self._check([(i, r.picture) for i, r in zip(items, rendered, strict=True)], "image")
        # the bare picture: a prompt does not describe the overlay, and another overlay makes no new picture
        images = self.backends.embedder.images([r.bare for r in rendered])
        items = [self._by_policy(item) for item in self._match(items, images)]
        decided, kept = self._deduplicate(items, images)
        self.store.put(decided)  # before the vectors, since they refer to the items
        for channel, vectors in kept.items():
            self.store.put_vectors(channel, vectors)

    def _with_picture(self, rendered: Rendered) -> Item:
        """Stores the item's picture, and the bare one if there is an overlay, as blobs; returns the item."""
        item = replace(rendered.item, image=self.store.put_blob(to_png(rendered.picture)))
        if rendered.bare is not rendered.picture:
            item = item.with_provenance(bare_image=self.store.put_blob(to_png(rendered.bare)))
        return item if item.state is State.REJECTED else replace(item, state=State.RENDERED)

    def _match(self, items: Sequence[Item], images: np.ndarray) -> list[Item]:
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

    def _by_policy(self, item: Item) -> Item:
        """Rejects the item unless the policy accepts its verdicts, for example because no gate gave a verdict."""
        ruling = self.backends.policy.rule(item.verdicts)
        rejected = item.state is State.REJECTED or ruling.accepted
        return item if rejected else item.reject(ruling.by or "policy", f"unsure: {ruling.reason}")

    def _deduplicate(
        self, items: Sequence[Item], images: np.ndarray
    ) -> tuple[list[Item], dict[str, dict[str, np.ndarray]]]:
        """The decided items, and the vectors by channel of those that are kept."""
        rows = [row for row, item in enumerate(items) if item.state is State.RENDERED]
        if not rows:
            return list(items), {}
        alive = [items[row] for row in rows]
        texts = self.backends.embedder.texts([item.question or "" for item in alive])
        relatives = [self.inherited.relatives(item) for item in alive]
        found = self.kept.greedy(Vectors([item.id for item in alive], texts, images[rows]), relatives)
        decided = list(items)
        for row, item, near in zip(rows, alive, found, strict=True):
            decided[row] = item.reject("dedup", near.sentence()) if near else replace(item, state=self.inherited.passed)
        kept = [place for place, near in enumerate(found) if near is None]
        return decided, {
            "text": {alive[place].id: texts[place] for place in kept},
            "image": {alive[place].id: images[rows[place]] for place in kept},
        }

    # -- shared --------------------------------------------------------------------------------------

    def _check(self, pairs: Sequence[tuple[Item, object]], needs: str) -> list[Item]:
        """Runs the checkers of this kind on the items; rejected items pass through unchanged."""
        checkers = [c for c in self.backends.checkers if c.options.needs == needs]
        cases = [Case(item, self.stimulus, image) for item, image in pairs if item.state is not State.REJECTED]  # type: ignore[arg-type]
        checked = {item.id: item for item in check(cases, checkers, self.backends.policy)} if cases else {}
        return [checked.get(item.id, item) for item, _ in pairs]

    @contextmanager
    def batch(self, stage: str) -> Iterator[None]:
        """One transaction. Its seconds and dollars are recorded for the stage even if it fails: they are spent."""
        self.watch.entered(stage, self.store.counts())
        started, usd = time.monotonic(), self.usd()
        try:
            with self.store.transaction():
                yield
        finally:
            self.store.spend(stage, time.monotonic() - started, self.usd() - usd)

    def _load_kept(self, references: Sequence[Dataset]) -> Deduplicator:
        """Loads everything that new items may not be near to: the seeds, the references, and what the run has kept."""
        embedder = self.backends.embedder
        kept = Deduplicator(embedder.dim, embedder.thresholds)
        seeds = self.stimulus.seeds
        if seeds:
            kept.keep(texts_only([f"seed {s.id}" for s in seeds], embedder.texts([s.question for s in seeds])))
        for reference in references:
            odd: dict[str, str] = {}
            kept.keep(embed_set(reference, embedder, odd=odd))
            for key, why in odd.items():
                self.watch.progress.say(f"{reference.name}/{key} cannot be wholly compared with: {why}")
        known = self.inherited.known
        if known is not None:
            kept.keep(known)
        texts, images = self.store.vectors("text"), self.store.vectors("image")
        if texts:
            kept.keep(Vectors(list(texts), np.stack(list(texts.values())), np.stack([images[i] for i in texts])))
        return kept
