"""Rates, intervals and tests, against figures worked out by hand or taken from text books."""

import pytest

from mossgen.files.responses import ResponseRow
from mossgen.judgements.labels import Label
from mossgen.judgements.rates import (
    agreements,
    bootstrap,
    by_judge,
    cells,
    comparisons,
    correlations,
    holm,
    mcnemar,
    wilson,
)


def judged(*said, judge="j"):
    """(target, id, sample, label, more fields of the row) each."""
    rows, labels = [], []
    for target, item, sample, label, more in said:
        rows.append(ResponseRow(item, more.pop("response", "words"), target, sample, **more))
        labels.append(Label(item, target, sample, judge, label))
    return by_judge(rows, labels)


def row(label, item, target="t", sample=0, **more):
    return (target, str(item), sample, label, more)


def only(table, **wanted):
    (found,) = [cell for cell in table if all(getattr(cell, key) == value for key, value in wanted.items())]
    return found


def test_rates_by_group_with_partial_refusals_and_unscored_ones_apart():
    table = cells(
        judged(
            row("refusal", 1, type="a", facts={"human": True, "form": "slogan"}),
            row("partial", 2, type="a", facts={"human": False}),
            row("compliance", 3, type="b", category="toys"),
            row("compliance", 4, type="b"),
            row("unscored", 5, type="b"),
            row("unscored", 6, type="b", response=" "),
            row("refusal", 7, type="a", expected="refuse"),
        )
    )
    everything = only(table, by="all", expected="comply")
    assert (everything.refusal, everything.full, everything.partial) == (0.5, 0.25, 0.25)
    assert (everything.n, everything.items, everything.unscored, everything.empty) == (4, 4, 2, 1)
    assert (everything.low, everything.high) == tuple(round(x, 4) for x in wilson(2, 4))
    assert everything.interval == "wilson"
    assert only(table, by="type", value="a", expected="comply").refusal == 1
    assert only(table, by="human", value="yes").full == 1
    assert only(table, by="human", value="no").partial == 1
    assert only(table, by="form", value="slogan").n == 1
    assert only(table, by="category", value="toys").refusal == 0
    assert only(table, by="all", expected="refuse").n == 1


def test_where_nothing_is_scored_there_is_no_rate():
    (cell,) = cells(judged(row("unscored", 1)))
    assert (cell.refusal, cell.low, cell.n, cell.unscored) == (None, None, 0, 1)


def test_empty_responses_are_refusals_only_where_that_is_asked_for():
    rows = [ResponseRow("1", "", "t"), ResponseRow("2", "Yes.", "t"), ResponseRow("3", "Ja.", "t")]
    labels = [Label("1", "t", 0, "j", "unscored"), Label("2", "t", 0, "j", "compliance"),
              Label("3", "t", 0, "j", "unscored")]  # fmt: skip
    assert cells(by_judge(rows, labels))[0].refusal == 0
    counted = cells(by_judge(rows, labels, empty_refuses=True))[0]
    assert (counted.refusal, counted.n, counted.unscored) == (0.5, 2, 1)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (43, 49, 0.7579, 0.9429)]
)
def test_wilson(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-4)


def test_samples_of_one_item_do_not_narrow_the_interval():
    """Ten items of twenty samples that all agree say no more than ten responses."""
    said = [(str(item), item < 5) for item in range(10) for _ in range(20)]
    low, high = bootstrap(said, [str(item) for item in range(10)])
    assert (low, high) == pytest.approx(wilson(5, 10), abs=0.08)
    assert wilson(100, 200)[0] > low + 0.15
    table = cells(judged(*(row("refusal" if item < 5 else "compliance", item, sample=s) for item in range(10)
                           for s in range(20))))  # fmt: skip
    assert (table[0].interval, table[0].items, table[0].n) == ("bootstrap", 10, 200)
    assert (table[0].low, table[0].high) == pytest.approx((low, high), abs=1e-4)


def test_where_all_samples_agree_the_interval_is_that_of_as_many_items():
    table = cells(judged(*(row("compliance", item, sample=s) for item in range(10) for s in range(50))))
    assert table[0].high == pytest.approx(0.2775, abs=5e-4)


def test_mcnemar_is_exact_and_paired():
    a = {str(i): i < 10 for i in range(30)}
    b = {str(i): i == 9 or i == 25 for i in range(29)}
    found = mcnemar(a, b)
    assert (found["items"], found["only_a"], found["only_b"]) == (29, 9, 1)
    assert found["p"] == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(a, a)["p"] == 1
    assert mcnemar({}, a) == {"items": 0, "only_a": 0, "only_b": 0, "p": 1.0}


def test_holm_adjusts_for_the_number_of_tests():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_targets_are_compared_on_the_benign_items_that_both_answered():
    said = []
    for i in range(12):
        said += [row("refusal" if i < 8 else "compliance", i, "a", type="x"), row("compliance", i, "b", type="x")]
    said += [row("unscored", 20, "a"), row("refusal", 20, "b"), row("refusal", 21, "b", expected="refuse")]
    found = comparisons(judged(*said))
    assert [(t["type"], t["a"], t["b"], t["items"], t["only_a"], t["only_b"]) for t in found] == [
        ("all", "a", "b", 12, 8, 0), ("x", "a", "b", 12, 8, 0),
    ]  # fmt: skip
    assert found[0]["p_holm"] == pytest.approx(2 / 2**8)


def test_rank_correlation_of_safety_and_oversensitivity():
    said = []
    for number, target in enumerate("abc"):
        for i in range(4):
            said.append(row("refusal" if i <= number else "compliance", i, target, type="x"))
            said.append(row("refusal" if i <= number else "compliance", f"h{i}", target, type="x", expected="refuse"))
    assert {(c["type"], c["targets"], c["rho"]) for c in correlations(cells(judged(*said)))} == {
        ("all", 3, 1),
        ("x", 3, 1),
    }
    assert correlations(cells(judged(*(s for s in said if s[0] != "c")))) == []


def test_judges_are_compared_and_people_are_the_measure():
    labels = ["compliance", "compliance", "compliance", "partial", "refusal", "refusal"]
    other = ["compliance", "compliance", "refusal", "refusal", "refusal", "unscored"]
    rows = [ResponseRow(str(i), "words", "t") for i in range(6)]
    both = [Label(str(i), "t", 0, "machine", label) for i, label in enumerate(other)]
    both += [Label(str(i), "t", 0, "people", label) for i, label in enumerate(labels)]
    (found,) = agreements(by_judge(rows, both))
    assert (found["a"], found["b"], found["n"], found["unscored"]) == ("people", "machine", 5, 1)
    assert found["confusion"]["partial"]["refusal"] == 1
    assert found["confusion"]["refusal"]["unscored"] == 1
    assert found["accuracy"] == 0.6
    assert found["accuracy_binary"] == 0.8
    assert found["f1"] == {"compliance": 0.8, "partial": 0.0, "refusal": 0.5}
    assert found["macro_f1"] == pytest.approx(0.4333, abs=1e-4)
    assert found["alpha"] == pytest.approx(_alpha(labels[:5], other[:5]), abs=1e-3)


def _alpha(a, b):
    """Nominal alpha from its definition: 1 minus observed over expected disagreement of paired values."""
    values = [*a, *b]
    n = len(values)
    observed = sum(2 for x, y in zip(a, b, strict=True) if x != y) / n
    expected = sum(x != y for i, x in enumerate(values) for j, y in enumerate(values) if i != j) / (n * (n - 1))
    return 1 - observed / expected
