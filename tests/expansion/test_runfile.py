"""A run as one file: what it holds, what goes before it, and where it is wrong."""

import json
import os
import re
from pathlib import Path

import pytest
from support.command import mossgen

from mossgen.errors import ConfigError
from mossgen.expansion.estimate import forecast
from mossgen.expansion.runfile import SECTIONS, read_run_file, save_run_file
from mossgen.expansion.settings import Given, Settings, checked
from mossgen.expansion.setup import Setup, prepare


def written(folder: Path, text: str) -> Path:
    file = folder / "run.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def a_set(folder: Path) -> None:
    """A set of one item, that something can be compared with."""
    folder.mkdir()
    row = {"id": "one", "question": "What is this?", "file_name": "one.png"}
    (folder / "metadata.jsonl").write_text(json.dumps(row), encoding="utf-8")


def planned(*arguments: object, **environment: str) -> dict[str, object]:
    """What a dry run says it would make."""
    done = mossgen("expand", *arguments, "--dry-run", "--json", **environment)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_flags_go_before_the_environment_before_the_file_before_the_defaults(tmp_path: Path) -> None:
    full = written(tmp_path, "type: negated_harm\nn: 50\nseed: 3\n")
    bare = written(tmp_path / "..", "type: negated_harm\n")
    environment = {"MOSSGEN_N": "60", "MOSSGEN_SEED": "4"}
    for arguments, given, wanted, seed in (
        (("--config", bare), {}, 12, 0),
        (("--config", full), {}, 50, 3),
        (("--config", full), environment, 60, 4),
        (("--config", full, "-n", 70), environment, 70, 4),
        (("--config", full, "-n", 70, "--seed", 5), environment, 70, 5),
    ):
        told = planned(*arguments, **given)
        assert (told["wanted"], told["run"]) == (wanted, str(Path("generated") / f"negated_harm-{seed}"))


def options(*arguments: object, **environment: str) -> dict[str, object]:
    from mossgen.cli.expand import _given, expand

    context = expand.make_context("expand", [str(argument) for argument in arguments])
    return _given({**context.params, "options": context.params["options"]})["options"]


def test_options_are_put_together_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOSSGEN_SET", "diffusers.steps=5 draft.samples=2 'vlm.model=a b'")
    assert options()["vlm.model"] == "a b"
    monkeypatch.setenv("MOSSGEN_SET", "'vlm.model=a b")
    with pytest.raises(ConfigError, match="MOSSGEN_SET: a quote is not closed"):
        options()
    monkeypatch.setenv("MOSSGEN_SET", "diffusers.steps=5 draft.samples=2")
    given = options("--set", "draft.samples=3")
    file = written(
        tmp_path, "type: negated_harm\noptions: {diffusers.steps: 4, diffusers.size: 256, draft.guided: 5}\n"
    )
    config = prepare({"options": given}, file).config
    assert (config.imager.options["steps"], config.imager.options["size"]) == (5, 256)
    assert (config.draft.samples, config.draft.guided) == (3, 5)


def test_every_setting_has_a_variable_a_flag_a_section_and_an_argument() -> None:
    from mossgen.cli.expand import expand

    flags = {option.name: option for option in expand.params}
    names = set(Settings.model_fields)
    assert names == set(Given.__annotations__) | {"type", "n"}
    assert sorted(name for section in SECTIONS.values() for name in section) == sorted(names)
    text = mossgen("expand", "--help").stdout
    for name in names:
        flag = max(flags[name].opts, key=len).lstrip("-")
        assert f"MOSSGEN_{flag.upper().replace('-', '_')}" in text
    said = " ".join(text.split())
    assert "A flag overrides its MOSSGEN_… variable, which overrides --config FILE, which overrides" in said
    assert f"(MOSSGEN_SET may quote them, as in a shell); in MOSSGEN_AGAINST it is {os.pathsep!r}." in said


def test_the_environment_gives_lists_and_switches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mossgen.cli.expand import _given, expand

    monkeypatch.setenv("MOSSGEN_CHECKER", "rules safety")
    monkeypatch.setenv("MOSSGEN_AGAINST", "one set:another")
    monkeypatch.setenv("MOSSGEN_REVIEWED", "1")
    context = expand.make_context("expand", [])
    given = _given(context.params)
    assert given["checkers"] == ("rules", "safety")
    assert given["against"] == ("one set", "another")
    assert given["reviewed"] is True
    assert _given(expand.make_context("expand", ["--not-reviewed"]).params)["reviewed"] is False


WRONG = {
    "unknown": ("type: negated_harm\nsead: 1\n", "line 2: sead: there is no such setting; there are type, n, seed"),
    "small": ("type: negated_harm\nn: 0\n", "line 2: n: Input should be greater than or equal to 1 (got 0)"),
    "text": ("type: negated_harm\n\nseed: 'three'\n", "line 3: seed: Input should be a valid integer"),
    "list": ("type: negated_harm\ncheckers:\n  - rules\n  - 7\n", "line 4: checkers.1: Input should be a valid string"),
    "twice": ("seed: 1\ntype: negated_harm\nseed: 2\n", "line 1: seed: is given twice (again in line 3): leave"),
    "first line": ("type: negated_harm\nvotes: 0\nn: 0\n", "line 2: votes: Input should be greater"),
    "no list": ("type: negated_harm\ncheckers: 3\n", "line 2: checkers: Input should be a list (got 3)"),
    "no mapping": ("type: negated_harm\noptions: 3\n", "line 2: options: Input should be a mapping (got 3)"),
    "preset": ("type: negated_harm\npreset: huge\n", "line 2: preset: There is no preset 'huge'"),
    "plugin": ("type: negated_harm\nllm: nobody\n", "line 2: llm: There is no llms plugin 'nobody'"),
    "checker": ("checkers: [rules, none]\ntype: negated_harm\n", "line 1: checkers: There is no checkers plugin"),
    "gate": ("type: negated_harm\ngates: [none]\n", "line 2: gates: The policy names 'none'"),
    "option": ("type: negated_harm\noptions:\n  draft.guided: 4\n  diffusers.stebs: 3\n",
               "line 4: options.diffusers.stebs: Option diffusers.stebs = 3: there is no such option."),
    "value": ("options:\n  draft.guided: -4\ntype: negated_harm\n", "line 2: options.draft.guided: "),
    "nested": ("type: negated_harm\noptions:\n  diffusers: {steps: 4}\n", "line 3: options.diffusers: "),
    "type": ("n: 3\ntype: nonsense\n", "line 2: type: There is no type 'nonsense'"),
    "reference": ("type: negated_harm\nagainst: [nowhere]\n", "line 2: against: nowhere: no set is there"),
    "no set": ("type: negated_harm\nagainst: [.]\n", "line 2: against: {folder}: no set is there: give a run folder"),
    "vlm": ("type: negated_harm\nvlm: gpt\n", "line 2: vlm: "),
    "yaml": ("type: [\n", "line 2: not valid YAML"),
    "no settings": ("- type\n", "holds no settings"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_file_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    text, said = WRONG[case]
    file = written(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(said.format(folder=tmp_path))) as caught:
        forecast(config=file)
    assert str(caught.value).startswith(str(file))


def test_a_wrong_flag_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "type: negated_harm\nseed: 1\n")
    with pytest.raises(ConfigError, match=r"^There is no llms plugin 'nobody'"):
        forecast(config=file, llm="nobody")
    file = written(tmp_path, "type: negated_harm\npreset: openai\n")
    with pytest.raises(ConfigError, match=r"^`options` 'nope.x': this run has no 'nope'"):
        forecast(config=file, options={"nope.x": 1})
    with pytest.raises(ConfigError, match=r"^`options` 'nope.x': this run has no 'nope'"):
        forecast(config=file, options={"nope.x": 1, "nope.y": 1})
    file = written(tmp_path, "type: negated_harm\noptions: {nope.x: 1}\n")
    with pytest.raises(ConfigError, match=r"line 2: options.nope.x: 'nope.x': this run has no 'nope'"):
        forecast(config=file, llm="openai", type="exaggerated_risk", options={"openai.model": "m"})
    with pytest.raises(ConfigError, match="`type` is missing"):
        forecast()
    with pytest.raises(ConfigError, match="`n`: Input should be greater than or equal to 1"):
        forecast("negated_harm", 0)


def test_what_checks_is_in_the_cost() -> None:
    named = {"vlm": "openai:gpt-4o", "n": 12}
    unknown = forecast("negated_harm", **named)
    assert (unknown.usd, unknown.unpriced) == (None, ("vlm.price_in", "vlm.price_out"))
    prices = {"vlm.price_in": 2.5, "vlm.price_out": 10.0}
    known = forecast("negated_harm", **named, options=prices)
    each = ((600 + 800) * 2.5 + 60 * 10) / 1e6
    assert (known.usd, known.unpriced) == (round(known.candidates * each, 4), ())
    assert forecast("negated_harm").usd == 0
    told = mossgen("expand", "--type", "negated_harm", "--vlm", "openai:gpt-4o", "--dry-run").stdout
    assert "Cost: not known (set vlm.price_in, vlm.price_out)" in told


def test_paths_are_relative_to_the_file(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    a_set(tmp_path / "set")
    written(tmp_path, "type: templates/tiny.yaml\nrun: runs/one\nagainst: [set]\nvlm: transformers:./model\n"
                             "options: {diffusers.model: ./weights}\n")  # fmt: skip
    monkeypatch.chdir(other)
    setup = prepare({}, Path("..") / "run.yaml")
    assert setup.folder == Path("..") / "runs" / "one"
    assert setup.config.against == (str(other / ".." / "set"),)
    assert setup.config.imager.options["model"] == str(tmp_path / "weights")
    assert setup.settings.vlm == f"transformers:{tmp_path / 'model'}"


def test_a_saved_file_says_the_same_wherever_it_is_written(tiny: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "type: templates/tiny.yaml\nrun: runs/one\nagainst: [set]\nmax_cost: 2\n"
                             "signals: [safety]\noptions: {diffusers.steps: 4}\n")  # fmt: skip
    a_set(tmp_path / "set")
    saved = tmp_path / "deep" / "er" / "saved.yaml"
    saved.parent.mkdir(parents=True)
    first = prepare({"n": 3}, file, saved)
    second = prepare({}, saved)
    assert same(first) == same(second)
    assert second.settings.n == 3
    text = saved.read_text(encoding="utf-8")
    assert all(f"# {title}\n" in text for title in SECTIONS)
    assert "against: [../../set]" in text
    prepare({"n": 3}, file, saved)  # the same command again
    with pytest.raises(ConfigError, match=r"`save_config` .*there is another file already"):
        prepare({"n": 4}, file, saved)
    assert saved.read_text(encoding="utf-8") == text
    defaults = checked({"type": "negated_harm"})
    save_run_file(defaults, tmp_path / "defaults.yaml")
    assert checked(read_run_file(tmp_path / "defaults.yaml").values) == defaults


def same(setup: Setup) -> tuple[object, ...]:
    """What two ways to the same run have in common."""
    config = setup.config.model_dump(mode="json")
    against = [Path(path).resolve() for path in config.pop("against")]
    return config, against, setup.folder.resolve(), setup.settings.max_cost
