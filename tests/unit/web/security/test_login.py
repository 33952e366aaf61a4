"""The login page of the whole application."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from hopper.config.load import load
from hopper.errors import UsageError
from hopper.web.app import create_app
from hopper.web.opening import open_site
from hopper.web.security.guard import Guard
from hopper.web.security.login_rate import OF_BOTH
from hopper.web.security.roles import Role
from tests.unit.web.security.site import CHEAP, FORM, HTML, PASSWORD, Answer, App, ask

MASKED = re.compile(r"[0-9a-f]{128}")


class Browser:
    """Keeps cookies, and sends forms as a browser does."""

    def __init__(self, folder: Path, **web: object) -> None:
        lines = "".join(f"  {key}: {value}\n" for key, value in web.items())
        (folder / "hopper.yaml").write_text(f"web:\n  port: 0\n{lines}", encoding="utf-8")
        self.site = open_site(load(folder / "hopper.yaml"))
        self.guard: Guard = self.site.guard
        self.guard.passwords = CHEAP
        self.app: App = create_app(self.site)
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {}

    def user(self, name: str = "alice", role: Role = Role.ADMIN) -> None:
        self.guard.accounts.add(name, role, CHEAP.hashed(PASSWORD))

    def get(self, path: str) -> Answer:
        return self._sent("GET", path, HTML, b"")

    def post(self, path: str, **fields: str) -> Answer:
        kept = [value for name, value in self.cookies.items() if value and "hopper_" in name]
        fields = {"csrf_token": self.guard.csrf_token(kept[-1]) if kept else "", **fields}
        headers = {**HTML, **FORM, "origin": "http://localhost:8000"}
        return self._sent("POST", path, headers, urlencode(fields).encode())

    def log_in(self, name: str = "alice", password: str = PASSWORD, target: str = "") -> Answer:
        self.get("/login")
        return self.post("/login", name=name, password=password, next=target)

    def _sent(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**headers, **self.headers, **({"cookie": cookies} if cookies else {})}
        answer = ask(self.app, method, path, headers, body=body)
        name, _, value = answer.cookie.partition("=")
        if name:
            self.cookies[name] = value
        return answer


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    made = Browser(tmp_path)
    made.user()
    return made


def test_in_and_out_again(browser: Browser) -> None:
    assert browser.get("/login").status == 200
    assert browser.get("/settings").header("location") == "/login?next=%2Fsettings"
    done = browser.log_in(target="/health?x=1")
    assert (done.status, done.header("location")) == (303, "/health?x=1")
    said = done.header("set-cookie") or ""
    assert "HttpOnly; SameSite=Lax; Max-Age=2592000" in said
    assert browser.get("/login").header("location") == "/"
    kept = dict(browser.cookies)
    out = browser.post("/logout")
    assert (out.status, out.header("location")) == (303, "/login")
    assert "Max-Age=0" in (out.header("set-cookie") or "")
    browser.cookies = kept  # a thief's copy
    assert browser.get("/settings").status == 303


def test_a_login_needs_a_form_of_ours(browser: Browser) -> None:
    assert browser.post("/login", name="alice", password=PASSWORD).status == 403
    browser.get("/login")
    assert browser.post("/login", name="alice", password=PASSWORD).status == 303


def test_wrong_names_and_wrong_passwords_look_alike(browser: Browser) -> None:
    wrong = browser.log_in(password="wrong password")
    unknown = browser.log_in(name="mallo")
    assert (wrong.status, unknown.status) == (401, 401)
    said = [MASKED.sub("", answer.text) for answer in (wrong, unknown)]
    assert said[0].replace("alice", "mallo") == said[1]
    assert "name or password is wrong" in wrong.text
    assert browser.log_in(password="x" * 8000).status == 401


def test_the_name_is_shown_as_text(browser: Browser) -> None:
    answer = browser.log_in(name='"><script>alert(1)</script>', target="/x\"'><b>")
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/a\r\nSet-Cookie: x=1",
        "/\u202e",
        "/" + "x" * 3000,
        " //evil.example",
    ],
)
def test_the_way_on_stays_here(browser: Browser, target: str) -> None:
    assert "evil" not in browser.get(f"/login?next={quote(target)}").text
    assert browser.log_in(target=target).header("location") == "/"


def test_too_many_failures_have_to_wait(browser: Browser) -> None:
    for _ in range(OF_BOTH):
        assert browser.log_in(password="wrong password").status == 401
    blocked = browser.log_in()
    assert blocked.status == 429
    assert 0 < int(blocked.header("retry-after") or "") <= 901
    browser.user("bob")
    assert browser.log_in(name="bob").status == 303


def test_right_logins_are_not_counted(browser: Browser) -> None:
    for _ in range(30):
        browser.cookies.clear()
        assert browser.log_in().status == 303
    assert len(browser.guard.rate) == 0


def test_a_new_login_ends_the_session_before(browser: Browser) -> None:
    browser.log_in()
    before = dict(browser.cookies)
    assert browser.post("/login", name="alice", password=PASSWORD).status == 303
    assert browser.cookies != before
    assert browser.get("/login").status == 303
    browser.cookies = before
    assert browser.get("/login").status == 200


def test_an_oversized_form_is_refused(browser: Browser) -> None:
    browser.get("/login")
    assert browser.post("/login", name="x" * 20_000).status == 413
    assert browser.post("/login", **{f"f{number}": "x" for number in range(50)}).status == 400


def test_where_it_is_open_nobody_logs_in(tmp_path: Path) -> None:
    assert Browser(tmp_path).get("/login").header("location") == "/"


def test_below_a_prefix(tmp_path: Path) -> None:
    browser = Browser(tmp_path, root_path="/hop")
    browser.user()
    assert browser.get("/settings").header("location") == "/hop/login?next=%2Fhop%2Fsettings"
    done = browser.log_in()
    assert done.header("location") == "/hop/"
    assert "Path=/hop;" in (done.header("set-cookie") or "")


def test_a_trusted_proxy_is_believed(tmp_path: Path) -> None:
    browser = Browser(tmp_path)
    browser.user()
    browser.headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    assert "Secure" in (browser.get("/login").header("set-cookie") or "")
    browser.headers = {"x-forwarded-proto": "https"}
    assert browser.log_in().status == 403  # its origin is http


def test_others_are_not_believed_to_be_proxies(tmp_path: Path) -> None:
    browser = Browser(tmp_path, trusted_proxies="[10.0.0.0/8]")
    browser.user()
    browser.headers = {"x-forwarded-proto": "https"}
    assert "Secure" not in (browser.get("/login").header("set-cookie") or "")


def test_who_is_locked_out_is_the_one_behind_the_proxy(tmp_path: Path) -> None:
    browser = Browser(tmp_path)
    browser.user()
    for number, expected in enumerate([401] * OF_BOTH + [429]):
        browser.headers = {"x-forwarded-for": f"10.0.0.{number}, 203.0.113.9"}
        assert browser.log_in(password="wrong password").status == expected
    browser.headers = {"x-forwarded-for": "203.0.113.10"}
    assert browser.log_in().status == 303


def test_a_page_for_others_needs_users(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"hopper web user add NAME --role admin"):
        Browser(tmp_path, host='"::"')
    with pytest.raises(UsageError, match=r"jobs\.example\.org"):
        Browser(tmp_path, allowed_hosts="[jobs.example.org]")


def test_a_hash_of_other_costs_is_made_anew(browser: Browser) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    browser.guard.accounts.set_password("alice", old)
    assert browser.log_in().status == 303
    account = browser.guard.accounts.find("alice")
    assert account is not None
    assert account.hashed != old
    assert browser.get("/login").status == 303  # the session goes on
    browser.cookies.clear()
    assert browser.log_in().status == 303


def test_no_secret_reaches_a_log(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    browser.log_in(password="wrong password")
    browser.log_in()
    said = caplog.text
    for secret in (PASSWORD, "wrong password", *browser.cookies.values()):
        assert secret not in said
