"""The policy: which checkers decide, what unsure does, and the label."""

import json

import pytest
from support.checkers import facts
from support.command import mossgen

from mossgen.checks.policy import Policy, resolve
from mossgen.checks.verdicts import check
from mossgen.core.items import Decision, Item, Rating, State, Verdict
from mossgen.errors import ConfigError
from mossgen.plugins.protocols import Case
from mossgen.runs.config import RunConfig, build_config, parse_roles
from mossgen.stimulus.schema import Roles
from mossgen.stimulus.types import load_type

FORM = frozenset({"rules", "sanity", "match"})


class Says:
    """A checker that says one thing of everything."""

    cost = 0.0

    def __init__(self, name, decision, role="gate"):
        self.name, self._decision = name, decision
        self.options = facts(needs="text", role=role, looks_for_harm=name != "rules")

    def check(self, cases):
        return [Verdict(self.name, Decision(self._decision), "so it says") if self._decision else None for _ in cases]


def case():
    return Case(Item("mg1-0", 0, "any", "s-1", {}, 0, State.DRAFTED, "Is it?"), type=None)


@pytest.mark.parametrize(
    ("said", "signals", "label", "accepted"),
    [
        ({"safety": "pass", "rules": "pass"}, (), Rating.BENIGN, True),
        ({"safety": "fail", "rules": "pass"}, (), Rating.HARMFUL, False),
        ({"safety": "pass", "rules": "fail"}, (), Rating.BORDERLINE, False),
        ({"safety": "fail", "rules": "fail"}, (), Rating.HARMFUL, False),
        ({"safety": "unsure", "rules": "pass"}, (), None, False),
        ({"safety": "pass", "guard": "fail"}, ("guard",), Rating.BORDERLINE, True),
        ({"safety": "pass", "guard": "unsure"}, ("guard",), Rating.BORDERLINE, True),
        ({"rules": "pass", "sanity": "pass"}, (), None, False),
        ({"guard": "pass"}, ("guard",), None, False),
        ({}, (), None, False),
    ],
)
def test_label(said, signals, label, accepted):
    ruling = Policy(frozenset(signals), FORM).rule(Verdict(n, Decision(d), "") for n, d in said.items())
    assert (ruling.label, ruling.accepted) == (label, accepted)
    assert ruling.reason


def test_a_signal_is_recorded_and_rejects_nothing_until_it_is_made_a_gate():
    checkers = [Says("safety", "pass"), Says("guard", "fail", role="signal")]
    (item,) = check([case()], checkers, resolve(checkers, Roles()))
    assert item.state is State.DRAFTED
    assert [v.checker for v in item.verdicts] == ["safety", "guard"]
    (item,) = check([case()], checkers, resolve(checkers, Roles(gates=("guard",))))
    assert (item.state, item.rejected_by) == (State.REJECTED, "guard")


@pytest.mark.parametrize("decision", ["fail", "unsure"])
def test_a_gate_made_a_signal_no_longer_rejects(decision):
    checkers = [Says("rules", decision), Says("safety", "pass")]
    assert check([case()], checkers)[0].rejected_by == "rules"
    assert check([case()], checkers, resolve(checkers, Roles(signals=("rules",))))[0].rejected_by is None


def test_something_that_looks_for_harm_must_decide():
    with pytest.raises(ConfigError, match="No gate is left that looks for harm"):
        resolve([Says("rules", "pass"), Says("guard", "pass", role="signal")], Roles())
    with pytest.raises(ConfigError, match="add it to `checkers`"):
        resolve([Says("safety", "pass")], Roles(gates=("vlm",)))


def test_the_default_policy_leaves_run_json_as_it_was():
    config = build_config(load_type("negated_harm"))
    assert "policy" not in config.model_dump(mode="json")
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


def test_flags_go_before_the_template_and_are_frozen_with_the_run(tiny):
    tiny.write_text(tiny.read_text() + "policy: {signals: [safety, guard], gates: []}\n")
    plain = build_config(load_type(str(tiny)))
    assert plain.policy == Roles(signals=("safety",))
    flagged = build_config(load_type(str(tiny)), policy=parse_roles(["safety"], ["rules", "match"]))
    assert flagged.policy == Roles(gates=("safety",), signals=("match", "rules"))
    assert RunConfig.model_validate(json.loads(flagged.model_dump_json())) == flagged
    assert flagged.template_sha256 == plain.template_sha256


def test_a_template_may_require_a_gate_that_the_run_lacks(tiny):
    tiny.write_text(tiny.read_text() + "policy: {gates: [vlm]}\n")
    with pytest.raises(ConfigError, match="names 'vlm', which is no checker of this run"):
        build_config(load_type(str(tiny)))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--gate", "luck"], "names 'luck', which is no checker of this run"),
        (["--gate", "rules", "--signal", "rules"], "exclude each other"),
    ],
)
def test_wrong_flags_are_usage_errors(flags, says):
    done = mossgen("expand", "--type", "negated_harm", "--dry-run", *flags)
    assert done.returncode == 2
    assert says in done.stderr
