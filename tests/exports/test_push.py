"""`mossgen push`: what would go to a hub, and what is said when it cannot go. The hub itself is a stand-in."""

import json
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import HfHubHTTPError
from support.command import mossgen
from support.export_set import write_export

from mossgen.errors import BackendError, ConfigError
from mossgen.exports.push import push
from mossgen.files.folders import MARKER


@pytest.fixture
def out(tmp_path):
    return write_export("imagefolder", tmp_path)[0]


@pytest.fixture
def hub(monkeypatch):
    """Stands for the hub: keeps what it is sent; `answers` is what it raises."""
    kept = SimpleNamespace(repositories=[], commits=[], answers=None)

    class Api:
        def create_repo(self, name, **how):
            kept.repositories.append((name, how))

        def create_commit(self, name, operations, **how):
            if kept.answers:
                raise kept.answers
            kept.commits.append((name, {o.path_in_repo: o.path_or_fileobj for o in operations}))
            return SimpleNamespace(commit_url=f"https://hub/datasets/{name}/commit/1")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    return kept


def test_everything_but_the_marker_goes_in_one_private_commit(out, hub):
    assert str(push(out, "org/demo").url).startswith("https://hub/datasets/org/demo")
    assert hub.repositories == [("org/demo", {"repo_type": "dataset", "private": True, "exist_ok": True})]
    [(name, files)] = hub.commits
    assert name == "org/demo"
    there = {p.relative_to(out).as_posix(): str(p) for p in out.rglob("*") if p.is_file() and p.name != MARKER}
    assert files == there


def test_a_dry_run_asks_nothing_of_the_network(out):
    done = mossgen("push", out, "--repo", "org/demo", "--dry-run", "--json", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["pushed"], result["private"], result["url"]) == (False, True, None)
    assert (result["licence"], result["configs"]) == ("cc-by-4.0", ["default"])
    assert result["files"]["README.md"] == (out / "README.md").stat().st_size
    assert result["bytes"] == sum(result["files"].values())


def test_a_hub_that_is_not_there_is_one_sentence(out):
    done = mossgen("push", out, "--repo", "org/demo", HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="hf_secret")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    assert "hf_secret" not in done.stderr + done.stdout


@pytest.mark.parametrize(("status", "mend"), [(403, "give HF_TOKEN the right"), (500, "try again")])
def test_what_the_hub_refuses_is_said(out, hub, status, mend):
    request = SimpleNamespace(headers={"authorization": "Bearer hf_secret"})
    response = SimpleNamespace(status_code=status, headers={}, request=request)
    hub.answers = HfHubHTTPError("no", response=response, server_message="not today")
    with pytest.raises(BackendError, match=rf"refused org/demo \({status} not today\): {mend}") as caught:
        push(out, "org/demo")
    assert "hf_secret" not in str(caught.value)


def test_only_what_was_written_whole_is_pushed(out, tmp_path):
    with pytest.raises(ConfigError, match="names no repository"):
        push(out, "a/b/c", dry_run=True)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"notes\.txt was added, lost or is a link"):
        push(out, "org/demo", dry_run=True)
    (out / "notes.txt").unlink()
    card = (out / "README.md").read_bytes()
    (out / "README.md").write_bytes(card + b"mine")
    with pytest.raises(ConfigError, match=r"README\.md was altered since this was written: export again"):
        push(out, "org/demo", dry_run=True)
    (out / "README.md").unlink()
    (tmp_path / "secret").write_bytes(card)
    (out / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match=r"README\.md was added, lost or is a link"):
        push(out, "org/demo", dry_run=True)
    with pytest.raises(ConfigError, match="is no export and no set with sides"):
        push(tmp_path, "org/demo", dry_run=True)
