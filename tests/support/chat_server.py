"""A stand-in for a chat endpoint: a function of the request decides what it answers."""

import json
import re
import threading

from werkzeug import Response


class Chat:
    """What was asked, and the answers: `answer(words, request)` gives a text, a message, or a whole Response."""

    def __init__(self, httpserver, answer):
        self.asked, self._answer, self._lock = [], answer, threading.Lock()
        httpserver.expect_request(re.compile("/v1/.*")).respond_with_handler(self._handle)
        self.url = httpserver.url_for("/v1")

    def _handle(self, request):
        body = request.get_json()
        with self._lock:
            self.asked.append(body)
        given = self._answer(words(body), body)
        if isinstance(given, Response):
            return given
        finish = given.pop("finish_reason", "stop") if isinstance(given, dict) else "stop"
        message = given if isinstance(given, dict) else {"content": given}
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
        reply = {"id": "x", "object": "chat.completion", "created": 0, "model": "served-m", "choices": [choice],
                 "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}  # fmt: skip
        return Response(json.dumps(reply), content_type="application/json")


def words(body):
    """The text of the last message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else next(p["text"] for p in content if p["type"] == "text")


def pictures(body):
    """The data addresses of the pictures in the last message."""
    content = body["messages"][-1]["content"]
    return [] if isinstance(content, str) else [p["image_url"]["url"] for p in content if p["type"] == "image_url"]


def fault(status, said, **headers):
    """An error as such endpoints give it."""
    body = json.dumps({"error": {"message": said}})
    return Response(body, status=status, content_type="application/json", headers=headers)
