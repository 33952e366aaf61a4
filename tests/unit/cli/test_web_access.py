"""Users and tokens of the web page on the command line; what is kept of them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from click.testing import Result

from hopper.web.security.passwords import Passwords
from hopper.web.security.roles import Role
from hopper.web.security.tokens import FORM, Tokens
from tests.unit.cli.conftest import NOW, Desk
from tests.unit.web.security.site import CHEAP, PASSWORD

ADD = ("web", "user", "add")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = CHEAP.hashed
    monkeypatch.setattr(Passwords, "hashed", lambda _, password: cheap(password))


def add(desk: Desk, name: str = "alice", role: str = "admin", password: str = PASSWORD) -> Result:
    words = (*ADD, name, "--role", role, "--password-stdin")
    return desk.run(*words, stdin=f"{password}\nmore\n")


def kept(desk: Desk) -> dict[str, bytes]:
    """All that there is at home, by file."""
    files = (path for path in desk.folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path): path.read_bytes() for path in files}


def test_users_from_the_first_to_the_last(desk: Desk) -> None:
    assert add(desk).output == "alice: added, admin\n"
    add(desk, "bob", "viewer")
    listed = desk.json("web", "user", "list")
    assert [(one["name"], one["role"]) for one in listed] == [("alice", "admin"), ("bob", "viewer")]
    assert "alice\tadmin\t" in desk.run("web", "user", "list").stdout
    assert desk.json("web", "user", "role", "bob", "operator")["role"] == "operator"
    before = kept(desk)
    desk.run("web", "user", "passwd", "bob", "--password-stdin", stdin="another one 8")
    assert kept(desk) != before
    assert desk.json("web", "user", "remove", "alice") == {"removed": "alice"}
    assert "open to everybody" in desk.run("web", "user", "remove", "bob").stderr
    assert desk.json("web", "user", "list") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web", "user", "passwd", "carol", "--password-stdin"), "no user 'carol'"),
        (("web", "user", "remove", "carol"), "no user 'carol'"),
        (("web", "user", "role", "carol", "admin"), "no user 'carol'"),
        (("web", "user", "role", "alice", "agent"), "'agent' is not one of"),
        ((*ADD, "alice", "--role", "viewer", "--password-stdin"), "there is a user alice already"),
        ((*ADD, "../x", "--role", "viewer", "--password-stdin"), "'../x' is no name"),
        ((*ADD, "dave", "--role", "viewer"), "no terminal to ask"),
        (("web", "token", "revoke", "ci"), "no token 'ci'"),
        (("web", "token", "create", "a b", "--role", "agent"), "'a b' is no name"),
        (("web", "token", "create", "ci", "--role", "agent", "--expires", "soon"), "no"),
    ],
)
def test_what_is_refused(desk: Desk, words: tuple[str, ...], said: str) -> None:
    add(desk)
    before = kept(desk)
    assert said in desk.refused(*words)
    assert kept(desk) == before


@pytest.mark.parametrize("password", ["", "short", "daverocks"[::-1], "aaaaaaaaaaaa", "é" * 600])
def test_weak_passwords_are_refused(desk: Desk, password: str) -> None:
    words = (*ADD, "daverocks", "--role", "viewer", "--password-stdin")
    done = desk.run(*words, stdin=password, code=2)
    assert "the password" in str(done.exception)
    assert not (desk.config.paths.db / "web" / "users.json").exists()


def test_a_token_is_shown_once(desk: Desk) -> None:
    done = desk.run("web", "token", "create", "ci", "--role", "agent", "--expires", "90d")
    secret = done.stdout.strip()
    assert FORM.match(secret)
    [listed] = desk.json("web", "token", "list")
    assert (listed["name"], listed["role"], listed["expired"]) == ("ci", "agent", False)
    assert listed["expires"] > listed["created"]
    found = Tokens(desk.config.paths.db / "web").recognise(secret, NOW)
    assert found is not None
    assert found.role is Role.AGENT
    assert "already" in desk.refused("web", "token", "create", "ci", "--role", "viewer")
    assert desk.json("web", "token", "revoke", "ci") == {"revoked": "ci"}
    assert Tokens(desk.config.paths.db / "web").recognise(secret, NOW) is None


def test_no_secret_is_kept_or_told_again(desk: Desk) -> None:
    said = add(desk).output
    made = desk.json("web", "token", "create", "ci", "--role", "admin")
    for words in (("user", "list"), ("token", "list")):
        said += desk.run("web", *words).output + desk.run("web", *words, "--json").output
    said += desk.run("events", "--json").output + desk.run("config", "show").output
    files = kept(desk)
    assert any(name.endswith("users.json") for name in files)
    for secret in (PASSWORD, made["token"], made["token"].removeprefix("hop_")):
        assert secret not in said
        assert [name for name, content in files.items() if secret.encode() in content] == []
    assert "argon2id" not in said


def test_files_are_for_their_owner_only(desk: Desk) -> None:
    folder = desk.config.paths.db / "web"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    add(desk)
    desk.run("web", "token", "create", "ci", "--role", "viewer")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"users.json", "tokens.json"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_damaged_files_are_told_of_and_left_alone(desk: Desk) -> None:
    folder = desk.config.paths.db / "web"
    folder.mkdir(parents=True)
    for content in ("{", "[]", '{"schema": 1, "records": {"x": {"name": "x"}}}', '{"schema": 9}'):
        (folder / "users.json").write_text(content)
        assert "users.json" in desk.refused("web", "user", "remove", "x", code=1)
        assert (folder / "users.json").read_text() == content


def test_the_password_is_asked_for_twice_and_never_shown(desk: Desk) -> None:
    config = str(desk.folder / "hopper.yaml")
    near, far = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "hopper", "--config", config, *ADD, "eve", "--role", "viewer"],
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
    )
    os.close(far)
    said = ""
    # The second answer must wait for its question: what comes before it is thrown away.
    for question in ("Password: ", "for confirmation: "):
        while not said.endswith(question):
            said += os.read(near, 1).decode()
        os.write(near, f"{PASSWORD}\n".encode())
    while chunk := read_to_end(near):
        said += chunk
    assert child.wait(60) == 0
    os.close(near)
    assert PASSWORD not in said
    assert "eve: added, viewer" in said


def read_to_end(descriptor: int) -> str:
    try:
        return os.read(descriptor, 4096).decode()
    except OSError:  # the other side is closed
        return ""
