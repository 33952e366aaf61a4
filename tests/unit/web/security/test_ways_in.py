from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hopper.web.security.roles import Role
from tests.unit.web.security.site import (
    ANY_ADDRESS,
    HTML,
    Clock,
    app_of,
    ask,
    connect,
    guard_of,
    with_user,
)

# --- open on loopback


def test_without_users_everybody_on_this_machine_is_admin(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path))
    assert ask(app, path="/settings").status == 200
    assert ask(app, "POST", "/act").status == 200


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_what_comes_through_a_proxy_is_not_this_machine(tmp_path: Path, header: str) -> None:
    assert ask(app_of(guard_of(tmp_path)), headers={header: "127.0.0.1"}).status == 401


def test_another_machine_is_not_this_machine(tmp_path: Path) -> None:
    assert ask(app_of(guard_of(tmp_path)), client="10.0.0.9").status == 401


def test_a_public_address_is_never_open(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path, host=ANY_ADDRESS))
    assert ask(app).status == 401


def test_once_there_is_somebody_a_login_is_needed(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    app = app_of(guard)
    assert ask(app).status == 200
    guard_of(tmp_path).tokens.create("ci", Role.VIEWER, now=guard.now())
    assert ask(app).status == 401


def test_accounts_that_cannot_be_read_open_nothing(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    app = app_of(guard)
    (tmp_path / "web" / "users.json").write_text("{}")
    assert ask(app).status == 503
    assert connect(app)[0]["type"] == "websocket.close"


# --- who may


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        (Role.VIEWER, "GET", "/", 200),
        (Role.VIEWER, "POST", "/act", 403),
        (Role.VIEWER, "POST", "/bare", 403),
        (Role.VIEWER, "GET", "/settings", 403),
        (Role.OPERATOR, "POST", "/act", 200),
        (Role.OPERATOR, "POST", "/bare", 200),
        (Role.OPERATOR, "GET", "/settings", 403),
        (Role.OPERATOR, "GET", "/api/agent/next", 403),
        (Role.ADMIN, "GET", "/settings", 200),
        (Role.ADMIN, "GET", "/api/agent/next", 200),
        (Role.AGENT, "GET", "/api/agent/next", 200),
        (Role.AGENT, "GET", "/", 403),
        (Role.AGENT, "POST", "/act", 403),
        (Role.AGENT, "POST", "/bare", 403),
        (Role.AGENT, "GET", "/settings", 403),
    ],
)
def test_roles_by_token(tmp_path: Path, role: Role, method: str, path: str, status: int) -> None:
    guard = guard_of(tmp_path)
    secret, _ = guard.tokens.create("ci", role, now=guard.now())
    answer = ask(app_of(guard), method, path, {"authorization": f"Bearer {secret}"})
    assert answer.status == status
    if answer.status == 200 and path not in ("/", "/bare"):
        assert answer.text == '"token ci"'


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer hop_short", "bearer \u00e4", "Bearer " + "x" * 9000]
)
def test_a_token_that_is_none_is_refused_even_on_loopback(tmp_path: Path, header: str) -> None:
    answer = ask(app_of(guard_of(tmp_path)), headers={"authorization": header})
    assert answer.status == 401
    assert answer.header("www-authenticate") == 'Bearer realm="hopper"'
    assert answer.header("content-type") == "application/problem+json"


def test_a_proxy_may_have_a_password_of_its_own(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    headers = {"authorization": "Basic !!notbase64", "cookie": with_user(guard)}
    assert ask(app_of(guard), headers=headers).status == 200


def test_a_browser_is_led_to_the_login_and_back(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    with_user(guard)
    app = app_of(guard)
    answer = ask(app, path="/run/a b?tab=x&y=//evil", headers=HTML)
    assert answer.status == 303
    assert answer.header("location") == "/login?next=%2Frun%2Fa%2520b%3Ftab%3Dx%26y%3D%2F%2Fevil"
    part = ask(app, headers={"hx-request": "true", "hx-current-url": "https://a.b/jobs?q=1"})
    assert (part.status, part.header("hx-redirect")) == (401, "/login?next=%2Fjobs%3Fq%3D1")


def test_the_login_is_below_the_prefix(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    with_user(guard)
    answer = ask(app_of(guard), path="/hop/jobs", headers=HTML, root_path="/hop")
    assert answer.header("location") == "/hop/login?next=%2Fhop%2Fjobs"


def test_public_paths_need_no_login(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    with_user(guard)
    app = app_of(guard)
    assert ask(app, path="/static/x.css").status == 200
    assert ask(app, path="/p/static/x.css", root_path="/p").status == 200
    for path in ("/static", "/loginx", "/login/x", "/healthy", "/x/static/"):
        assert ask(app, path=path).status == 401


# --- sessions


def test_a_changed_account_is_seen_at_once(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    headers = {"cookie": with_user(guard)}
    app, command_line = app_of(guard), guard_of(tmp_path).accounts
    assert ask(app, path="/settings", headers=headers).status == 200
    command_line.set_role("alice", Role.VIEWER)
    assert ask(app, path="/settings", headers=headers).status == 403
    command_line.set_password("alice", "another")
    assert ask(app, headers=headers).status == 401


def test_a_removed_account_is_over(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    headers = {"cookie": with_user(guard)}
    with_user(guard, "bob")
    app = app_of(guard)
    guard.accounts.remove("alice")
    guard.accounts.add("alice", Role.ADMIN, "again")
    assert ask(app, headers=headers).status == 401


def test_a_session_lives_on_in_the_next_server(tmp_path: Path) -> None:
    cookie = with_user(guard_of(tmp_path))
    assert ask(app_of(guard_of(tmp_path)), headers={"cookie": cookie}).status == 200


def test_a_session_in_use_goes_on_and_an_idle_one_ends(tmp_path: Path) -> None:
    clock = Clock()
    guard = guard_of(tmp_path, clock=clock, session_idle=timedelta(hours=10))
    app, headers = app_of(guard), {"cookie": with_user(guard)}
    for _ in range(3):
        clock.later(hours=9)
        assert ask(app, headers=headers).status == 200
    clock.later(hours=11)
    assert ask(app, headers=headers).status == 401


@pytest.mark.parametrize("value", ["", "x", "=" * 43, "\u00ff" * 43, "a" * 43])
def test_a_made_up_session_is_none(tmp_path: Path, value: str) -> None:
    guard = guard_of(tmp_path)
    good = with_user(guard)
    app = app_of(guard)
    cookie = f"{guard.session_cookie}={value}"
    assert ask(app, headers={"cookie": cookie}).status == 401
    # One that a neighbour of the domain has set hides the right one from nobody.
    assert ask(app, headers={"cookie": f"{cookie}; {good}"}).status == 200


def test_huge_cookies_are_refused(tmp_path: Path) -> None:
    app = app_of(guard_of(tmp_path))
    assert ask(app, headers={"cookie": "a=" + "x" * 20_000}).status == 431
    assert ask(app, headers={"cookie": ";" * 9_000 + "=;==" * 9}).status == 200
