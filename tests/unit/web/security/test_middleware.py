from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.unit.web.security.site import (
    ANY_ADDRESS,
    HTML,
    app_of,
    ask,
    guard_of,
    scope_of,
    with_user,
)

# --- whom it is for


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST.", "127.3.2.1"]
)
def test_requests_for_this_machine_pass(tmp_path: Path, host: str) -> None:
    assert ask(app_of(guard_of(tmp_path)), headers={"host": host}).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("10.0.0.1", 421),
        ("0x7f.1", 421),
        ("", 400),
        ("localhost:99999", 400),
        ("localhost:", 400),
        ("localhost@evil.example", 400),
        ("localhost evil", 400),
        ("[::1%eth0]:8000", 400),
        ("::1", 400),
        ("[127.0.0.1]", 400),
        ("l\u00f6calhost", 400),
    ],
)
def test_other_hosts_are_refused(tmp_path: Path, host: str, status: int) -> None:
    answer = ask(app_of(guard_of(tmp_path)), headers={"host": host, **HTML})
    assert answer.status == status
    assert answer.text.count("\n") == 1


def test_a_request_without_host_or_with_two_is_refused(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path))
    assert ask(app, hostless=True).status == 400
    assert ask(app, headers=[("host", "localhost"), ("host", "localhost")]).status == 400


@pytest.mark.parametrize("name", ["authorization", "origin", "x-csrf-token", "content-type"])
def test_a_header_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    assert ask(app_of(guard_of(tmp_path)), headers=[(name, "a"), (name, "a")]).status == 400


def test_names_of_the_config_pass(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path, allowed_hosts=("jobs.example.org", "*.lab.org")))
    assert ask(app, headers={"host": "jobs.example.org"}).status == 200
    assert ask(app, headers={"host": "a.lab.org:80"}).status == 200
    assert ask(app, headers={"host": "lab.org"}).status == 421


def test_an_address_passes_where_all_are_listened_on(tmp_path: Path) -> None:
    guard = guard_of(tmp_path, host=ANY_ADDRESS)
    app, cookie = app_of(guard), with_user(guard)
    assert ask(app, headers={"host": "10.0.0.1:8000", "cookie": cookie}).status == 200
    assert ask(app, headers={"host": "gpu1:8000", "cookie": cookie}).status == 421


# --- what every answer has


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/nowhere", {}, 404),
        ("/", {"host": "evil.example"}, 421),
        ("/", {"authorization": "Bearer x"}, 401),
    ],
)
def test_every_answer_has_the_security_headers(
    tmp_path: Path, path: str, headers: dict[str, str], status: int
) -> None:
    answer = ask(app_of(guard_of(tmp_path)), path=path, headers=headers)
    assert answer.status == status
    expect_secured(answer.headers)
    assert "script-src 'self';" in (answer.header("content-security-policy") or "")
    assert "unsafe" not in (answer.header("content-security-policy") or "")


def expect_secured(headers: list[tuple[str, str]]) -> None:
    said = dict(headers)
    assert len(said) == len(headers)
    assert said["x-content-type-options"] == "nosniff"
    assert said["referrer-policy"] == "same-origin"
    assert said["cross-origin-opener-policy"] == "same-origin"
    assert said["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in said["permissions-policy"]
    assert said["cache-control"] == "no-store"


def test_a_page_may_have_its_own_policy_and_files_may_be_cached(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path))
    assert ask(app, path="/own-policy").header("content-security-policy") == "default-src 'self'"
    assert ask(app, path="/static/x.css").header("cache-control") == "max-age=9"


def test_a_crash_is_told_with_the_headers_and_without_details(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = scope_of("GET", "/crash", {})
    with pytest.raises(ZeroDivisionError):
        anyio.run(app_of(guard_of(tmp_path)), scope, receive, send)
    assert sent[0]["status"] == 500
    expect_secured([(k.decode(), v.decode()) for k, v in sent[0]["headers"]])
    assert b"ZeroDivision" not in sent[1]["body"]
