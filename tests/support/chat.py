"""A stand-in for a chat endpoint that answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

Answer = Any  # a text, a message, an object to be sent as JSON text, a moderation, or a whole response


class Chat:
    """An endpoint below `url` that gives its `answers` in turn, the last for ever; `asked` holds the requests.

    An answer may be a function of the last message's words and the whole request, which gives one.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/v1")
        self.asked: list[Any] = []
        self.answers: list[Answer] = [lambda said, body: f"Gladly: {said}"]
        self._lock = threading.Lock()
        server.expect_request(re.compile("/v1/.*")).respond_with_handler(self._handle)

    def __call__(self, *answers: Answer) -> Chat:
        """Answers so from now on (without any as before) and forgets what it was asked. Returns itself."""
        with self._lock:
            self.asked = []
            self.answers = list(answers) or self.answers
        return self

    def _handle(self, request: Request) -> Response:
        body = request.get_json()
        with self._lock:
            self.asked.append(body)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return _response(answer if isinstance(answer, Response) or not callable(answer) else answer(words(body), body))


def _response(given: Answer) -> Response:
    if isinstance(given, Response):
        return given
    if isinstance(given, dict) and "results" in given:  # of the moderations endpoint
        return Response(json.dumps(given), content_type="application/json")
    message = dict(given) if isinstance(given, dict) and "content" in given else {"content": _text(given)}
    finish = message.pop("finish_reason", "stop")
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    reply = {"id": "x", "object": "chat.completion", "created": 0, "model": "served-m"}
    return Response(json.dumps({**reply, "choices": [choice], "usage": usage}), content_type="application/json")


def _text(given: Answer) -> str:
    return given if isinstance(given, str) else json.dumps(given)


def words(body: Any) -> str:
    """The text of a request's last message."""
    content = body["messages"][-1]["content"] if "messages" in body else body["input"]
    return content if isinstance(content, str) else next(part["text"] for part in content if part["type"] == "text")


def pictures(body: Any) -> list[str]:
    """The data addresses of the pictures in a request's last message."""
    content = body["messages"][-1]["content"]
    return [] if isinstance(content, str) else [p["image_url"]["url"] for p in content if p["type"] == "image_url"]


def fault(status: int, said: str, **headers: str) -> Response:
    """An error as such endpoints give it."""
    body = json.dumps({"error": {"message": said}})
    return Response(body, status=status, content_type="application/json", headers=headers)
