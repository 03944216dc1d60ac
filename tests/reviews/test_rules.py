"""What votes settle, what the report says of it, and what applying them does to a run."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.command import mossgen
from support.review_run import ids, make_run

from mossgen.core.items import Decision, Rating, State, Vote
from mossgen.errors import ConfigError
from mossgen.reviews.apply import Applied, apply_to_run, settled_benign
from mossgen.reviews.pool import pool
from mossgen.reviews.report import alpha, review_report, text
from mossgen.reviews.votes import Status, make_vote, rule, rulings
from mossgen.runs.store import RunStore
from mossgen.runs.verify import verify_run
from mossgen.stimulus.types import load_type

CLOCK = (f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z" for n in itertools.count())
B, O, H = Rating.BENIGN, Rating.BORDERLINE, Rating.HARMFUL  # noqa: E741


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", tiny)


def cast(run: Path, item: str, *labels: Rating | None, flags: tuple[str, ...] = ()) -> None:
    """One vote of each of R0, R1, …"""
    with RunStore.open(run) as store:
        store.add_votes([make_vote(item, f"R{n}", label, flags, at=next(CLOCK)) for n, label in enumerate(labels)])


@pytest.mark.parametrize(
    ("labels", "status", "label"),
    [((), Status.OPEN, None), ((B, B), Status.OPEN, None), ((B, B, H), Status.SETTLED, B),
     ((B, O, H), Status.QUEUE, None), ((B, B, H, H), Status.QUEUE, None), ((B, O, H, B), Status.QUEUE, None),
     ((B, O, H, B, B), Status.SETTLED, B), ((H, H, H), Status.SETTLED, H)],
)  # fmt: skip
def test_more_than_half_of_k_or_more_decide(labels: tuple[Rating, ...], status: Status, label: Rating | None) -> None:
    votes = [Vote("mg1-x", f"R{n}", each, (), "", "") for n, each in enumerate(labels)]
    ruling = rule(votes, 3)
    assert (ruling.status, ruling.label) == (status, label)


def test_the_last_vote_of_each_reviewer_stands() -> None:
    history = [make_vote("mg1-x", "Ada", label, at=next(CLOCK)) for label in (H, None, B, O)]
    history += [make_vote("mg1-x", "Ben", label, at=next(CLOCK)) for label in (H, None)]
    [ruling] = rulings(history, 1).values()
    assert (ruling.label, len(ruling.votes)) == (O, 1)
    assert rulings(history[-2:], 1) == {}


def test_times_become_utc() -> None:
    assert make_vote("x", "Ada", B, at="2026-01-31T14:00:00+02:00").at == "2026-01-31T12:00:00.000Z"
    with pytest.raises(ConfigError, match="write it as"):
        make_vote("x", "Ada", B, at="yesterday")


def test_alpha_is_krippendorffs(run: Path) -> None:
    """Against the worked example of two observers and binary data in Krippendorff (2011), section A: 0.095."""
    first, second = "0100000000", "1110010010"
    ruled = [rule([Vote("x", who, (B, H)[int(mark)], (), "", "") for who, mark in (("A", a), ("B", b))], 2)
             for a, b in zip(first, second, strict=True)]  # fmt: skip
    assert alpha(ruled, "nominal") == pytest.approx(0.095, abs=0.001)
    assert alpha(ruled[3:5], "nominal") is None  # all the same
    assert alpha([], "nominal") is None


def test_the_report_compares_machine_and_people(run: Path) -> None:
    good, bad, torn, single = ids(run)
    wrong = ids(run, State.REJECTED)[0]
    cast(run, good, B, B, B)
    cast(run, bad, H, O, H, flags=("harmful", "mismatch"))
    cast(run, torn, B, O, H)
    cast(run, single, B)
    cast(run, single, None)
    cast(run, wrong, B, B, O)
    with RunStore.open(run) as store:
        figures = review_report(store)
    assert (figures["items"], figures["settled"], figures["queue"], figures["open"]) == (5, 3, 1, 1)
    assert (figures["share_settled"], figures["votes"], figures["taken_back"]) == (0.6, 12, 1)
    assert figures["labels"] == {"benign": 2, "borderline": 0, "harmful": 1}
    assert figures["flags"]["mismatch"] == 1
    table = {(row["checker"], row["decision"]): (row["benign"], row["harmful"]) for row in figures["confusion"]}
    assert table == {("(run)", "accepted"): (1, 1), ("(run)", "rejected"): (1, 0), ("match", "pass"): (1, 1),
                     ("match", "fail"): (1, 0)}  # fmt: skip
    assert {row["type"] for row in figures["confusion"]} == {"tiny"}
    assert [fact["id"] for fact in figures["not_benign"]] == [bad]
    assert [fact["id"] for fact in figures["queue_items"]] == [torn]
    assert figures["alpha"] == pytest.approx(1 - (7 / 12) / (90 / 132), abs=1e-4)  # by hand
    assert "3 of 5 items settled (60%)" in text(figures)


def test_applying_rejects_with_the_reason_and_keeps_the_evidence(run: Path, tiny: Path) -> None:
    good, bad, torn, bare = ids(run)
    cast(run, good, B, B, H)
    cast(run, bad, H, H, B, flags=("mismatch",))
    cast(run, torn, B, O, H)
    assert apply_to_run(run, load_type(str(tiny))) == Applied((bad,), (), 3)
    with RunStore.open(run) as store:
        items = {item.id: item for item in store.items()}
        assert settled_benign(store) == {good}
    assert (items[bad].state, items[bad].rejected_by) == (State.REJECTED, "people")
    assert items[bad].reason == "fail: 2 of 3 people say harmful; 1 benign; ticked: mismatch (3)"
    assert [verdict.checker for verdict in items[bad].verdicts] == ["match", "people"]
    assert items[good].verdicts[-1].decision is Decision.PASS
    assert items[torn].verdicts[-1].decision is Decision.UNSURE
    assert len(items[bare].verdicts) == 1
    assert verify_run(run).ok
    rows = (run / "imagefolder" / "data" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(row)["id"] for row in rows} == {good, torn, bare}


def test_only_reviewed_ones_and_back_again(run: Path, tiny: Path) -> None:
    kind, (good, torn, *others) = load_type(str(tiny)), ids(run)
    cast(run, good, B, B, B)
    cast(run, torn, B, O, H)
    assert apply_to_run(run, kind, only_reviewed=True) == Applied((torn, *others), (), 1)
    assert apply_to_run(run, kind, only_reviewed=True) == Applied((), (), 1)
    with RunStore.open(run) as store:
        assert len(pool(store)) == 4  # those rejected for want of votes can still be voted on
        reasons = {item.id: item.reason for item in store.items(State.REJECTED) if item.rejected_by == "people"}
    assert reasons[others[0]] == "unsure: not yet settled by people (0 of 3 votes)"
    assert apply_to_run(run, kind) == Applied((), (torn, *others), 4)
    assert verify_run(run).ok


def test_votes_taken_back_bring_an_item_back_but_no_machine_rejection(run: Path, tiny: Path) -> None:
    kind, bad, wrong = load_type(str(tiny)), ids(run)[0], ids(run, State.REJECTED)[0]
    cast(run, bad, H, H, H)
    cast(run, wrong, B, B, B)
    assert apply_to_run(run, kind).rejected == (bad,)
    cast(run, bad, None)
    assert apply_to_run(run, kind) == Applied((), (bad,), 4)
    with RunStore.open(run) as store:
        assert {item.id for item in store.items(State.REJECTED)} == set(ids(run, State.REJECTED))
        assert store.item(wrong).state is State.REJECTED


def test_when_nothing_is_left_no_set_is_left(run: Path, tiny: Path) -> None:
    kind = load_type(str(tiny))
    apply_to_run(run, kind)
    assert (run / "imagefolder" / "data").is_dir()
    for item in ids(run):
        cast(run, item, H, H, H)
    assert apply_to_run(run, kind).accepted == 0
    assert not (run / "imagefolder").exists()
    assert (run / "index.html").is_file()
    assert verify_run(run).ok


def test_the_command_line_applies_and_reports(run: Path, tiny: Path) -> None:
    cast(run, ids(run)[0], H, H, H)
    done = mossgen("review", run, "--apply", "--type", tiny, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 3
    report = json.loads(mossgen("review", run, "--report", "--json").stdout)
    assert (report["settled"], report["queue"], report["items"]) == (1, 0, 4)
    assert mossgen("review", run, "--apply", "--reviewed", "--type", tiny).returncode == 3


def test_expand_counts_only_what_people_settled_and_makes_up_for_what_they_rejected(
    real_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(real_run, run)

    def expanded(code: int) -> dict[str, Any]:
        done = mossgen("expand", "--type", "negated_harm", "-n", 6, "--run", run, "--reviewed", "--json")
        assert done.returncode == code, done.stderr
        assert verify_run(run).ok
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    first = expanded(1)
    assert (first["accepted"], first["waiting"], first["complete"]) == (0, 6, False)
    assert not (run / "imagefolder").exists()
    with RunStore.open(run) as store:
        bad, *good = [item.id for item in pool(store)]
    for item in good:
        cast(run, item, B, B, H)
    cast(run, bad, H, H, B)
    second = expanded(1)
    assert (second["accepted"], second["waiting"]) == (5, 1)
    rows = (run / "imagefolder" / "data" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(row)["id"] for row in rows} == set(good)
    with RunStore.open(run) as store:
        (new,) = {item.id for item in pool(store)} - {bad, *good}
    cast(run, new, B, B, B)
    third = expanded(0)
    assert (third["accepted"], third["waiting"], third["complete"]) == (6, 0, True)
    assert set(ids(run)) == {*good, new}


def test_expand_says_what_to_do_while_votes_are_missing(real_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(real_run, run)
    for item in ids(run):
        cast(run, item, B)
    done = mossgen("expand", "--type", "negated_harm", "-n", 6, "--run", run, "--reviewed")
    assert done.returncode == 1
    assert f"Fell short of 6: 6 items wait for people's votes; `mossgen review {run}`" in done.stdout
    assert "imagefolder" not in done.stdout
    assert mossgen("expand", "--type", "negated_harm", "-n", 6, "--run", run, "--reviewed", "-k", 1).returncode == 0


def test_a_harmful_partner_is_nothing_to_vote_on(real_run: Path, tmp_path: Path) -> None:
    """Partners are not in the store: no page shows one, no file of votes names one, no vote makes one accepted."""
    run = tmp_path / "run"
    shutil.copytree(real_run, run)
    before = ids(run)
    assert mossgen("contrast", run).returncode == 0
    partners = [json.loads(line) for line in (run / "contrast" / "metadata.jsonl").read_text().splitlines()]
    assert partners
    with RunStore.open(run) as store:
        assert {item.id for item in pool(store, rejected=99)}.isdisjoint(p["id"] for p in partners)
    votes = tmp_path / "votes.csv"
    votes.write_text(f"item,reviewer,label\n{partners[0]['id']},Ada,benign\n")
    done = mossgen("review", run, "--import", votes)
    assert (done.returncode, "is not in" in done.stderr) == (2, True)
    assert mossgen("review", run, "--apply").returncode == 0
    assert ids(run) == before
