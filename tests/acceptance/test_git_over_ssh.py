"""A workflow of a repository that only a deploy key opens, over a real sshd."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.person import LocalPerson
from tests.rigs.farm import Farm

pytestmark = [pytest.mark.rig, pytest.mark.ansible]

WORKER = "w1"
PLAN = '{"tasks": [{"id": "one", "command": "cat plan.json | wc -l; git log -1 --format=%s"}]}\n'


def git(folder: Path, *words: str, **environment: str) -> str:
    """Run git as somebody of its own."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words],
        capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def person(tmp_path: Path, farm: Farm) -> LocalPerson:
    """Somebody who has accepted the git host's key before."""
    person = LocalPerson(tmp_path)
    programs = person.folder / "bin"
    programs.mkdir()
    wrapper = programs / "ssh"
    known = farm.folder / "known_hosts"
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -o "UserKnownHostsFile={known}" "$@"\n')
    wrapper.chmod(0o755)
    person.environment["PATH"] = f"{programs}:{person.environment['PATH']}"
    return person


@pytest.fixture
def repository(farm: Farm, tmp_path: Path) -> str:
    """The address of a repository on a worker, with one commit."""
    worker = next(worker for worker in farm.workers if worker.name == WORKER)
    bare = f"{Path(worker.inbox).parent}/plans.git"
    made = farm.ssh(WORKER, f"rm -rf '{bare}'; git init -q --bare -b main '{bare}'")
    assert made.returncode == 0, made.stderr
    address = f"ssh://{worker.user}@{worker.host}:{worker.port}{bare}"
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q", "-b", "main")
    (clone / "plan.json").write_text(PLAN)
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "the first")
    login = f"ssh -i {farm.folder}/id -o UserKnownHostsFile={farm.folder}/known_hosts"
    git(clone, "push", "-q", address, "main", GIT_SSH_COMMAND=login)
    return address


def configure(person: LocalPerson, repository: str, key: Path) -> None:
    """Give the person a workflow of that repository."""
    clone: dict[str, Any] = {"repo": repository, "branch": "main", "deploy_key": str(key)}
    clone["postclone"] = 'ls -ln "$HOPPER_DEPLOY_KEY" >key-seen 2>/dev/null || echo none >key-seen'
    flow = {"name": "plans", "backend": "here", "command": "cat plan.json", "git": clone}
    person.config({"workflows": [flow]})


def test_a_deploy_key_opens_it_and_stays_nowhere(
    person: LocalPerson, repository: str, farm: Farm
) -> None:
    key = person.folder / "deploy key's"
    key.write_bytes((farm.folder / "id").read_bytes())
    key.chmod(0o600)
    configure(person, repository, key)
    run = person.json("workflow", "run", "plans")["run"]
    person.dispatch()
    assert person.states(run) == {"one": "completed"}
    assert person.hopper("run", "logs", run, "one") == "1\nthe first\n"
    secret = key.read_bytes()
    left = [path for path in person.folder.rglob("*") if path.is_file() and path != key]
    assert not [path for path in left if secret in path.read_bytes()]
    private = person.there / "work dir" / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not list(private.iterdir())


def test_a_key_that_opens_nothing_is_told_in_one_line(person: LocalPerson, repository: str) -> None:
    key = person.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    configure(person, repository, key)
    said = person.refused("workflow", "run", "plans", code=1)
    assert "plans.git" in said
    assert "ermission denied" in said
    assert not list((person.there / "work dir" / "private").iterdir())
