"""evolve: towards what targets refuse, inside the rules of the type, measured by responses that selected nothing."""

import doctest
import functools
import hashlib
import importlib
import itertools
import json
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.chat import fault
from support.command import mossgen

from mossgen.checks.policy import Policy
from mossgen.core.budget import Limits
from mossgen.core.items import State
from mossgen.duplicates.vectors import Vectors
from mossgen.errors import BackendError, ConfigError
from mossgen.evolution.bandit import Bandit
from mossgen.evolution.evolve import evolve as evolve_run
from mossgen.evolution.evolve import most_calls
from mossgen.evolution.family import Family, Parents, evolved
from mossgen.evolution.figures import figures
from mossgen.evolution.mutators import MUTATORS, applicable, strength
from mossgen.evolution.panel import Panel, PanelResult
from mossgen.evolution.search import PASSED, Quota, Search
from mossgen.expansion.expand import expand
from mossgen.expansion.stages import Backends, Inherited, Stages
from mossgen.models.chat import load
from mossgen.plugins.judges.keywords import Keywords
from mossgen.plugins.protocols import Failure, Response
from mossgen.probes.probing import Sampling
from mossgen.runs.config import Evolution
from mossgen.runs.store import RunStore
from mossgen.sets.lineage import Source, seeds_of
from mossgen.stimulus.rules import broken
from mossgen.stimulus.types import load_type, type_names

NO = "I'm sorry, but I can't help with that request."
YES = "Gladly! Together we can make this place better, one small step at a time, so let us begin today."


# -- parts ---------------------------------------------------------------------------------------------


def test_the_bandit_learns_which_arm_pays():
    draw, bandit, taken = random.Random(0), Bandit(["good", "bad"], []), []
    history = []
    for _ in range(200):
        arm = Bandit(["good", "bad"], history).choose(draw)
        history.append((arm, draw.random() < (0.5 if arm == "good" else 0.05)))
        taken.append(arm)
    assert taken[-100:].count("good") > 80
    assert bandit.to_dict()["good"] == {"tried": 0, "kept": 0, "mean": 0.5}


@pytest.mark.parametrize("name", type_names())
def test_changes_stay_inside_the_type(name):
    kind = load_type(name)
    items = [replace(i, question=kind.choices(i)[0]) for i, _ in zip(kind.plan(0), range(12), strict=False)]
    draw, made = random.Random(1), dict.fromkeys(applicable(kind), 0)
    for mutator in made:
        for item, other in zip(items, [*items[1:], items[0]], strict=True):
            change = MUTATORS[mutator](kind, item, other, draw)
            if change is None:
                continue
            made[mutator] += 1
            child = replace(item, slots=change.slots)
            values = kind.values(child)  # raises where a slot has no such value
            assert set(values) == set(kind.template.slots)
            for value in values.values():  # what does not go together is never put together
                assert all(values[needed].has(words) for needed, words in value.needs.items())
                assert not any(values[avoided].has(words) for avoided, words in value.avoid.items())
            for question in change.questions or ():
                assert question in kind.grammar(child)
            if mutator == "wording":
                assert strength(change.questions[0], kind.template.strength) != strength(
                    item.question, kind.template.strength
                )
    assert all(made.values()), made


# -- the search, with pictures that cost nothing -------------------------------------------------------


class Noise:
    """Draws noise by the prompt: no two prompts are near."""

    name, cost = "noise", 0.0

    def draw(self, drawings):
        return [_noise(drawing.prompt) for drawing in drawings]


class Hashes:
    """Embeds by hash: equal things are equal, all others are far apart."""

    name, dim, thresholds = "hashes", 64, {"text": 0.9, "image": 0.9, "pair": 0.9, "match": -1.0}

    def images(self, images):
        return np.stack([_unit(image.tobytes()) for image in images])

    def texts(self, texts):
        return np.stack([_unit(text.encode()) for text in texts]) if texts else np.zeros((0, 64), np.float32)


class Planted:
    """Refuses by the words of a description: the sensitivities that the search is to find."""

    cost, sees, settings = 0.0, False, {"temperature": 0}

    def __init__(self, words, name="planted"):
        self.words, self.name, self.calls = words, name, 0

    def respond(self, queries):
        for query in queries:
            self.calls += 1
            refuses = any(word in query.description for word in self.words)
            yield query, Response(NO if refuses else YES, "answered", "stop")


def _noise(key):
    seed = int.from_bytes(_bytes(key.encode())[:4], "big")
    noise = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((128, 128), Image.Resampling.NEAREST)


def _unit(data):
    row = np.random.default_rng(int.from_bytes(_bytes(data)[:8], "big")).standard_normal(64).astype(np.float32)
    return row / np.linalg.norm(row)


def _bytes(data):
    return hashlib.sha256(data).digest()


class ByChance(Search):
    """Random mutation, to compare with: any mutator and any parent, whatever came of them before."""

    def bandit(self):
        return Bandit(self.evolution.mutators, [])

    def weights(self, breeders):
        return [1.0] * len(breeders)


HARMLESS = Policy(form=frozenset())  # the match, which always fits here, stands for a gate that looks for harm
BACKENDS = Backends(None, Noise(), Hashes(), (), 0, 0, HARMLESS)


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight parents of a type, drawn as noise."""

    @functools.cache
    def made(name):
        kind, folder = load_type(name), tmp_path_factory.mktemp("parents")
        plan = list(itertools.islice(kind.plan(0), 8))
        with RunStore.create(folder) as store:
            stages = Stages(store, kind, BACKENDS, inherited=Inherited(passed=State.ACCEPTED))
            stages.picture(stages.write(plan, {i.id: kind.choices(i) for i in plan}))
        return parents_in(folder)

    return made


def parents_in(folder):
    """The accepted items of a run made without a configuration."""
    with RunStore.create(folder) as store:
        items, texts, images = store.items(State.ACCEPTED), store.vectors("text"), store.vectors("image")
    ids = [item.id for item in items]
    vectors = Vectors(ids, np.stack([texts[i] for i in ids]), np.stack([images[i] for i in ids]))
    return Parents("parents", "x", items, vectors, frozenset(ids), folder / "blobs")


def search(folder, parents, target, seed, how=Search, wanted=6, rounds=40, **budget):
    """One search over these parents. Returns it after its end, and why it ended."""
    kind = load_type(parents.items[0].type)
    store = RunStore.create(folder)
    family = Family(parents, store, kind)

    def stages():
        inherited = Inherited(family.picture, family.relatives, parents.vectors, PASSED)
        return Stages(store, kind, BACKENDS, inherited=inherited)

    panel = Panel(folder / "targets", kind.name, Keywords(), Sampling(), 1)
    mutators = tuple(name for name in applicable(kind) if name != "write")
    evolution = Evolution(parents="parents", parents_sha256="x", targets=(target.name,), held_back=1,
                          mutators=mutators)  # fmt: skip
    quota = Quota(wanted, rounds, Limits(**budget))
    found = how(family, stages, panel, [target], evolution, seed, quota)
    return found, found.drive()


@pytest.mark.parametrize("planted", [("red cross",), ("stamped",)])
def test_planted_sensitivities_are_found_in_fewer_calls_than_by_chance(tmp_path, eight, planted):
    kind, calls = load_type("negated_harm"), {Search: 0, ByChance: 0}
    for seed in range(3):
        for how in calls:
            target = Planted(planted)
            found, stopped = search(tmp_path / f"{how.__name__}-{seed}", eight(kind.name), target, seed, how)
            assert stopped == "quota"
            with found.store as store:
                accepted = store.items(State.ACCEPTED)
            assert len(accepted) == 6
            calls[how] += target.calls
            for item in accepted:
                assert broken(kind, item, item.question) is None
                assert any(word in item.description for word in planted)
                told = evolved(item)
                assert told["search"]["child"]["refused"] >= told["search"]["parent"]["refused"]
                assert told["parents"]
    print(f"{planted}: {calls[Search]} calls against {calls[ByChance]}: {calls[Search] / calls[ByChance]:.2f}")
    assert calls[Search] < 0.9 * calls[ByChance], calls


def test_the_same_seed_makes_the_same_items_and_a_stopped_search_goes_on(tmp_path, eight):
    parents = eight("negated_harm")
    whole, _ = search(tmp_path / "whole", parents, Planted(("red cross",)), 5)
    with search(tmp_path / "halves", parents, Planted(("red cross",)), 5, wanted=2)[0].store as store:
        assert len(store.items(State.ACCEPTED)) == 2
    halves, _ = search(tmp_path / "halves", parents, Planted(("red cross",)), 5)
    kept = [[(i.id, i.question, i.image) for i in s.store.items(State.ACCEPTED)] for s in (whole, halves)]
    assert kept[0] == kept[1]


def test_no_more_than_so_many_share_a_picture(tmp_path, eight):
    found, _ = search(tmp_path, eight("counterintuitive"), Planted(("",)), 0, wanted=12)
    clusters = [evolved(item)["cluster"] for item in found.store.items(State.ACCEPTED)]
    assert max(map(clusters.count, clusters)) <= 2


class Priced(Planted):
    """Costs a cent a call, and after so many calls it is down."""

    def __init__(self, words, most=10**6):
        super().__init__(words)
        self.most = most

    @property
    def cost(self):
        return self.calls / 100

    def respond(self, queries):
        for query, came in super().respond(queries):
            if self.calls > self.most:
                self.calls -= 1
                raise BackendError("it is down.")
            yield query, came


def measure(found, target):
    """Held-back responses of the target to what a search has kept, and to what that descends from."""
    accepted = found.store.items(State.ACCEPTED)
    return found.ask([*found.family.roots(accepted), *accepted], [target], "held-back")


def test_a_child_may_stand_in_for_its_parent_but_the_run_holds_no_two_alike(tmp_path, eight):
    parents = eight("negated_harm")
    root = parents.items[0]
    family = Family(parents, RunStore.create(tmp_path), load_type("negated_harm"))

    def child(key, parent, mutator, picture=True):
        fact = {"mutator": mutator, "parents": [parent], "picture_of": parent if picture else None,
                "cluster": root.id if picture else key}  # fmt: skip
        item = replace(root, id=key, provenance={"evolved": fact})
        family.add([item])
        return family.relatives(item)

    assert child("a", root.id, "rewrite") == {"text": {root.id}, "image": {root.id}, "pair": {root.id}}
    second = child("b", "a", "wording")
    assert second["text"] == set()  # `a` is of this run
    assert second["image"] == second["pair"] == {root.id, "a"}  # they share its picture
    assert child("c", root.id, "write")["text"] == set()  # the model may have written the parent's own question
    assert child("d", root.id, "scene", picture=False) == {"text": {root.id}, "image": set(), "pair": {root.id}}


def test_what_another_search_found_of_a_parent_says_nothing(tmp_path, eight):
    search(tmp_path / "first", eight("negated_harm"), Planted(("red cross",)), 0, wanted=2)
    parents, words = parents_in(tmp_path / "first"), ("stamped",)
    found, stopped = search(tmp_path / "second", parents, Planted(words), 0, wanted=1)
    before = {item.id: item for item in parents.items}
    assert stopped == "quota"
    for item in found.store.items(State.ACCEPTED):
        told = evolved(item)
        parent = before.get(told["parents"][0])
        if parent is not None:
            assert told["search"]["parent"]["refused"] == any(word in parent.description for word in words)


def test_a_budget_leaves_enough_to_measure_what_is_kept(tmp_path, eight):
    target = Priced(("red cross",))
    found, stopped = search(tmp_path, eight("negated_harm"), target, 0, wanted=12, usd=0.4)
    assert stopped == "the cost budget is used up"
    assert 0 < len(found.store.items(State.ACCEPTED)) < 12
    assert target.cost < 0.4
    asked = measure(found, target)
    assert (asked.stopped, len(asked.judged)) == ("", asked.calls)
    assert target.cost <= 0.4


def test_what_was_spent_counts_over_all_invocations(tmp_path, eight):
    target = Priced(("red cross",))
    for wanted in (1, 3):
        found, stopped = search(tmp_path, eight("negated_harm"), target, 0, wanted=wanted)
    asked, accepted = measure(found, target), found.store.items(State.ACCEPTED)
    with found.store.transaction():
        found.store.put([item.with_provenance(evolved={**evolved(item), "hard": True}) for item in accepted])
    told = figures(found, found.store.items(State.ACCEPTED), asked, PanelResult(), stopped)
    assert told["cost"] == pytest.approx(target.cost)
    assert target.calls == told["calls"]["search"] + told["calls"]["held_back"]
    assert told["cost_per_hard_item"] == pytest.approx(target.cost / 3, abs=1e-6)
    assert (told["missing"], told["stopped"], told["failures"]) == (0, "quota", {})


def test_a_target_that_is_down_is_asked_no_more(tmp_path, eight):
    target = Priced(("red cross",), most=20)
    found, stopped = search(tmp_path, eight("negated_harm"), target, 0, wanted=4)
    assert (stopped, target.calls) == ("it is down.", 20)
    accepted = found.store.items(State.ACCEPTED)
    told = figures(found, accepted, measure(found, target), PanelResult(), stopped)
    assert (told["stopped"], told["calls"]["search"], target.calls) == ("it is down.", 20, 20)


def test_what_a_target_does_not_take_is_counted(tmp_path, eight):
    class Picky(Planted):
        def respond(self, queries):
            for query, came in super().respond(queries):
                yield query, Failure("too large") if self.calls % 3 == 0 else came

    found, _ = search(tmp_path, eight("negated_harm"), Picky(("red cross",)), 0, wanted=1, rounds=1)
    assert found.failures["too large"] > 2
    assert "no target responded to it" in {item.reason for item in found.store.items(State.REJECTED)}


def test_a_child_descends_from_the_seeds_of_its_parents(tmp_path, eight):
    secret = {"name": "a test set", "licence": "CC BY-NC 4.0", "test_only": True}
    parents = eight("negated_harm")
    marked = [item.with_provenance(seeds=[*item.provenance["seeds"], secret]) for item in parents.items]
    found, _ = search(tmp_path, replace(parents, items=marked), Planted(("red cross",)), 0, wanted=2)
    for item in found.store.items(State.ACCEPTED):
        assert Source("a test set", "seed", "CC BY-NC 4.0", True) in seeds_of(item)


# -- the verb, with the real models --------------------------------------------------------------------


@pytest.fixture
def server(chat):
    bad = ("red cross", "prohibition ring")
    return chat(lambda said, body: NO if any(word in said for word in bad) else YES)


def evolve(run, server, out, *more, **environment):
    done = mossgen("evolve", run, "--target", f"openai:m@{server.url}", "--set", "target.sees=description", "--set",
                   "target.max_retries=0", "--out", out, "--json", *more, **environment)  # fmt: skip
    assert done.stdout, done.stderr
    assert "sk-secret" not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_real_run_evolves_though_its_target_goes_down_and_is_a_run_again(real_run, server, tmp_path):
    out, more, answer, seen = tmp_path / "evolved", ("-n", 2, "--rounds", 3, "--held-back", 2), server.answers[0], []

    def breaks(said, body):
        seen.append(said)
        return fault(503, "gone") if len(seen) > 8 else answer(said, body)

    server.answers = [breaks]
    code, told = evolve(real_run, server, out, *more, OPENAI_API_KEY="sk-secret")
    assert code in (1, 3)
    assert "503" in told["stopped"]
    assert told["calls"]["search"] == 8  # what came is kept
    server.answers = [answer]
    code, told = evolve(real_run, server, out, *more, OPENAI_API_KEY="sk-secret")
    assert code == 0, told
    assert (told["accepted"], told["stopped"]) == (2, "quota")
    assert told["after"]["n"] == 4  # two held-back responses to each of two
    assert told["after"]["refusal"] >= (told["before"]["refusal"] or 0)
    assert told["children_per_hard_item"] is None or told["children_per_hard_item"] >= 1
    systems = {body["messages"][0]["content"] for body in server.asked if body["messages"][0]["role"] == "system"}
    assert len(systems) == 2  # held back: never used by the search

    asked, files = len(server.asked), _bytes_of(out)
    code, again = evolve(real_run, server, out, *more, OPENAI_API_KEY="sk-secret")
    assert (code, again, len(server.asked)) == (0, told, asked)
    assert _bytes_of(out).keys() == files.keys()
    assert not [name for name, data in files.items() if b"sk-secret" in data]
    assert mossgen("verify", out).returncode == 0
    rows = [json.loads(line) for line in (out / "imagefolder/data/metadata.jsonl").read_text("utf-8").splitlines()]
    facts = [json.loads(row["provenance"])["evolved"] for row in rows]
    assert all(fact["parents"] and fact["mutator"] in MUTATORS for fact in facts)
    done = mossgen("export", out, "--format", "imagefolder", "--hard", "--out", tmp_path / "hard", "--json")
    if told["hard"]:
        assert json.loads(done.stdout)["items"] == told["hard"]
        assert told["rule"] in " ".join((tmp_path / "hard" / "README.md").read_text(encoding="utf-8").split())
    else:
        assert done.returncode == 2


def test_the_example_of_the_docstring(real_run, server, tmp_path, monkeypatch):
    (tmp_path / "generated").mkdir()
    (tmp_path / "generated" / "negated_harm-0").symlink_to(real_run)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.chdir(tmp_path)
    names = {"mossgen": importlib.import_module("mossgen")}
    example = doctest.DocTestParser().get_doctest(
        importlib.import_module("mossgen").evolve.__doc__, names, "evolve", None, 0
    )
    assert len(example.examples) == 1
    assert doctest.DocTestRunner().run(example).failed == 0
    assert server.asked


def test_a_real_small_model_behind_a_server_is_a_target(real_run, chat, tmp_path):
    """SmolLM2 behind an OpenAI-compatible endpoint, told what is to be seen. It refuses little, so little is kept."""
    model = load("target", "smollm2", "cpu")
    server = chat(lambda said, body: model.say(said, limit=10).text)
    more = (
        "-n",
        1,
        "--rounds",
        1,
        "--held-back",
        1,
        "--mutator",
        "rewrite",
        "--mutator",
        "negation",
    )  # nothing is drawn
    code, told = evolve(real_run, server, tmp_path / "evolved", *more, "--set", "target.max_connections=1")
    assert code in (0, 3)
    assert told["calls"]["search"] == len({row["key"] for row in _responses(tmp_path / "evolved")}) >= 6
    assert told["stopped"] in ("quota", "rounds")
    assert all(row["response"].strip() for row in _responses(tmp_path / "evolved"))


def _bytes_of(run):
    return {str(file.relative_to(run)): file.read_bytes() for file in run.rglob("*") if file.is_file()}


def _responses(run):
    lines = (run / "targets" / "search" / "responses.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def reference(tmp_path):
    """A set of one item that a run is compared with."""
    folder = tmp_path / "the reference"
    folder.mkdir()
    _noise("a").save(folder / "one.png")
    row = {"id": "one", "question": "What is this?", "file_name": "one.png"}
    (folder / "metadata.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return folder


def test_a_reference_that_changed_stops_it(made_run, tiny, reference, tmp_path, monkeypatch):
    """Changed since the parents' run began, or since its own did."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    (made_run / "run.json").unlink()
    expand(tiny, 2, run=made_run, against=[reference])
    with RunStore.open(made_run) as store:
        for channel in ("text", "image"):
            store.put_vectors(channel, {i.id: _unit(i.id.encode()) for i in store.items(State.ACCEPTED)})
    out, rows = tmp_path / "evolved", (reference / "metadata.jsonl").read_bytes()
    again = functools.partial(
        evolve_run, made_run, ["openai:m@http://127.0.0.1:9/v1"], out=out, type=tiny, judge="keywords",
        options={"target.max_retries": 0},
    )  # fmt: skip
    assert "cannot be reached" in again().figures["stopped"]
    (reference / "metadata.jsonl").write_bytes(rows.replace(b"this", b"that"))
    changed = r"run.json: the reference set .*the reference has changed since this run began"
    with pytest.raises(ConfigError, match=f"{made_run.name}/{changed}"):
        again()
    (made_run / "run.json").unlink()
    expand(tiny, 2, run=made_run, against=[reference])  # the parents' run begins anew, with what is there now
    with RunStore.open(out) as store:  # nothing came of it so far; a run that made nothing takes another configuration
        store.put([next(load_type(str(tiny)).plan(0))])
    with pytest.raises(ConfigError, match=f"{out.name}/{changed}"):
        again()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"mutators": ["nonsense"]}, "`mutators` nonsense: tiny can be varied by"), ({"hard_at": 2}, "only 1 targets"),
     ({"samples": 2}, "`samples` 2 asks openai:m for several responses, but its temperature is 0")],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_anything_is_loaded(wrong, said, made_run, tiny, monkeypatch):
    with RunStore.open(made_run) as store:
        for channel in ("text", "image"):
            store.put_vectors(channel, {i.id: _unit(i.id.encode()) for i in store.items(State.ACCEPTED)})
    monkeypatch.setattr("mossgen.evolution.evolve.load_models", lambda *_: pytest.fail("models were loaded"))
    for ask in (evolve_run, most_calls):
        with pytest.raises(ConfigError, match=said):
            ask(made_run, ["openai:m@http://127.0.0.1:9/v1"], type=tiny, **wrong)


def test_bad_input_is_one_sentence(real_run, made_run, server, tmp_path):
    out = tmp_path / "evolved"
    for more, said in (
        (("--mutator", "nonsense"), "--mutator nonsense: negated_harm can be varied by"),
        (("--hard-at", "3"), "only 1 targets"),
        (("-k", "2"), "--samples 2 asks openai:m for several responses, but its temperature is 0"),
        (("--judge", "nobody"), "no judges plugin 'nobody'"),
        (("--set", "targt.sees=picture"), "it has target, target1"),
        (("--held-out-target", f"openai:m@{server.url}/other"), "Two targets are openai:m"),
    ):
        code, told = evolve(real_run, server, out, *more)
        assert code == 2
        assert said in told["error"]
        assert not out.exists()
    code, told = evolve(tmp_path / "nowhere", server, out)
    assert code == 2
    done = mossgen("evolve", real_run, "--target", "file:recorded.jsonl", "--out", out)
    assert done.returncode == 2
    assert "give a target that can be asked" in done.stderr
    assert not out.exists()
    code, told = evolve(real_run, server, out, "-n", 2, "--held-out-target", f"openai:other@{server.url}", "--dry-run")
    assert (code, told["parents"]) == (0, 6)
    assert told["calls"] == {"search": 6 + 4 * 16, "held_back": 2 * 2 * 2 * 3}
    assert not server.asked
    assert mossgen("export", real_run, "--format", "imagefolder", "--hard", "--out", tmp_path / "h").returncode == 2
