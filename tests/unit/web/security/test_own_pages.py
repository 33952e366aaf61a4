from __future__ import annotations

from pathlib import Path

import pytest

from hopper.web.security.roles import Role
from tests.unit.web.security.site import (
    FORM,
    HERE,
    HTML,
    app_of,
    ask,
    connect,
    csrf_of,
    guard_of,
    with_user,
)

# --- made by our own pages


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9000"},
        {"origin": "http://localhost"},
        {"origin": "http://[::1%25eth0]:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", **HERE},
        {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
    ],
)
def test_other_sites_change_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    guard = guard_of(tmp_path)
    cookie = with_user(guard)
    app = app_of(guard)
    full = {**headers, "cookie": cookie, "x-csrf-token": csrf_of(guard, cookie)}
    assert ask(app, "POST", "/act", full).status == 403
    assert connect(app, full)[0]["type"] == "websocket.close"
    assert ask(app, "POST", "/act", {**full, **HERE, "sec-fetch-site": "same-origin"}).status == 200


def test_other_sites_change_nothing_where_it_is_open(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path))
    assert ask(app, "POST", "/act", {"origin": "http://evil.example"}).status == 403
    assert ask(app, "POST", "/act", HERE).status == 403  # no form's token
    assert connect(app, {"origin": "http://evil.example"})[0]["type"] == "websocket.close"


def test_a_form_needs_its_token(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    app, cookie = app_of(guard), with_user(guard)
    base = {"cookie": cookie, **HERE}
    token = ask(app, headers=base).text
    assert ask(app, "POST", "/act", base).status == 403
    assert ask(app, "POST", "/act", {**base, "x-csrf-token": "0" * 64}).status == 403
    assert ask(app, "POST", "/act", {**base, "x-csrf-token": "\u00e4"}).status == 403
    assert ask(app, "POST", "/act", {**base, "x-csrf-token": token}).status == 200
    other = csrf_of(guard, with_user(guard, "bob"))
    assert ask(app, "POST", "/act", {**base, "x-csrf-token": other}).status == 403


def test_a_token_as_a_field_leaves_the_form_whole(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    app, cookie = app_of(guard), with_user(guard)
    base = {"cookie": cookie, **HERE, **FORM}
    field = f"csrf_token={csrf_of(guard, cookie)}"
    answer = ask(app, "POST", "/login", base, body=f"name=al&{field}".encode())
    assert (answer.status, answer.text) == (200, '"al"')
    for body in (b"", field.replace("=", "=x").encode(), f"{field}&{field}".encode(), b"\xff=%"):
        assert ask(app, "POST", "/login", base, body=body).status == 403
    assert ask(app, "POST", "/login", base, body=field.encode() + b"x" * 70_000).status == 413
    # A multipart body is never held: its token comes as a header.
    upload = {**base, "content-type": "multipart/form-data; boundary=b"}
    assert ask(app, "POST", "/bare", upload, body=field.encode()).status == 403
    upload["x-csrf-token"] = csrf_of(guard, cookie)
    assert ask(app, "POST", "/bare", upload, body=b"x" * 200_000).text == "200000"


def test_a_visitor_gets_a_cookie_with_the_first_form(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    app = app_of(guard)
    first = ask(app, headers=HTML)
    said = first.header("set-cookie") or ""
    assert "HttpOnly; SameSite=Lax" in said
    assert "Secure" not in said
    headers = {"cookie": first.cookie, **HERE, "x-csrf-token": first.text}
    assert ask(app, "POST", "/act", headers).status == 200
    assert ask(app, headers=headers).header("set-cookie") is None
    assert "Secure" in (ask(app, scheme="https").header("set-cookie") or "")
    prefixed = ask(app, path="/hop/", root_path="/hop").header("set-cookie") or ""
    assert "Path=/hop;" in prefixed


def test_https_is_not_talked_to_from_http(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path))
    headers = {"origin": "http://localhost", "host": "localhost"}
    assert "another site" in ask(app, "POST", "/act", headers, scheme="https").text
    behind_proxy = {"origin": "https://localhost", "host": "localhost"}
    assert "form's token" in ask(app, "POST", "/act", behind_proxy).text


# --- websockets


def test_a_websocket_has_the_same_ways_in(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    cookie = with_user(guard)
    app = app_of(guard)
    secret, _ = guard.tokens.create("ci", Role.OPERATOR, now=guard.now())
    weak, _ = guard.tokens.create("eye", Role.VIEWER, now=guard.now())
    assert connect(app, {"cookie": cookie, **HERE})[1]["text"] == "alice"
    assert connect(app, {"authorization": f"Bearer {secret}"})[1]["text"] == "token ci"
    for headers in (
        {},
        HERE,
        {"cookie": cookie},
        {"authorization": f"Bearer {weak}"},
        {"cookie": cookie, **HERE, "host": "evil.example"},
    ):
        assert [message["type"] for message in connect(app, headers)] == ["websocket.close"]
