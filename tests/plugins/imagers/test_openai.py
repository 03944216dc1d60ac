"""The images endpoint as a client meets it: a local server that draws, sends garbage, or refuses."""

import base64
import io
import struct
import zlib

import pytest
from PIL import Image
from pytest_httpserver import HTTPServer

from mossgen.errors import BackendError
from mossgen.plugins.imagers.openai import OpenAIImager, Options, build
from mossgen.plugins.protocols import Drawing

DRAWINGS = [Drawing("a red apple", "", 1), Drawing("a blue kite", "", 2)]


def imager(server: HTTPServer) -> OpenAIImager:
    return build(Options(model="m", base_url=server.url_for("/v1"), max_retries=0, price=0.5))


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")
    return buffer.getvalue()


def bomb() -> bytes:
    chunk = b"IHDR" + struct.pack(">II", 60_000, 60_000) + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def sent(data: bytes) -> dict[str, object]:
    return {"created": 0, "data": [{"b64_json": base64.b64encode(data).decode()}]}


def test_pictures_come_and_are_paid(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/images/generations").respond_with_json(sent(png()))
    mine = imager(httpserver)
    assert [(p.mode, p.size) for p in mine.draw(DRAWINGS) if p] == [("RGB", (64, 64))] * 2
    assert mine.cost == 1.0


GARBAGE = {
    "no picture": sent(b"not a picture"),
    "half a picture": sent(png()[:60]),
    "a bomb": sent(bomb()),
    "no base64": {"data": [{"b64_json": "%%%"}]},
    "nothing": {"data": [{}]},
    "no list": {"data": None},
    "another shape": ["x"],
    "no JSON": "x",
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_is_a_sentence(case: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/images/generations").respond_with_json(GARBAGE[case])
    with pytest.raises(BackendError, match="sent"):
        imager(httpserver).draw(DRAWINGS[:1])


def test_a_fault_is_a_sentence_and_what_was_paid_is_counted(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/v1/images/generations").respond_with_json(sent(png()))
    httpserver.expect_ordered_request("/v1/images/generations").respond_with_json({"error": "no"}, status=400)
    mine = imager(httpserver)
    with pytest.raises(BackendError, match="did not draw"):
        mine.draw(DRAWINGS)
    assert mine.cost == 0.5


def test_a_prompt_that_moderation_refuses_is_left_out_alone(httpserver: HTTPServer) -> None:
    refusal = {"error": {"code": "moderation_blocked", "message": "rejected by the safety system"}}
    httpserver.expect_ordered_request("/v1/images/generations").respond_with_json(refusal, status=400)
    httpserver.expect_ordered_request("/v1/images/generations").respond_with_json(sent(png()))
    mine = build(Options(model="m", base_url=httpserver.url_for("/v1"), max_retries=0, max_connections=1))
    pictures = mine.draw(DRAWINGS)
    assert [p is None for p in pictures] == [True, False]
