from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from hopper.web.compressing import LARGE, Compressed
from hopper.web.security.guard import Guard, GuardRules

TEXT = "<p>a page like others</p>" * 100


def asked(app: ASGIApp, takes: str = "gzip, br") -> tuple[httpx.Headers, bytes]:
    """The headers and the body as they are on the wire."""

    async def run() -> tuple[httpx.Headers, bytes]:
        transport = httpx.ASGITransport(Compressed(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            sent = client.build_request("GET", "/", headers={"Accept-Encoding": takes})
            answer = await client.send(sent, stream=True)
            raw = b"".join([part async for part in answer.aiter_raw()])
            return answer.headers, raw

    return anyio.run(run)


@pytest.mark.parametrize(
    "answer",
    [HTMLResponse(TEXT), JSONResponse({"said": TEXT}), HTMLResponse(TEXT * (LARGE // 1000))],
)
def test_a_page_is_compressed(answer: Response) -> None:
    headers, raw = asked(answer)
    assert gzip.decompress(raw) == answer.body
    assert headers["content-length"] == str(len(raw))
    assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")


@pytest.mark.parametrize("takes", ["", "br", "gzip;q=0", "gzip; q=0.0, br"])
def test_not_for_those_who_do_not_take_it(takes: str) -> None:
    headers, raw = asked(HTMLResponse(TEXT), takes)
    assert raw == TEXT.encode()
    assert "content-encoding" not in headers


def parts() -> Iterable[str]:
    yield TEXT
    yield TEXT


@pytest.mark.parametrize(
    "answer",
    [
        HTMLResponse("short"),
        Response(TEXT, media_type="text/plain"),
        Response(TEXT, media_type="application/octet-stream"),
        Response(TEXT, media_type="text/html", headers={"Content-Encoding": "br"}),
        Response(TEXT, status_code=206, media_type="text/html"),
    ],
)
def test_what_is_left_as_it_is(answer: Response) -> None:
    assert asked(answer)[1] == answer.body


def test_what_is_streamed_goes_as_it_is() -> None:
    for kind in ("text/event-stream", "text/html"):
        headers, raw = asked(StreamingResponse(parts(), media_type=kind))
        assert raw == TEXT.encode() * 2
        assert "content-encoding" not in headers


def test_the_token_of_forms_is_another_each_time_and_fits(tmp_path: Path) -> None:
    guard = Guard(tmp_path, GuardRules())
    tokens = {guard.csrf_token("cookie") for _ in range(3)}
    assert len(tokens) == 3
    assert all(guard.csrf_fits(token, ["other", "cookie"]) for token in tokens)
    assert not any(guard.csrf_fits(token, ["other"]) for token in tokens)
    (token, *_) = tokens
    for wrong in ("", "x" * 128, token[:64], token[64:], token + "00", "0" * 128, token[:-1] + "g"):
        assert not guard.csrf_fits(wrong, ["cookie"])
