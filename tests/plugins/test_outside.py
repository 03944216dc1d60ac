"""Plugins, presets and types of other packages, found by their entry points and used from the command line."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image
from support.command import process
from support.outside import install, metadata

from mossgen.errors import ConfigError
from mossgen.files import outside
from mossgen.plugins import registry
from mossgen.runs.config import preset_of
from mossgen.runs.inventory import inventory
from mossgen.stimulus.types import load_type


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The package of tests/support/outside_package, in a folder of its own."""
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture
def using(installed):
    """A verb in a process that finds the package."""

    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])

    def run(*arguments):
        done = process(*arguments, "--json", PYTHONPATH=path)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A folder of packages for this process; entry points are read anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    outside._all.cache_clear()
    yield tmp_path
    outside._all.cache_clear()


def test_a_checker_a_type_and_a_preset_from_outside(using, tmp_path):
    rows = [("a", "Who must enjoy this on a windy day?"), ("b", "Who would enjoy this on a windy day?")]
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / "a.png")
    (tmp_path / "set.jsonl").write_text(
        "".join(json.dumps({"id": key, "file_name": "a.png", "question": asked}) + "\n" for key, asked in rows)
    )
    checked = using(
        "check", tmp_path / "set.jsonl", "--type", "kites", "--checker", "polite", "--set", "polite.word=must"
    )
    assert [(i["type"], i["decision"]) for i in checked["items"]] == [("kites", "harmful"), ("kites", "benign")]
    plan = using("expand", "--type", "kites", "--preset", "quick", "-n", 2, "--dry-run")
    assert (plan["type"], plan["cost"]) == ("kites", 0.0)
    assert all(text.split()[-1] in ("beach.", "park.") for text in plan["plan"])


def test_a_target_and_an_exporter_from_outside(using, made_run, tmp_path):
    probed = using("probe", made_run, "--target", "echo:cave", "--out", tmp_path / "probe")
    assert probed["targets"]["echo:cave"]["responses"] == 2
    said = [json.loads(line) for line in (tmp_path / "probe" / "responses.jsonl").read_text().splitlines()]
    written = using("export", made_run, "--format", "lines", "--out", tmp_path / "out")
    (file,) = written["files"]
    assert sorted(Path(file).read_text().splitlines()) == sorted(row["response"] for row in said if "response" in row)


def test_each_plugin_says_where_it_comes_from(using):
    listing = using("plugins")
    theirs = {(kind, name) for kind, named in listing.items() for name, one in named.items()
              if one["package"] == "outside-demo 1.0"}  # fmt: skip
    assert theirs == {("checkers", "polite"), ("targets", "echo"), ("exporters", "lines"), ("types", "kites"),
                      ("presets", "quick")}  # fmt: skip
    assert listing["checkers"]["polite"]["about"] == "No question orders anybody about."
    assert {one["package"] for one in listing["judges"].values()} == {"mossgen"}
    described = using("plugins", "checkers/polite")
    assert (described["package"], described["facts"]["role"]) == ("outside-demo 1.0", "gate")
    assert described["options"] == [{"name": "word", "type": "text", "required": False, "default": "must",
                                     "meaning": "the word that no question may hold"}]  # fmt: skip


def test_a_name_that_two_packages_give_is_an_error_that_names_both_and_hides_no_other(site):
    metadata(site, "rival", "2.0", {"mossgen.checkers": {"rules": "rival.rules"}, "mossgen.presets": {"gpu": "r:X"},
                                    "mossgen.types": {"negated_harm": "r"}})  # fmt: skip
    for use in (
        lambda: registry.load("checkers", "rules", {}),
        lambda: preset_of("gpu"),
        lambda: load_type("negated_harm"),
    ):
        with pytest.raises(ConfigError, match=r"of mossgen and of the package rival 2\.0: uninstall one"):
            use()
    assert registry.load("checkers", "sanity", {}).name == "sanity"
    broken = [(one.kind, one.name) for one in inventory() if one.problem]
    assert broken == [("types", "negated_harm"), ("presets", "gpu"), ("checkers", "rules")]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_library", r"ModuleNotFoundError: No module named 'no_such_library'\): mend or uninstall"),
        ("x =", r"SyntaxError"),
        ('"""A module."""', "is no plugin: it must have a docstring, a class Options"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_sentence_and_the_others_are_listed(site, code, says):
    (site / "lame.py").write_text(code)
    metadata(site, "lame", "0.1", {"mossgen.targets": {"lame": "lame"}})
    with pytest.raises(ConfigError, match=says):
        registry.load("targets", "lame", {"model": "m"})
    found = {one.name: one.problem for one in inventory() if one.kind == "targets"}
    assert set(found) == {"file", "lame", "openai", "transformers"}
    assert [name for name, problem in found.items() if problem] == ["lame"]


def test_a_package_that_is_not_there_any_more_is_a_sentence(site):
    metadata(site, "gone", "1.0", {"mossgen.types": {"gone": "gone.types"}, "mossgen.presets": {"gone": "gone:X"}})
    for use in (lambda: load_type("gone"), lambda: preset_of("gone")):
        with pytest.raises(ConfigError, match=r"'gone' of the package gone 1\.0 cannot be imported"):
            use()


def test_a_preset_from_outside_is_checked_like_ours(site):
    (site / "odd.py").write_text("X = {'about': 'odd', 'llm': {'plugin': 'openai'}, 'colour': 'red'}")
    metadata(site, "odd", "1.0", {"mossgen.presets": {"odd": "odd:X"}})
    with pytest.raises(ConfigError, match=r"The preset 'odd' of the package odd 1\.0: imager: Field required"):
        preset_of("odd")
