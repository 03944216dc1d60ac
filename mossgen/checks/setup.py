"""Prepares a check: loads the checkers, and makes the policy over their verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mossgen.checks.checking import Checking
from mossgen.checks.policy import resolve, stated, unseen
from mossgen.core.budget import Limits
from mossgen.core.progress import Progress
from mossgen.plugins import registry
from mossgen.runs.config import RunConfig, checking_parts, parse_roles, refuse_own_writer, resolve_roles
from mossgen.stimulus.schema import Roles
from mossgen.stimulus.types import load_type


@dataclass(frozen=True)
class Checkers:
    """The requested checkers with their roles and options; see `check`."""

    names: Sequence[str] = ()
    vlm: str | None = None
    gates: Sequence[str] = ()
    signals: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    max_cost: float | None = None


def prepare(asked: Checkers, type: str | None, run: RunConfig | None, progress: Progress) -> Checking:
    """Loads the checkers and makes the policy; default roles are those of the `run`, else of the `type`'s template.

    Raises ConfigError, MissingModel, BackendError.
    """
    parts = checking_parts(asked.names, asked.options, asked.vlm)
    template = load_type(type) if type else None
    policies = template.template.policy if template else Roles()
    if run is not None:
        refuse_own_writer(run.llm, parts)
        policies = run.policy
    roles = resolve_roles(parse_roles(asked.gates, asked.signals), policies, [part.plugin for part in parts])
    progress.say("loading checkers")
    loaded = [registry.load("checkers", part.plugin, part.options, progress) for part in parts]
    policy = resolve(loaded, roles)
    head = {
        "checkers": [part.model_dump(mode="json") for part in parts],
        "type": type,
        "policy": stated(loaded, policy),
        "notes": unseen([checker.options for checker in loaded]),
    }
    types = {template.name: template} if template else {}
    return Checking(loaded, policy, json.loads(json.dumps(head)), types, Limits(usd=asked.max_cost))
