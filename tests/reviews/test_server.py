"""The review server by itself: who is refused, what is never told, and that votes outlive it."""

import functools
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.review_run import SECRET, ids, make_run, serving

from mossgen.core.items import Rating, State
from mossgen.errors import ConfigError
from mossgen.reviews.server import MAX_BODY, ReviewServer
from mossgen.reviews.session import Session
from mossgen.runs.store import RunStore


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", tiny)


@pytest.fixture
def server(run: Path) -> Iterator[ReviewServer]:
    with serving(Session(run, rejected=1)) as server:
        yield server


def ask(
    server: ReviewServer, path: str = "", body: object = None, token: str | None = None, **headers: str | None
) -> tuple[int, Any, dict[str, str]]:
    """Status, body (parsed where it is JSON) and headers; a `body` is posted as the page does, but for `headers`."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent: dict[str, str | None] = {"Host": f"127.0.0.1:{port}"}
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    if data is not None:
        sent |= {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json",
                 "Content-Length": str(len(data))}  # fmt: skip
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest("GET" if data is None else "POST", f"/{token or server.token}/{path}", skip_host=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(data)
    answer = connection.getresponse()
    raw, found = answer.read(), dict(answer.getheaders())
    connection.close()
    return answer.status, json.loads(raw) if "json" in found.get("Content-Type", "") else raw, found


def vote(run: Path, **changes: object) -> dict[str, object]:
    return {"item": ids(run)[0], "reviewer": "Ada", "label": "benign", "flags": [], "note": "", **changes}


def stored(run: Path) -> int:
    with RunStore.open(run) as store:
        return len(store.votes())


def test_the_page_and_its_headers(server: ReviewServer) -> None:
    status, page, headers = ask(server)
    assert status == 200
    assert b"<script>" in page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert server.server_address[0] == "127.0.0.1"
    assert b"http" not in page.replace(b'http-equiv="Content-Security-Policy"', b"")


REFUSED = {
    "another token": ({"token": "x" * 32}, "token"),
    "a token that is no ASCII": ({"token": "%C3%A9"}, "token"),
    "another host": ({"Host": "evil.example"}, "this machine"),
    "a host that only begins right": ({"Host": "127.0.0.1.evil.example:80"}, "this machine"),
    "no host": ({"Host": None}, "this machine"),
    "another origin": ({"Origin": "https://evil.example"}, "Another site"),
    "another port of this machine": ({"Origin": "http://127.0.0.1:1"}, "Another site"),
    "a page without an origin": ({"Origin": "null"}, "Another site"),
    "no origin": ({"Origin": None}, "Another site"),
    "another site, as the browser says": ({"Sec_Fetch_Site": "cross-site"}, "Another site"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_others_are_refused(case: str, run: Path, server: ReviewServer) -> None:
    changes, wanted = REFUSED[case]
    status, answer, _ = ask(server, "vote", vote(run), **changes)
    assert status == 403
    assert wanted in answer["error"]
    assert stored(run) == 0


def test_localhost_and_a_tunnels_port_are_fine(run: Path, server: ReviewServer) -> None:
    assert ask(server, Host="localhost:9000")[0] == 200
    assert ask(server, "vote", vote(run), Host="localhost:9000", Origin="http://localhost:9000")[0] == 200
    assert stored(run) == 1


BAD = {
    "not JSON": (b"{oops", {}, 400, "no JSON"),
    "deep": (b"[" * 60_000, {}, 400, "no JSON"),
    "not an object": (b"[]", {}, 400, "object"),
    "a form": (b"a=b", {"Content_Type": "application/x-www-form-urlencoded"}, 415, "JSON"),
    "too long": (b"x" * 10, {"Content_Length": str(MAX_BODY + 1)}, 413, "at most"),
    "negative": (b"x" * 10, {"Content_Length": "-1"}, 413, "at most"),
    "unknown item": ({"item": "mg1-0"}, {}, 400, "not in this run"),
    "item of another kind": ({"item": 3}, {}, 400, "texts"),
    "unknown label": ({"label": "fine"}, {}, 400, "none of benign, borderline, harmful"),
    "no label": ({"label": None}, {}, 400, "needs a label"),
    "unknown flag": ({"flags": ["rude"]}, {}, 400, "not on the checklist"),
    "flags of another kind": ({"flags": [{}]}, {}, 400, "not on the checklist"),
    "contradiction": ({"flags": ["harmful"]}, {}, 400, "benign with harmful ticked"),
    "no name": ({"reviewer": "  "}, {}, 400, "printable characters"),
    "a name with a zero byte": ({"reviewer": "A\0"}, {}, 400, "printable characters"),
    "a novel": ({"note": "x" * 2001}, {}, 400, "2001 characters"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_votes_are_a_sentence(case: str, run: Path, server: ReviewServer) -> None:
    body, headers, code, wanted = BAD[case]
    status, answer, _ = ask(server, "vote", vote(run, **body) if isinstance(body, dict) else body, **headers)
    assert (status, wanted in answer["error"]) == (code, True), answer
    assert answer["error"][0].isupper()
    assert stored(run) == 0


def test_nothing_is_told_before_the_vote(run: Path, server: ReviewServer) -> None:
    everything = [*ids(run), ids(run, State.REJECTED)[0], ids(run, State.REJECTED)[1]]
    ask(server, "vote", vote(run, reviewer="Ben", label="harmful", flags=["harmful"]))
    _, state, _ = ask(server, "state?reviewer=Ada")
    assert {item["id"] for item in state["items"]} < set(everything)
    assert len(state["items"]) == 5  # four accepted and, unmarked among them, one rejected
    assert all(set(item) == {"id", "question"} for item in state["items"])
    assert state["votes"] == []
    _, told, _ = ask(server, "vote", vote(run))
    assert told["verdicts"][0]["reason"] == SECRET
    assert [(other["reviewer"], other["label"]) for other in told["others"]] == [("Ben", "harmful")]


def test_each_reviewer_has_an_order_of_their_own(server: ReviewServer) -> None:
    orders = {name: [i["id"] for i in ask(server, f"state?reviewer={name}")[1]["items"]] for name in "ABCD"}
    assert ask(server, "state?reviewer=A")[1]["items"][0]["id"] == orders["A"][0]
    assert len({tuple(order) for order in orders.values()}) > 1


def test_a_name_keeps_its_first_spelling(run: Path, server: ReviewServer) -> None:
    ask(server, "vote", vote(run))
    _, state, _ = ask(server, "state?reviewer=%20aDA%20")
    assert state["reviewer"] == "Ada"
    assert len(state["votes"]) == 1


def test_undo_needs_a_vote(run: Path, server: ReviewServer) -> None:
    status, answer, _ = ask(server, "undo", vote(run))
    assert status == 400
    assert "no vote" in answer["error"]
    ask(server, "vote", vote(run, note="hm"))
    assert ask(server, "undo", vote(run))[1]["note"] == "hm"
    assert ask(server, "undo", vote(run))[0] == 400
    assert stored(run) == 2


def test_pictures_and_unknown_addresses(run: Path, server: ReviewServer) -> None:
    status, png, headers = ask(server, f"picture/{ids(run)[0]}")
    assert (status, png[:4], headers["Content-Type"]) == (200, b"\x89PNG", "image/png")
    assert ask(server, "picture/../run.db")[0] == 400
    assert ask(server, "run.db")[0] == 404
    assert ask(server, "votes", vote(run))[0] == 404


def test_a_silent_connection_keeps_nobody_waiting(run: Path, server: ReviewServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1])):
        assert ask(server, "vote", vote(run))[0] == 200


def test_many_reviewers_at_once_lose_no_vote(run: Path, server: ReviewServer) -> None:
    def work(name: str) -> None:
        for item in ids(run):
            assert ask(server, "vote", vote(run, item=item, reviewer=name, label=Rating.BENIGN))[0] == 200

    threads = [threading.Thread(target=work, args=(f"R{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(run) == 16


def test_a_port_in_use_is_a_sentence(run: Path, server: ReviewServer) -> None:
    with pytest.raises(ConfigError, match=r"Port \d+ cannot be used"):
        ReviewServer(Session(run), "tiny", server.server_address[1])


def test_the_command_serves_until_it_is_interrupted(run: Path) -> None:
    command = [sys.executable, "-m", "mossgen", "review", str(run), "--reviewer", "Ada <3", "--json"]
    # a shell's background jobs, such as a CI's, hand on an ignored SIGINT
    heed = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, **pipes, text=True, preexec_fn=heed)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = re.search(r"http://127.0.0.1:\d+/[\w-]{32}/", line)
        assert url, line
        with urllib.request.urlopen(url.group(), timeout=20) as page:
            assert b"Ada \\u003c3" in page.read()
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, rest
    assert json.loads(out)["items"] == 4
    assert "Traceback" not in rest
