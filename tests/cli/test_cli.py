"""Bad input: one sentence, the right exit code, nothing lost; and the verbs' JSON."""

import json
import re
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from support.command import mossgen

from mossgen.core.items import State
from mossgen.errors import ConfigError
from mossgen.files.pictures import read_picture
from mossgen.runs.config import PRESETS, build_config, freeze, read_config
from mossgen.runs.store import RunStore
from mossgen.sets.open import open_set
from mossgen.stimulus.types import load_type

BAD = {
    # case: (arguments, exit code, what the sentence says)
    "unknown type": (["expand", "--type", "nonsense"], 2, "There is no type 'nonsense'"),
    "missing template file": (["expand", "--type", "no/such.yaml"], 2, "There is no template no/such.yaml"),
    "unknown preset": (["expand", "--type", "negated_harm", "--preset", "huge"], 2, "There is no preset 'huge'"),
    "unknown plugin": (["expand", "--type", "negated_harm", "--llm", "parrot"], 2, "There is no llms plugin 'parrot'"),
    "unknown checker": (["expand", "--type", "negated_harm", "--checker", "luck"], 2, "no checkers plugin 'luck'"),
    "unknown option": (["expand", "--type", "negated_harm", "--frobnicate"], 2, "--frobnicate"),
    "setting without value": (["expand", "--type", "negated_harm", "--set", "llm"], 2, "plugin.option=value"),
    "setting of a stranger": (["expand", "--type", "negated_harm", "--set", "ray.x=1"], 2, "this run has no 'ray'"),
    "unknown plugin option": (
        ["expand", "--type", "negated_harm", "--set", "diffusers.colour=red"], 2, "diffusers.colour"),
    "option out of range": (["expand", "--type", "negated_harm", "--set", "imager.steps=0"], 2, "steps"),
    "no items asked for": (["expand", "--type", "negated_harm", "-n", "0"], 2, "0 is not in the range"),
    "no reference there": (["expand", "--type", "negated_harm", "--against", "nowhere"], 2, "no set is there"),
    "no run there": (["status", "nowhere"], 2, "nowhere is no run folder"),
    "nothing to verify": (["verify", "nowhere"], 2, "nowhere: no set is there"),
    "unknown embedded model": (["models", "pull", "gpt"], 2, "There is no embedded model 'gpt'"),
    "missing weights": (
        ["expand", "--type", "negated_harm", "--set", "diffusers.model=./no/such/pipeline"], 2, "no/such/pipeline"),
    "password in an address": (
        ["expand", "--type", "negated_harm", "--llm", "openai", "--set", "openai.model=m", "--set",
         "openai.base_url=http://me:hunter2@127.0.0.1:9/v1"], 2, "put the key into the environment"),
    "endpoint without a key": (
        ["expand", "--type", "negated_harm", "--llm", "openai", "--set", "openai.model=m"], 2, "OPENAI_API_KEY"),
    "endpoint that is down": (
        ["expand", "--type", "negated_harm", "--llm", "openai", "--set", "openai.model=m", "--set",
         "openai.base_url=http://127.0.0.1:9/v1", "--set", "openai.max_retries=0"], 1, "127.0.0.1:9"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case: str, tmp_path: Path) -> None:
    arguments, code, wanted = BAD[case]
    done = mossgen(*arguments, cwd=tmp_path, OPENAI_API_KEY="", HF_HUB_OFFLINE="1")
    assert done.returncode == code, done.stderr
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_errors_are_json_too(tmp_path: Path) -> None:
    done = mossgen("expand", "--type", "nonsense", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2


def test_verbose_keeps_the_exit_code_and_the_json(tmp_path: Path) -> None:
    done = mossgen("expand", "--type", "nonsense", "--json", "-v", cwd=tmp_path)
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2
    assert "Traceback" in done.stderr


def test_a_name_too_long_is_a_sentence(tmp_path: Path) -> None:
    done = mossgen("status", "x" * 300, cwd=tmp_path)
    assert done.returncode == 1
    assert "too long" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_made_nothing_takes_the_mended_command(tiny: Path, tmp_path: Path) -> None:
    kind, path = load_type(str(tiny)), tmp_path / "run.json"
    wrong, mended = (build_config(kind, options={"diffusers.model": model}) for model in ("./no/such", "t2i"))
    freeze(wrong, path)
    with pytest.raises(ConfigError, match=r"`imager.options.model` is './no/such'"):
        freeze(mended, path)
    freeze(mended, path, empty=True)
    assert read_config(path) == mended


TEMPLATES = {
    "malformed YAML": ("primary: thing", "primary: [thing", "tiny.yaml, line"),
    "missing slot": ("{{ thing | an }} in a {{ place }}", "{{ colour }}", "'colour' is undefined"),
    "unknown field": ("title: Tiny", "title: Tiny\nmotto: x", "motto"),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_bad_templates_say_where(case: str, tiny: Path, tmp_path: Path) -> None:
    old, new, wanted = TEMPLATES[case]
    tiny.write_text(tiny.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    done = mossgen("expand", "--type", tiny, cwd=tmp_path)
    assert done.returncode == 2
    assert wanted in done.stderr
    assert not (tmp_path / "generated").exists()


def test_bad_seeds_say_where(tiny: Path, tmp_path: Path) -> None:
    tiny.with_suffix(".jsonl").write_text('{"id": "ty-1"', encoding="utf-8")
    done = mossgen("expand", "--type", tiny, cwd=tmp_path)
    assert done.returncode == 2
    assert "tiny.jsonl, line 1" in done.stderr


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    size = struct.pack(">II", 60_000, 60_000) + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + size
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    with pytest.raises(ConfigError, match=r"bomb.png"):
        read_picture(bomb)
    with pytest.raises(ConfigError, match="a folder or a device"):
        read_picture(Path("/dev/null"))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("{oops", "line 1: not valid JSON"), ("[" * 100_000, "line 1: not valid JSON"),
     ('{"question": "What?"}', "it names no picture"),
     ('{"question": "What?", "file_name": "broken.png"}', "broken.png: not a picture")],
)  # fmt: skip
def test_bad_references_say_where(line: str, wanted: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"no picture at all")
    (folder / "metadata.jsonl").write_text(line, encoding="utf-8")
    [record] = open_set(folder)
    with pytest.raises(ConfigError) as caught:
        record.open_bare()
    assert wanted in (record.problem or str(caught.value))


def test_a_read_only_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    done = mossgen("expand", "--type", "negated_harm", "--run", tmp_path / "file" / "run")
    assert done.returncode == 1
    assert "cannot be written (Not a directory)" in done.stderr
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


def test_a_broken_run_json_is_a_sentence(real_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(real_run, tmp_path / "run")
    (run / "run.json").write_text('{"type": 3}', encoding="utf-8")
    done = mossgen("expand", "--type", "negated_harm", "--run", run)
    assert done.returncode == 2
    assert "run.json" in done.stderr


def test_status_and_verify(real_run: Path) -> None:
    status = json.loads(mossgen("status", real_run, "--json").stdout)
    assert status["states"]["accepted"] == 6
    assert {"draft", "render", "check"} <= set(status["spent"])
    assert json.loads(mossgen("verify", real_run, "--json").stdout) == {
        "ok": True,
        "finished": True,
        "problems": [],
        "unfinished": None,
    }


def test_dry_run_makes_nothing(tmp_path: Path) -> None:
    done = mossgen("expand", "--type", "exaggerated_risk", "-n", 20, "--dry-run", "--json", cwd=tmp_path)
    forecast = json.loads(done.stdout)
    assert forecast["wanted"] == 20
    assert forecast["candidates"] >= 20
    assert len(forecast["plan"]) == 5
    assert not (tmp_path / "generated").exists()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_is_planned_without_its_models(preset: str, tmp_path: Path) -> None:
    """Its plugins take their options, and what it costs is known, where no GPU, key or hub is at hand."""
    asked = ("expand", "--type", "negated_harm", "-n", 8, "--preset", preset, "--dry-run", "--json")
    done = mossgen(*asked, cwd=tmp_path, OPENAI_API_KEY="")
    assert done.returncode == 0, done.stderr
    forecast = json.loads(done.stdout)
    assert forecast["pictures"] >= 8
    paid = [part.plugin for part in (PRESETS[preset].llm, PRESETS[preset].imager) if part.plugin == "openai"]
    assert bool(forecast["cost"]) == bool(paid)
    assert not list(tmp_path.iterdir())


def test_a_preset_of_the_hub_stops_where_the_hub_is_not(tmp_path: Path) -> None:
    done = mossgen("expand", "--type", "negated_harm", "-n", 1, "--preset", "gpu", cwd=tmp_path)
    assert done.returncode == 2
    assert "Qwen/Qwen3-8B" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_preview_keeps_nothing(tmp_path: Path) -> None:
    done = mossgen("preview", "--type", "counterintuitive", "-n", 1, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["run"] is None
    assert result["items"][0]["question"]
    assert not list(tmp_path.iterdir())


def test_falling_short_says_so_and_goes_on(tmp_path: Path) -> None:
    command = ["expand", "--type", "negated_harm", "-n", 40, "--run", tmp_path / "run"]
    short = mossgen(*command, "--max-time", 0.1)
    assert short.returncode in (1, 3)
    assert "run the same command again" in short.stdout


def test_a_preview_that_falls_short_promises_no_more(tmp_path: Path) -> None:
    short = mossgen("preview", "--type", "negated_harm", "-n", 40, "--max-time", 0.1, cwd=tmp_path)
    assert short.returncode in (1, 3)
    assert re.search(r"Only \d+ of 40 were found: the time was up: raise --max-time\.", short.stdout)
    assert "again" not in short.stdout.splitlines()[-1]


def test_against_another_run_accepts_nothing_of_it(real_run: Path, tmp_path: Path) -> None:
    """The same plan against its own run: the same pictures come again, and none is accepted."""
    done = mossgen("expand", "--type", "negated_harm", "-n", 6, "--run", tmp_path / "run", "--against", real_run,
                   "--max-candidates", 6, "--json")  # fmt: skip
    assert json.loads(done.stdout)["rejected"]["dedup"] >= 1
    with RunStore.open(real_run) as old, RunStore.open(tmp_path / "run") as new:
        there = {item.id for item in old.items(State.ACCEPTED)}
        again = new.items()
    assert not there & {item.id for item in again if item.state is State.ACCEPTED}
    near = [item.reason or "" for item in again if item.rejected_by == "dedup"]
    assert any(f"{real_run.name}/mg1-" in reason for reason in near)


def test_models_plugins_and_doctor() -> None:
    models = json.loads(mossgen("models", "list", "--json").stdout)["models"]
    assert {m["name"] for m in models} >= {"smollm2", "minilm", "efficientnet-lite0", "t2i", "clip"}
    assert all(m["licence"] and m["source"] for m in models)
    assert json.loads(mossgen("models", "verify", "--json").stdout)["ok"]
    plugins = json.loads(mossgen("plugins", "--json").stdout)
    assert "negated_harm" in plugins["types"]
    assert set(plugins["llms"]) >= {"transformers", "openai"}
    doctor = mossgen("doctor", "--json", OPENAI_API_KEY="sk-not-shown")
    assert doctor.returncode == 0, doctor.stdout
    assert "sk-not-shown" not in doctor.stdout
