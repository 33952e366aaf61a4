"""What is kept in files and in memory, and that it stays bounded."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.errors import HopperError
from hopper.store.errors import StoreDamaged, StoreTooNew
from hopper.web.security import login_rate, sessions
from hopper.web.security.accounts import Accounts
from hopper.web.security.guard import Guard
from hopper.web.security.headers import policy, with_security
from hopper.web.security.logging_in import MOST_WAITING, log_in
from hopper.web.security.login_rate import OF_ADDRESS, OF_BOTH, OF_NAME, WINDOW, LoginRate
from hopper.web.security.passwords import LONGEST
from hopper.web.security.refusals import AccessRefused, local_path
from hopper.web.security.roles import PEOPLE, Identity, Role, Via, allows
from hopper.web.security.tokens import USE_NOTED, Tokens
from tests.unit.web.security.site import CHEAP, PASSWORD, Clock, app_of, ask, guard_of

# --- roles


def test_each_role_may_do_what_the_lesser_may() -> None:
    for number, has in enumerate(PEOPLE):
        assert [allows(has, wanted) for wanted in PEOPLE] == [n <= number for n in range(3)]
    assert [role for role in Role if allows(role, Role.AGENT)] == [Role.ADMIN, Role.AGENT]
    assert [role for role in Role if allows(Role.AGENT, role)] == [Role.AGENT]


def test_a_token_is_not_taken_for_a_person() -> None:
    assert Identity(name="al", role=Role.VIEWER, via=Via.TOKEN).by == "token al"
    assert Identity(name="al", role=Role.VIEWER, via=Via.SESSION).by == "al"


# --- files that two processes change


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hopper.web.security.accounts import Accounts\n"
        "from hopper.web.security.roles import Role\n"
        "for n in range(15): Accounts(Path(sys.argv[1])).add(f'b{n}', Role.VIEWER, 'h')"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    accounts = Accounts(tmp_path)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: accounts.add(f"a{n}", Role.VIEWER, "h"), range(15)))
    assert other.wait(120) == 0
    expected = {f"{letter}{number}" for letter in "ab" for number in range(15)}
    assert set(accounts.all()) == expected
    assert set(Accounts(tmp_path).all()) == expected


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.add("alice", Role.VIEWER, "h")
    assert accounts.all() is accounts.all()
    Accounts(tmp_path).set_role("alice", Role.ADMIN)
    found = accounts.find("alice")
    assert found is not None
    assert found.role is Role.ADMIN
    (tmp_path / "users.json").unlink()
    assert not accounts.all()


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.add("alice", Role.VIEWER, "h")
    before = (tmp_path / "users.json").read_bytes()
    with pytest.raises(HopperError):
        accounts.set_role("alice", Role.AGENT)
    assert (tmp_path / "users.json").read_bytes() == before


@given(content=st.one_of(st.binary(max_size=60), st.just(b"[" * 100_000)))
def test_damage_is_told_whatever_it_is(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("web")
    (folder / "tokens.json").write_bytes(content)
    with pytest.raises(StoreDamaged):
        Tokens(folder).all()


def test_a_newer_file_is_left_to_the_newer_hopper(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text('{"schema": 2, "records": {}}')
    with pytest.raises(StoreTooNew):
        Tokens(tmp_path).all()


def test_a_damaged_secret_is_told(tmp_path: Path) -> None:
    guard_of(tmp_path)
    (tmp_path / "web" / "secret").write_bytes(b"short")
    with pytest.raises(HopperError, match="damaged"):
        guard_of(tmp_path)


# --- tokens and sessions


def test_a_token_ends_with_its_time_and_its_use_is_kept_roughly(tmp_path: Path) -> None:
    clock = Clock()
    guard = guard_of(tmp_path, clock=clock)
    secret, _ = guard.tokens.create("ci", Role.VIEWER, now=clock.at, lasts=timedelta(days=1))
    app, headers = app_of(guard), {"authorization": f"Bearer {secret}"}
    first = clock.at
    for expected in (first, first, first + USE_NOTED):
        assert ask(app, headers=headers).status == 200
        assert guard.tokens.all()[0].last_used == expected
        clock.later(minutes=30)
    clock.later(days=1)
    assert ask(app, headers=headers).status == 401
    assert ask(app).status == 401  # an expired token opens nothing


def test_sessions_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "OF_ONE", 3)
    monkeypatch.setattr(sessions, "OF_ALL", 5)
    clock = Clock()
    guard = guard_of(tmp_path, clock=clock)
    begun: dict[str, list[str]] = {}
    for name in ("a", "b", "c"):
        account = guard.accounts.add(name, Role.VIEWER, "h")
        begun[name] = []
        for _ in range(4):
            clock.later(seconds=1)
            begun[name].append(guard.sessions.begin(account, clock.at))
    alive = {
        name: [guard.by_session(one) is not None for one in ids] for name, ids in begun.items()
    }
    assert alive["c"] == [False, True, True, True]
    assert alive["b"] == [False, False, True, True]
    assert alive["a"] == [False] * 4
    clock.later(days=31)
    guard.sessions.begin(account, clock.at)
    assert (tmp_path / "web" / "sessions.json").read_text().count('"user"') == 1


def test_no_session_id_is_kept(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    session_id = guard.sessions.begin(guard.accounts.add("a", Role.VIEWER, "h"), guard.now())
    for path in (tmp_path / "web").iterdir():
        assert session_id.encode() not in path.read_bytes()


# --- passwords and logins


def test_passwords_are_compared_as_they_are_read() -> None:
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    hashed = CHEAP.hashed(composed)
    assert hashed.startswith("$argon2id$")
    assert CHEAP.fits(hashed, decomposed)
    assert not CHEAP.fits(hashed, "cafe au lait")
    assert not CHEAP.fits(None, composed)
    assert not CHEAP.fits("not a hash", composed)
    assert not CHEAP.fits(CHEAP.hashed("x" * LONGEST), "x" * (LONGEST + 1))
    assert not CHEAP.fits(hashed, "\ud800")


def test_an_unknown_name_costs_a_comparison_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guard_of(tmp_path)
    guard.accounts.add("alice", Role.VIEWER, CHEAP.hashed(PASSWORD))
    compared: list[str] = []
    verify = CHEAP._hasher.verify

    class Counting:
        def verify(self, hashed: str, raw: bytes) -> bool:
            compared.append(hashed)
            return verify(hashed, raw)

    CHEAP.fits(None, "warm")
    monkeypatch.setattr(CHEAP, "_hasher", Counting())
    for name in ("alice", "mallory"):
        with pytest.raises(AccessRefused):
            anyio.run(tried, guard, name, "wrong")
    assert len(compared) == 2


async def tried(guard: Guard, name: str, password: str) -> None:
    await log_in(guard, name=name, password=password, address="10.0.0.1")


def test_many_logins_at_once_are_counted_and_take_turns(tmp_path: Path) -> None:
    guard = guard_of(tmp_path)
    refused: list[int] = []

    async def one(number: int) -> None:
        try:
            await log_in(guard, name=f"n{number}", password="x", address=f"10.0.0.{number}")
        except AccessRefused as refusal:
            refused.append(refusal.status)

    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for number in range(MOST_WAITING + 30):
                group.start_soon(one, number)

    anyio.run(all_at_once)
    assert set(refused) == {401, 503}
    assert refused.count(503) == 30
    assert guard.logging_in == 0


def test_the_rate_of_one_address_and_of_one_name() -> None:
    rate = LoginRate()
    for _ in range(OF_BOTH):
        assert rate.begin("10.0.0.1", "alice", 5.0) == 0
    assert rate.begin("10.0.0.1", "alice", 6.0) == WINDOW - 1
    for number in range(OF_ADDRESS - OF_BOTH):
        assert rate.begin("10.0.0.1", f"n{number}", 5.0) == 0
    assert rate.begin("10.0.0.1", "bob", 5.0) > 0
    for number in range(OF_NAME - OF_BOTH):
        assert rate.begin(f"10.1.0.{number}", "alice", 5.0) == 0
    assert rate.begin("10.2.0.1", "alice", 5.0) > 0
    assert rate.begin("10.2.0.1", "bob", 5.0) == 0
    assert rate.begin("10.0.0.1", "alice", 5.0 + WINDOW) == 0


def test_one_network_of_ipv6_is_one_address() -> None:
    rate = LoginRate()
    for number in range(OF_BOTH):
        assert rate.begin(f"2001:db8::{number + 1:x}", "alice", 0.0) == 0
    assert rate.begin("2001:db8::ffff", "alice", 0.0) > 0
    assert rate.begin("2001:db8:0:1::1", "alice", 0.0) == 0
    for _ in range(OF_BOTH):
        assert rate.begin("::ffff:10.0.0.1", "bob", 0.0) == 0
    assert rate.begin("10.0.0.1", "bob", 0.0) > 0


def test_the_counters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_rate, "KEPT", 50)
    rate = LoginRate()
    for number in range(200):
        rate.begin(f"10.0.0.{number}", "n" * 10_000 + str(number), 0.0)
    assert len(rate) == 50


# --- answers


@given(st.one_of(st.text(max_size=30), st.text(alphabet="/\\.:a \t\n%?", max_size=12)))
def test_no_way_on_leads_elsewhere(text: str) -> None:
    path = local_path(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert path.isascii()
    assert path.isprintable()


def test_a_page_may_be_given_more_by_its_policy() -> None:
    loose = policy({"style-src": ("'unsafe-inline'",), "worker-src": ("'self'",)})
    assert "style-src 'self' 'unsafe-inline';" in loose
    assert "worker-src 'self'" in loose
    assert "unsafe" not in policy()
    assert "script-src 'self';" in loose


def test_an_app_cannot_weaken_what_always_holds() -> None:
    said = dict(with_security([(b"X-Content-Type-Options", b"any"), (b"Cache-Control", b"x")]))
    assert said[b"x-content-type-options"] == b"nosniff"
    assert b"X-Content-Type-Options" not in said
    assert b"cache-control" not in said


def test_accounts_compare_by_value(tmp_path: Path) -> None:
    account = Accounts(tmp_path).add("alice", Role.VIEWER, "h")
    assert replace(account) == Accounts(tmp_path).find("alice")
