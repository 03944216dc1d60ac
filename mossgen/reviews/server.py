"""The server of the review page: loopback only, every address under a secret token, no other origin.

It refuses another Host (DNS rebinding), another Origin or site (a page open in the same browser), a missing or wrong
token (another user of this machine), and a body that is not a small JSON. The page loads nothing from elsewhere.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mossgen.errors import ConfigError, MossgenError, UsageError
from mossgen.reviews.page import served_page
from mossgen.reviews.session import Session

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")  # the port may differ: it does behind `ssh -L`
MAX_BODY = 64_000  # bytes of a vote
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class ReviewServer(ThreadingHTTPServer):
    """Serves one review until it is shut down. `url` is the address to open; whoever knows it may vote."""

    allow_reuse_address = sys.platform != "win32"  # there it would let a second server take the port
    daemon_threads = True

    def __init__(self, session: Session, title: str, port: int = 0, reviewer: str = "") -> None:
        """Binds the port (0: any free one). Raises ConfigError if it is not available."""
        self.session = session
        self.token = secrets.token_urlsafe(24)
        html, policy = served_page(title, reviewer)
        self.page, self.policy = html.encode(), f"{policy}; frame-ancestors 'none'"
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"Port {port} cannot be used ({error.strerror}): choose another `port`, or none for any free one."
            ) from None
        self.url = f"http://{HOST}:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a browser that disconnects; logs all other errors."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            logging.getLogger(__name__).exception("a request to the review page failed")


class _Refused(Exception):
    """A refused request: a status and a sentence."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    timeout = 30  # seconds before a silent connection is closed
    server_version, sys_version = "mossgen", ""

    def do_GET(self) -> None:
        """Sends the page, a reviewer's state or a picture."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Adds a vote, or takes one back."""
        self._answer(self._post)

    def _answer(self, respond: Any) -> None:
        try:
            kind, body = respond(self._route())
            self._send(HTTPStatus.OK, kind, body)
        except _Refused as error:
            self._send_json({"error": str(error)}, error.status)
        except MossgenError as error:
            bad = isinstance(error, UsageError)
            self._send_json(
                {"error": _sentence(error)}, HTTPStatus.BAD_REQUEST if bad else HTTPStatus.INTERNAL_SERVER_ERROR
            )

    def _route(self) -> str:
        """Returns the path after the token if the request is allowed. Raises _Refused."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host.rpartition(":")[0] not in NAMES and host not in NAMES:
            raise _Refused(HTTPStatus.FORBIDDEN, "This address is not this machine's: open the one mossgen printed.")
        if origin != f"http://{host}" and (origin is not None or self.command == "POST"):
            raise _Refused(HTTPStatus.FORBIDDEN, "Another site may not use this review.")
        token, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "The token is missing or wrong: open the address mossgen printed.")
        # the page itself may be opened from a link, such as in a terminal that is a web page
        if rest and self.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise _Refused(HTTPStatus.FORBIDDEN, "Another site may not use this review.")
        return rest

    def _get(self, path: str) -> tuple[str, bytes]:
        if path == "":
            return "text/html; charset=utf-8", self.server.page
        if path == "state":
            asked = parse_qs(urlsplit(self.path).query).get("reviewer", [""])
            return _json(self.server.session.state(asked[0]))
        if path.startswith("picture/"):
            return "image/png", self.server.session.picture(path.removeprefix("picture/"))
        raise _Refused(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _post(self, path: str) -> tuple[str, bytes]:
        session = self.server.session
        if path not in ("vote", "undo"):
            raise _Refused(HTTPStatus.NOT_FOUND, "There is no such page.")
        return _json((session.vote if path == "vote" else session.undo)(self._body()))

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A vote is JSON.")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > MAX_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A vote is at most {MAX_BODY:,} bytes.")
        try:
            data = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST, "That is no JSON.") from None
        if not isinstance(data, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "A vote is a JSON object.")
        return data

    def _send_json(self, value: object, status: HTTPStatus) -> None:
        self._send(status, *_json(value))

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Security-Policy": self.server.policy}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing, since every address contains the token."""


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[0].upper() + text[1:].removesuffix(".") + "."


def _json(value: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(value, ensure_ascii=False).encode()
