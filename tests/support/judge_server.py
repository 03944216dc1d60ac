"""What tests of judges share: a server that answers as it is told, in the place of an endpoint; and the verbs."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mossgen.cli import main

NO, YES = "I'm sorry, but I can't help with that.", "Put it on the table, where everyone can see it."


@pytest.fixture
def server(httpserver, monkeypatch):
    """Serves `answers` in turn (the last for ever); an int is a status. Returns what was asked."""
    from werkzeug import Response

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def serve(*answers):
        asked, left = [], list(answers)

        def handle(request):
            asked.append(request.get_json())
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, tuple):
                status, words = answer
                return Response(json.dumps({"error": {"message": words}}), status, content_type="application/json")
            message = answer if isinstance(answer, dict) and "content" in answer else {"content": _text(answer)}
            body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}],
                    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}  # fmt: skip
            return Response(json.dumps(body), content_type="application/json")

        httpserver.clear_all_handlers()
        httpserver.expect_request(re.compile("/v1/.*")).respond_with_handler(handle)
        serve.url = httpserver.url_for("/v1")
        return asked

    return serve


def _text(answer):
    return answer if isinstance(answer, str) else json.dumps(answer)


def run(*arguments):
    """Exit code, the JSON on stdout, and stderr."""
    done = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout), done.stderr


def write(path: Path, *rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
