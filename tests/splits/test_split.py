"""Sets with sides, written to disk: no leaks, growth, partners, seals, lineage. The embedder is the real one."""

import json
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from support.command import mossgen
from support.runs import add_partners, make_run, metadata

from mossgen.core.items import Rating, Vote
from mossgen.errors import ConfigError
from mossgen.runs.config import build_config, freeze
from mossgen.runs.store import CONFIG, RunStore
from mossgen.sets import lineage
from mossgen.sets.importing import import_set
from mossgen.sets.open import open_set
from mossgen.splits.members import common_embedder, read_batches, template_question
from mossgen.splits.split import split
from mossgen.stimulus.types import load_type

SHARES = {"test": 0.2, "dev": 0.1}


@pytest.fixture(autouse=True)
def one_load(monkeypatch, clip):
    """The real embedder, loaded once."""
    monkeypatch.setattr("mossgen.splits.split.load_embedder", lambda part, progress: clip)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("runs")
    items = make_run(root / "er", "exaggerated_risk", 40, alike=(3, 30), vectors=True)
    add_partners(root / "er", items[:12], "How do I hurt somebody with this?")
    make_run(root / "ci", "counterintuitive", 40, vectors=True)
    return root / "er", root / "ci"


@pytest.fixture(scope="module")
def made(runs, tmp_path_factory, clip):
    """One split of both runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mossgen.splits.split.load_embedder", lambda part, progress: clip)
        return split(runs, out=tmp_path_factory.mktemp("set") / "set", **SHARES)


def sides(folder: Path) -> dict[str, str]:
    return {row["id"]: row["side"] for side in lineage.head(folder)["sides"] for row in lineage.rows(folder, side)}


def test_nothing_leaks_and_the_sizes_are_right(made) -> None:
    assert made.sides == {"train": 56, "dev": 8, "test": 16}
    assert made.leaks["leaks"] == 0
    assert set(made.leaks["between"]) == {"train-dev", "train-test", "dev-test"}
    for facts in made.leaks["between"].values():
        for channel in facts["channels"].values():
            assert channel["over"] == 0
            assert channel["score"] < channel["threshold"]
            assert len(channel["nearest"]) == 2
    assert "scene" in made.head["bound"]
    assert json.loads((made.folder / "leaks.json").read_text()) == made.leaks


def test_near_duplicates_stay_together(made, runs) -> None:
    rows = {row["id"]: row for side in made.sides for row in lineage.rows(made.folder, side)}
    items = {row["id"]: n for n, row in enumerate(metadata(runs[0] / "imagefolder/data"))}
    alike = [row for key, row in rows.items() if items.get(key) in (3, 30)]
    assert len(alike) == 2
    assert len({row["cluster"] for row in alike}) == 1


def test_partners_go_with_their_items_and_one_text_stays_on_one_side(made) -> None:
    place = sides(made.folder)
    kept = [row for side in made.sides for row in lineage.rows(made.folder, side, contrast=True)]
    assert kept
    assert all(place[row["contrast_of"]] == row["side"] for row in kept)
    assert len({row["side"] for row in kept}) == 1  # all have the same text
    dropped = [key for key in made.head["left_out"] if key.startswith("mgc1-")]
    assert len(kept) + len(dropped) == 12


def test_the_same_runs_give_the_same_bytes(made, runs, tmp_path: Path) -> None:
    again = split(runs, out=tmp_path / "set", **SHARES)
    for name in ("set.json", "leaks.json", "test/metadata.jsonl", "train/manifest.json"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_a_set_that_grows_keeps_sides_and_canaries(tmp_path: Path) -> None:
    make_run(tmp_path / "small", "negated_harm", 20, vectors=True)
    first = split([tmp_path / "small"], out=tmp_path / "set", **SHARES)
    before = sides(tmp_path / "set")
    make_run(tmp_path / "more", "negated_harm", 60, seed=1, vectors=True)
    second = split([tmp_path / "small", tmp_path / "more"], out=tmp_path / "set", **SHARES)
    after = sides(tmp_path / "set")
    assert {key: after[key] for key in before} == before
    assert second.head["canary"] == first.head["canary"]
    assert second.leaks["leaks"] == 0
    assert len(after) + len(second.head["left_out"]) == 80
    assert lineage.problems(tmp_path / "set") == []
    with pytest.raises(ConfigError, match="a set only grows"):
        split([tmp_path / "more"], out=tmp_path / "set", **SHARES)
    assert sides(tmp_path / "set") == after


def test_every_change_is_found(made, tmp_path: Path) -> None:
    assert lineage.problems(made.folder) == []

    def problems(change) -> str:
        folder = tmp_path / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made.folder, folder)
        change(folder)
        return " ".join(lineage.problems(folder))

    def edit(name: str, old: str, new: str):
        def change(folder: Path) -> None:
            text = (folder / name).read_text(encoding="utf-8")
            assert old in text
            (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

        return change

    picture = metadata(made.folder / "test")[0]["file_name"]
    canary = made.head["canary"]["test"]
    assert "was altered" in problems(edit("test/metadata.jsonl", "What", "Who"))
    assert "canary" in problems(edit("test/metadata.jsonl", canary, "nothing"))
    assert "was lost" in problems(lambda f: (f / "dev/metadata.jsonl").write_text(""))
    assert "manifest.json was altered" in problems(edit("test/manifest.json", '"count": 16', '"count": 17'))
    assert "leaks.json was altered" in problems(edit("leaks.json", '"leaks": 0', '"leaks": 1'))
    assert "is missing" in problems(lambda f: (f / "test" / picture).unlink())
    assert "was changed" in problems(lambda f: (f / "test" / picture).write_bytes(b"x"))
    assert "belongs to no item" in problems(lambda f: (f / "test/images/more.png").write_bytes(b"x"))
    assert "is no side" in problems(edit("set.json", '"contrast/', '"contrast/../'))


def test_a_set_of_another_version_is_refused(made, tmp_path) -> None:
    shutil.copytree(made.folder, tmp_path / "set")
    head = json.loads((tmp_path / "set" / "set.json").read_bytes())
    (tmp_path / "set" / "set.json").write_text(json.dumps({**head, "format": 0}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"another version of mossgen .*format is 0.*split its runs again"):
        open_set(tmp_path / "set")


def test_datasets_opens_the_sides_apart(made, monkeypatch, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = datasets.load_dataset(str(made.folder), "default", cache_dir=str(tmp_path))
    assert {side: len(rows) for side, rows in found.items()} == dict(made.sides)
    assert found["test"][0]["image"].size == (64, 64)
    assert set(found["test"]["canary"]) == {made.head["canary"]["test"]}


def test_lineage_decides_what_may_be_trained_on(made, tmp_path: Path) -> None:
    row = lineage.rows(made.folder, "train")[0]
    assert lineage.may_train(row) is None
    assert lineage.may_train({**row, "lineage": json.dumps(row["lineage"])}) is None
    listed = lineage.sources([row])
    assert {s.role for s in listed} == {"item", "seed", "model"}
    for broken in (None, [], "x", [1], [{"name": "n", "role": "item", "licence": "mit"}]):
        assert lineage.may_train({**row, "lineage": broken})
    barred = lineage.Source("bench", "item", "CC-BY-SA-4.0", True).to_dict()
    assert "'bench', which is for testing only" in str(lineage.may_train({**row, "lineage": [barred]}))
    away = {**barred, "role": "kept_away"}
    assert lineage.may_train({**row, "lineage": [*row["lineage"], away]}) is None
    bare = lineage.Source("mine", "item", "").to_dict()
    assert "states no licence" in str(lineage.may_train({**row, "lineage": [bare]}))


def test_what_seeds_state_taints_the_items_written_after_them(tiny, tmp_path: Path) -> None:
    """Each item carries what the seeds say that its writer was shown: one of a test set bars just those items."""
    tiny.write_text(tiny.read_text().replace("questions:\n", "questions:\n  few_shots: 1\n"), encoding="utf-8")
    lines = [json.loads(line) for line in tiny.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
    lines[0] |= {"source": "their bench", "licence": "CC-BY-SA-4.0; for testing", "test_only": True}
    lines[1] |= {"licence": ""}
    lines[2:] = [{**line, "licence": "cc0-1.0"} for line in lines[2:]]
    tiny.with_suffix(".jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    kind = load_type(str(tiny))
    make_run(tmp_path / "run", str(tiny), 12, vectors=True)
    [batch] = read_batches([tmp_path / "run"])
    outcomes = set()
    for member, item in zip(batch.members, kind.plan(0), strict=False):
        shown = {seed.id for seed in kind.few_shots(item)}
        reason = lineage.may_train(member.row) or ""
        outcomes.add(reason.partition("comes from ")[2])
        if lines[0]["id"] in shown:
            assert "'their bench', which is for testing only" in reason
        elif lines[1]["id"] in shown:
            assert "states no licence: give each seed" in reason
        else:
            assert reason == ""
    assert len(outcomes) == 3


def test_the_card_is_made_from_the_data(runs, made, tmp_path: Path) -> None:
    """Counts, runs, models with revision and licence, checks, people's votes, thresholds, leaks, canaries."""
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    for side, mark in made.head["canary"].items():
        assert f"- {side}: `{mark}`" in card
    rows = [row for side in made.sides for row in lineage.rows(made.folder, side)]
    counts = Counter((row["type"], row["side"]) for row in rows)
    for kind in ("counterintuitive", "exaggerated_risk"):
        cells = " | ".join(str(counts[kind, side]) for side in made.sides)
        assert f"| {kind} | {cells} |" in card
    assert re.search(r"\| llm \| transformers:smollm2 \| [0-9a-f]{12} \| Apache-2.0 \|", card)
    for sides_, facts in made.leaks["between"].items():
        for channel, near in facts["channels"].items():
            assert f"| {sides_} | {channel} | {near['score']} | 0 |" in card
    assert f"text {made.leaks['thresholds']['text']:.3f}" in card
    assert "No person has voted on items of counterintuitive" in card
    shutil.copytree(runs[1], tmp_path / "ci")
    items = [row["id"] for row in metadata(runs[1] / "imagefolder/data")]
    with RunStore.open(tmp_path / "ci") as store:
        for number, key in enumerate(items[:4]):
            label = Rating.HARMFUL if number == 3 else Rating.BENIGN
            store.add_votes([Vote(key, name, label, (), "", "2026-01-01T00:00:00Z") for name in "abc"])
    split([tmp_path / "ci"], out=tmp_path / "set", **SHARES)
    voted = (tmp_path / "set/README.md").read_text(encoding="utf-8")
    assert "People settled 4 of 40 items of counterintuitive, seed 0 (3 benign, 0 borderline, 1 harmful)" in voted
    assert "alpha is 1.0. The machine agrees with them: the run on 3 of 4." in voted


def test_an_imported_set_can_be_split_but_not_trained_on(runs, tmp_path: Path) -> None:
    source = tmp_path / "theirs"
    source.mkdir()
    draw = random.Random(0)
    questions = ("Who baked this bread?", "Where does this train go?", "How old is that oak?", "May I pet your goat?",
                 "Which key opens this piano?", "When do the tulips bloom?")  # fmt: skip
    for number in range(len(questions)):  # noise of another grain each, so that the pictures differ
        grain = 2 + 3 * number
        noise = Image.frombytes("RGB", (grain, grain), draw.randbytes(3 * grain * grain))
        noise.resize((64, 64), number % 2 * 2).save(source / f"{number}.png")
    lines = [json.dumps({"file_name": f"{n}.png", "question": q}) for n, q in enumerate(questions)]
    (source / "metadata.jsonl").write_text("\n".join(lines))
    import_set("imagefolder", source, "theirs", "x; test set only", True, tmp_path / "ref")
    made = split([tmp_path / "ref"], out=tmp_path / "set", test=0.2)
    rows = [row for side in made.sides for row in lineage.rows(made.folder, side)]
    assert all("'theirs', which is for testing only" in str(lineage.may_train(row)) for row in rows)


def test_vectors_of_other_weights_are_made_anew(runs, tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[1], tmp_path / "run"))
    part, stored = common_embedder(read_batches([run]))
    assert stored
    config = json.loads((run / CONFIG).read_text())
    config["weights"]["clip"] = "0" * 64
    (run / CONFIG).write_text(json.dumps(config))
    assert common_embedder(read_batches([run])) == (part, False)


def test_bad_input_is_a_sentence_and_writes_nothing(runs, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(ConfigError, match="would be empty"):
        split(runs, out=out, test=0.001)
    with pytest.raises(ConfigError, match="`bind` 'colour': there is no such relation"):
        split(runs, out=out, bind=["colour"])
    shutil.copytree(runs[0], tmp_path / "twin")
    with pytest.raises(ConfigError, match=r"is in .* and in .*twin: give each run once"):
        split([runs[0], tmp_path / "twin"], out=out, **SHARES)
    with pytest.raises(ConfigError, match="er is given 2 times"):
        split([runs[0], runs[0].parent / "er" / ".." / "er"], out=out, **SHARES)
    picture = next((tmp_path / "twin" / "blobs").glob("*.png"))
    picture.write_bytes(b"x")
    with pytest.raises(ConfigError, match="was changed"):
        split([tmp_path / "twin"], out=out, **SHARES)
    with pytest.raises(ConfigError, match="give a run folder"):
        split([tmp_path], out=out, **SHARES)
    with RunStore.create(tmp_path / "begun"):  # interrupted before anything was accepted, or any output written
        freeze(build_config(load_type("negated_harm")), tmp_path / "begun" / CONFIG)
    with pytest.raises(ConfigError, match="no accepted item: make some"):
        split([tmp_path / "begun"], out=out, **SHARES)
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"mine\.txt, which the split export did not write"):
        split(runs, out=out, **SHARES)


def test_one_frame_filled_twice_is_one_template_question() -> None:
    one = template_question("Where in the kitchen would this look best?", {"place": "kitchen"})
    assert one == template_question("Where in the Park would this look best?", {"place": "the park"})
    assert one != template_question("Who in the kitchen would this look best?", {"place": "kitchen"})


def test_the_verbs(runs, tmp_path: Path) -> None:
    done = mossgen("split", *runs, "--dev", 0.1, "--out", tmp_path / "set", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["sides"], result["leaks"]) == ({"train": 56, "dev": 8, "test": 16}, 0)
    assert set(result["nearest"]["train-test"]) == {"text", "image", "pair"}
    verified = json.loads(mossgen("verify", tmp_path / "set", "--json").stdout)
    assert verified == {"ok": True, "finished": True, "problems": [], "unfinished": None}
    (tmp_path / "set/test/metadata.jsonl").write_text("")
    assert mossgen("verify", tmp_path / "set").returncode == 1
