"""The figures of a policy: Wilson's interval and the table."""

import json

import pytest

from mossgen.training.policy_figures import main, rows, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # 0 and 10 of 10 are the textbook values
    [(43, 49, 0.7579, 0.9429), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilson(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-4)


def record(kind, accepted):
    by = None if accepted else "safety"
    return {"type": kind, "accepted": accepted, "decision": "benign" if accepted else "unsure", "by": by}


def test_what_is_not_accepted_is_rejected(tmp_path, capsys):
    benign = [record("a", True), record("a", False), record("b", True)]
    contrast = [record("a", False), record("b", True)]
    assert rows(benign, contrast) == [("a", 1, 2, 1, 1), ("b", 1, 1, 0, 1), ("all", 2, 3, 1, 2)]
    for name, found in (("benign", benign), ("contrast", contrast)):
        lines = [{"checked_with": {}}, *found]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    main([str(tmp_path / "benign"), str(tmp_path / "contrast")])
    said = capsys.readouterr().out
    assert "| all | 2/3 = 67%" in said
    assert "benign rejected by: safety 1" in said
