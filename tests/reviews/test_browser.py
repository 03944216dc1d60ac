"""The review page in a real Chromium, served and as one file: vote, undo, keys, phone, blindness, hostile text."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.review_run import HOSTILE, QUESTIONS, SECRET, ids, make_run, serving

from mossgen.core.items import Rating
from mossgen.reviews.page import file_page
from mossgen.reviews.pool import pool
from mossgen.reviews.server import ReviewServer
from mossgen.reviews.session import Session
from mossgen.reviews.transfer import import_votes
from mossgen.reviews.votes import standing
from mossgen.runs.store import RunStore

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="no playwright here: pip install playwright")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens tabs, each a browser of its own; afterwards none has met an error or asked for anything foreign."""
    contexts, complaints, asked = [], [], []

    def new(address: str, **options: Any) -> Any:
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield new
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:"))] == []


@pytest.fixture
def run(tiny: Path, tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", tiny)


@pytest.fixture
def server(run: Path) -> Iterator[ReviewServer]:
    with serving(Session(run, reviewers=2)) as server:
        yield server


def until(page: Any, holds: str, given: Any = None) -> None:
    """Waits for an expression, or a function of `given`, to hold. Playwright's own waiting polls by eval in the page,
    which the page's content security policy refuses."""
    deadline = time.monotonic() + 15
    while not page.evaluate(holds, given):
        assert time.monotonic() < deadline, f"not within 15 s: {holds}"
        page.wait_for_timeout(20)


def begin(page: Any, name: str) -> None:
    page.fill("#reviewer", name)
    page.click("text=Begin")
    page.wait_for_selector("#item:visible, #done:visible")


def votes(run: Path) -> dict[str, dict[str, Any]]:
    with RunStore.open(run) as store:
        return standing(store.votes())


def test_vote_and_undo(run: Path, server: ReviewServer, tab: Callable[..., Any]) -> None:
    page = tab(server.url)
    begin(page, "Ada")
    until(page, "document.getElementById('picture').naturalWidth === 64")
    question = page.text_content("#question")
    assert question in QUESTIONS
    assert page.text_content("#count") == "0 of 4"
    page.check("text=Unnatural")
    page.fill("#note", "who asks that?")
    page.click("#labels >> text=borderline")
    page.wait_for_selector("#reveal:visible")
    [by] = votes(run).values()
    assert (by["Ada"].label, by["Ada"].flags, by["Ada"].note) == (
        Rating.BORDERLINE,
        ("unnatural",),
        "who asks that?",
    )
    assert page.text_content("#count") == "1 of 4"
    page.click("#undo")
    page.wait_for_selector("#labels:visible")
    assert votes(run) == {}
    assert (page.text_content("#question"), page.is_checked("text=Unnatural")) == (question, True)
    assert page.input_value("#note") == "who asks that?"
    with RunStore.open(run) as store:
        assert [vote.label for vote in store.votes()] == [Rating.BORDERLINE, None]


def test_keys_alone_do_it(run: Path, server: ReviewServer, tab: Callable[..., Any]) -> None:
    page = tab(server.url)
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    page.wait_for_selector("#item:visible")
    for keys in (["m", "g", "3"], ["h", "1", "h", "1"], ["w", *"1u", "Escape", "2"], ["1"]):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_selector("#reveal:visible")
        page.keyboard.press("Enter")
    page.wait_for_selector("#done:visible")
    given = [by["Ada"] for by in votes(run).values()]
    assert [vote.label for vote in given] == [
        Rating.HARMFUL,
        Rating.BENIGN,
        Rating.BORDERLINE,
        Rating.BENIGN,
    ]
    assert given[0].flags == ("mismatch", "too_generic")
    assert given[1].flags == ()  # benign was refused while harmful was ticked
    assert given[2].note == "1u"
    page.keyboard.press("u")
    page.wait_for_selector("#item:visible")
    assert len(votes(run)) == 3


def test_the_second_reviewer_is_blind_until_the_vote(run: Path, server: ReviewServer, tab: Callable[..., Any]) -> None:
    ada = tab(server.url)
    begin(ada, "Ada")
    for n in range(1, 5):
        ada.keyboard.press("1")
        ada.wait_for_selector("#reveal:visible")
        assert "Nobody else has voted" in ada.text_content("#others")
        ada.keyboard.press("Enter")
        until(ada, f"document.getElementById('count').textContent === '{n} of 4'")
    heard: list[str] = []
    ben = tab(server.url)
    ben.on("response", lambda r: heard.append(r.text()) if "json" in r.headers.get("content-type", "") else None)
    begin(ben, "Ben")
    assert ben.text_content("#count") == "0 of 4"
    told = ben.content() + "".join(heard)
    assert "Ada" not in told
    assert SECRET not in told
    ben.keyboard.press("3")
    ben.wait_for_selector("#reveal:visible")
    assert "Ada said benign" in ben.text_content("#others")
    assert SECRET in ben.text_content("#verdicts")
    assert "Ada said harmful" not in ben.content()


def test_a_settled_item_is_not_offered_to_a_third(run: Path, server: ReviewServer, tab: Callable[..., Any]) -> None:
    session = Session(run, reviewers=2)
    first, second = ids(run)[:2]
    for name, other in (("Ada", "benign"), ("Ben", "harmful")):
        session.vote({"item": first, "reviewer": name, "label": "benign"})
        session.vote({"item": second, "reviewer": name, "label": other})
    page = tab(server.url)
    begin(page, "Eve")
    assert page.text_content("#count") == "0 of 3"


def test_a_wrong_token_is_refused(server: ReviewServer, chromium: Any) -> None:
    page = chromium.new_page()
    for address in (server.url.replace(server.token, "x" * 32), server.url.replace(server.token + "/", "")):
        answer = page.goto(address)
        assert answer.status == 403
        assert "token is missing or wrong" in page.content()
    page.close()


def test_hostile_text_is_text(run: Path, server: ReviewServer, tab: Callable[..., Any], tmp_path: Path) -> None:
    Session(run).vote({"item": ids(run)[1], "reviewer": HOSTILE[:80], "label": "harmful", "note": HOSTILE})
    (tmp_path / "review.html").write_text(one_file(run), encoding="utf-8")
    for address in (server.url, (tmp_path / "review.html").as_uri()):
        page = tab(address)
        begin(page, "<b>Ada</b>")
        while page.text_content("#question") != HOSTILE:
            before = page.text_content("#question")
            page.keyboard.press("1")
            moved = "document.getElementById('question').textContent !== q"
            until(page, f"q => !document.getElementById('reveal').hidden || {moved}", before)
            page.keyboard.press("Enter")
        page.keyboard.press("2")
        page.wait_for_timeout(200)
        assert page.evaluate("window.hacked") is None
        assert page.locator("#item img").count() == 1
        assert page.text_content("#name") == "<b>Ada</b>"
    served = tab(server.url)
    begin(served, "Ben")
    assert served.evaluate("window.hacked") is None


def one_file(run: Path) -> str:
    with RunStore.open(run) as store:
        return file_page(store, pool(store))


def test_the_one_file_page_gives_a_csv_that_comes_back(run: Path, tab: Callable[..., Any], tmp_path: Path) -> None:
    html = one_file(run)
    assert SECRET not in html
    (tmp_path / "review.html").write_text(html, encoding="utf-8")
    page = tab((tmp_path / "review.html").as_uri(), accept_downloads=True, viewport=PHONE["viewport"])
    begin(page, "Ada  Lovelace")
    page.fill("#note", '=HYPERLINK("x"), "quoted"\nand a second line; ünïcode')
    page.check("text=Unclear intent")
    page.click("#labels >> text=harmful")
    until(page, "document.getElementById('count').textContent === '1 of 4'")
    page.dblclick("#labels >> text=benign")
    until(page, "document.getElementById('count').textContent === '2 of 4'")
    page.wait_for_timeout(100)
    assert page.text_content("#count") == "2 of 4"  # the second click did not vote on the next item
    page.keyboard.press("u")
    until(page, "document.getElementById('count').textContent === '1 of 4'")
    page.reload()
    begin(page, "Ada Lovelace")
    assert page.text_content("#count") == "1 of 4"  # this browser remembers
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "votes-Ada-Lovelace.csv"
    download.value.save_as(tmp_path / "votes.csv")
    with RunStore.open(run) as store:
        done = import_votes(store, tmp_path / "votes.csv")
        assert (done.added, done.known) == (3, 0)
        history = store.votes()
    assert [vote.label for vote in history] == [Rating.HARMFUL, Rating.BENIGN, None]
    assert history[0].note == '=HYPERLINK("x"), "quoted"\nand a second line; ünïcode'
    assert history[0].flags == ("unclear_intent",)
    assert {vote.reviewer for vote in history} == {"Ada Lovelace"}


def test_it_works_on_a_phone(run: Path, server: ReviewServer, tab: Callable[..., Any]) -> None:
    page = tab(server.url, **PHONE)
    begin(page, "Ada")
    until(page, "document.getElementById('picture').naturalWidth === 64")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for label in Rating:
        box = page.locator(f"#labels button.{label}").bounding_box()
        assert box["y"] + box["height"] <= 844  # in reach without scrolling
        assert box["height"] >= 44
    page.tap("text=Mismatch")
    page.tap("#labels button.harmful")
    page.wait_for_selector("#reveal:visible")
    [by] = votes(run).values()
    assert by["Ada"].flags == ("mismatch",)


def test_a_server_that_is_gone_is_said_and_nothing_is_lost(run: Path, chromium: Any) -> None:
    with ReviewServer(Session(run), "tiny") as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        page = chromium.new_context().new_page()
        page.goto(serving.url)
        begin(page, "Ada")
        serving.shutdown()
        thread.join()
    page.fill("#note", "kept")
    page.evaluate("document.querySelector('#labels button.benign').click()")
    page.wait_for_selector("#message:visible")
    assert "nothing was kept" in page.text_content("#message")
    assert page.input_value("#note") == "kept"
    assert votes(run) == {}
    page.context.close()
