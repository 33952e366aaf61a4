"""Users and tokens from the browser, and one's own password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hopper.config.load import load
from hopper.store.state import StateStore
from hopper.web.security.guard import local_person
from hopper.web.security.roles import Role
from tests.unit.web.pages.browsing import Browser, a_home, browser
from tests.unit.web.security.site import CHEAP, PASSWORD

OTHER = "staple battery 8"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return a_home(tmp_path)


@pytest.fixture
def client(home: Path) -> Iterator[Browser]:
    with browser(home) as found:
        found.site.guard.passwords = CHEAP
        yield found


def records(home: Path) -> list[tuple[str, object]]:
    with StateStore.open(load(home).paths.db, readonly=True) as store:
        return [
            (event.reason, event.data.get("by"))
            for event in store.events()
            if event.kind == "account_changed"
        ]


def log_in(client: Browser, name: str, password: str) -> int:
    fields: dict[str, Any] = {"name": name, "password": password, "next": "/account"}
    answer = client.post("/login", part=False, page="/login", **fields)
    return answer.status_code


def with_admin(client: Browser) -> None:
    new: dict[str, Any] = {"name": "ada", "role": "admin", "password": PASSWORD}
    answer = client.post("/accounts/users", **new)
    assert answer.headers["hx-redirect"].startswith("/login?next=")
    assert log_in(client, "ada", PASSWORD) == 303


def test_the_first_user_is_an_admin_and_a_login_is_asked_for_then(
    home: Path, client: Browser
) -> None:
    assert "may do everything" in client.get("/accounts").text
    new: dict[str, Any] = {"name": "bob", "role": "viewer", "password": PASSWORD}
    assert client.post("/accounts/users", **new).status_code == 409
    assert client.post("/accounts/tokens", name="ci", role="viewer").status_code == 409
    assert client.site.guard.open
    with_admin(client)
    assert client.get("/accounts").status_code == 200
    assert records(home) == [("user ada made as admin", local_person().name)]


def test_users_are_made_changed_and_removed(home: Path, client: Browser) -> None:
    with_admin(client)
    new: dict[str, Any] = {"name": "bob", "role": "viewer", "password": OTHER}
    assert client.post("/accounts/users", **new).status_code == 200
    assert client.post("/accounts/users", **new).status_code == 409
    assert client.post("/accounts/users", **{**new, "name": "B b"}).status_code == 422
    assert client.post("/accounts/users", **{**new, "role": "agent"}).status_code == 422
    assert client.post("/accounts/users/bob/password", password="x").status_code == 422
    before = client.site.guard.accounts.all()["bob"].generation
    assert client.post("/accounts/users/bob/password", password=PASSWORD).status_code == 200
    assert client.site.guard.accounts.all()["bob"].generation != before
    assert client.post("/accounts/users/bob/role", role="operator").status_code == 200
    assert "<td>operator</td>" in client.get("/accounts").text
    assert client.post("/accounts/users/bob/remove", part=False).status_code == 303
    assert client.post("/accounts/users/bob/remove").status_code == 404
    assert [by for _, by in records(home)][1:] == ["ada"] * 4
    assert PASSWORD not in str(records(home))


def test_nobody_puts_themselves_out(client: Browser) -> None:
    with_admin(client)
    assert client.post("/accounts/users/ada/remove").status_code == 409
    assert client.post("/accounts/users/ada/role", role="viewer").status_code == 409
    assert client.site.guard.accounts.all()["ada"].role is Role.ADMIN


def test_a_token_is_shown_once(home: Path, client: Browser) -> None:
    with_admin(client)
    made = client.post("/accounts/tokens", name="ci", role="operator", days="7")
    (secret,) = re.findall(r"hop_[\w-]{43}", made.text)
    assert made.headers["cache-control"] == "no-store"
    found = client.site.guard.by_token(secret)
    assert found is not None
    assert found.role is Role.OPERATOR
    page = client.get("/accounts").text
    assert 'id="token-ci"' in page
    assert secret not in page
    for fields in ({"days": "0"}, {"days": "soon"}, {"role": "king"}, {"name": "ci"}):
        said: dict[str, Any] = {"name": "other", "role": "viewer", **fields}
        assert client.post("/accounts/tokens", **said).status_code in {409, 422}
    assert client.post("/accounts/tokens/ci/revoke").status_code == 200
    assert client.post("/accounts/tokens/ci/revoke").status_code == 404
    assert client.site.guard.by_token(secret) is None
    assert records(home)[-1] == ("token ci revoked", "ada")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_accounts_are_for_admins(client: Browser, role: Role) -> None:
    client.as_role(role)
    assert client.get("/accounts").status_code == 403
    assert client.post("/accounts/users/ada/remove").status_code == 403


def test_everybody_changes_their_own_password(home: Path, client: Browser) -> None:
    with_admin(client)
    client.post("/accounts/users", name="bob", role="viewer", password=PASSWORD)
    client.post("/logout", part=False)
    assert log_in(client, "bob", PASSWORD) == 303
    new: dict[str, Any] = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    wrong: list[dict[str, Any]] = [
        {"current": OTHER},
        {"again": PASSWORD},
        {"password": "short", "again": "short"},
    ]
    for fields in wrong:
        answer = client.post("/account", part=False, page="/account", **{**new, **fields})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    old = client.site.guard.accounts.all()["bob"].hashed
    answer = client.post("/account", part=False, page="/account", **new)
    assert answer.status_code == 303
    assert client.site.guard.accounts.all()["bob"].hashed != old
    # The session goes on with another id; the password before is none any more.
    assert "Your password is changed" in client.get(answer.headers["location"]).text
    assert records(home)[-1] == ("password of user bob changed", "bob")
    client.post("/logout", part=False)
    assert log_in(client, "bob", PASSWORD) == 401
    assert log_in(client, "bob", OTHER) == 303


def test_on_this_machine_there_is_no_password_to_change(client: Browser) -> None:
    assert "no password to change" in client.get("/account").text
    new: dict[str, Any] = {"current": PASSWORD, "password": OTHER, "again": OTHER}
    assert client.post("/account", **new).status_code == 404
