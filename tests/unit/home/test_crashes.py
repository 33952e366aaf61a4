"""Every move at home is cut off at its n-th system call, for every n, and done again."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hopper.home.folders import Folders
from hopper.home.results import Incoming, incoming_folder, land
from hopper.model.states import JobState
from tests.unit.home.test_folders import OLD, WALL, drop, everywhere, job

__all__ = ["folders"]
from tests.unit.home.test_folders import folders  # a fixture

CALLS = ["link", "unlink", "rename", "open", "fsync", "close", "utime", "lstat", "replace"]


class Died(BaseException):
    """The process is gone; no clean-up of its own runs."""


class Mortal:
    """Lets so many system calls happen, then no more; knows file systems without links."""

    def __init__(self, patch: pytest.MonkeyPatch, links: str) -> None:
        self.left = -1
        self.links = links
        for name in CALLS:
            patch.setattr(os, name, self.counted(name, getattr(os, name)))

    def counted(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def counting(*args: object, **options: object) -> object:
            if self.left == 0:
                raise Died
            self.left -= 1
            if name == "link" and self.refuses(args[0], args[1]):
                number = errno.EXDEV if self.links == "other device" else errno.EPERM
                raise OSError(number, os.strerror(number))
            return call(*args, **options)

        return counting

    def refuses(self, source: object, target: object) -> bool:
        if os.path.lexists(str(target)) or self.links == "links":
            return False
        across = Path(str(source)).parent != Path(str(target)).parent
        return self.links == "no links" or across

    def until(self, left: int, act: Callable[[], object]) -> bool:
        """Act, dying after so many calls; tell whether it got through."""
        self.left = left
        try:
            act()
        except Died:
            return False
        else:
            return True
        finally:
            self.left = -1


@pytest.fixture(params=["links", "no links", "other device"])
def mortal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mortal:
    return Mortal(monkeypatch, str(request.param))


def through_every_death(
    mortal: Mortal,
    prepare: Callable[[], Callable[[], object]],
    lives: Callable[[], None],
    check: Callable[[], None],
) -> None:
    """Cut the act off at each call; ``lives`` must hold then, ``check`` after doing it again."""
    for left in range(200):
        act = prepare()
        through = mortal.until(left, act)
        lives()
        act()
        check()
        if through:
            assert left > 2
            return
    pytest.fail("it never gets through")


def clear(folders: Folders) -> None:
    for name in ("queue", "running", "done", "failed", "inbox"):
        for path in getattr(folders.paths, name).iterdir():
            if path.is_file():
                path.unlink()


def whole(folders: Folders, content: bytes) -> None:
    """The zip is somewhere, whole, under a name that is not hidden."""
    found = [
        data for name, data in everywhere(folders).items() if not name.split("/")[1].startswith(".")
    ]
    assert content in found


def test_placing(folders: Folders, mortal: Mortal) -> None:
    def prepare() -> Callable[[], object]:
        clear(folders)
        drop(folders, "j-123456.zip")
        return lambda: folders.place(job(JobState.RUNNING))

    def check() -> None:
        assert everywhere(folders) == {"running/j-123456.zip": b"zip"}

    through_every_death(mortal, prepare, lambda: whole(folders, b"zip"), check)


def test_placing_where_a_stranger_is(folders: Folders, mortal: Mortal) -> None:
    def prepare() -> Callable[[], object]:
        clear(folders)
        drop(folders, "j-123456.zip")
        (folders.paths.running / "j-123456.zip").write_bytes(b"stranger")
        return lambda: folders.place(job(JobState.RUNNING))

    def check() -> None:
        found = everywhere(folders)
        assert found.pop("running/j-123456.zip") == b"zip"
        assert set(found.values()) == {b"stranger"}
        assert all(name.startswith("running/j-123456.") for name in found)

    def lives() -> None:
        whole(folders, b"zip")
        whole(folders, b"stranger")

    through_every_death(mortal, prepare, lives, check)


def test_claiming(folders: Folders, mortal: Mortal) -> None:
    def prepare() -> Callable[[], object]:
        clear(folders)
        drop(folders, "a.zip", written=OLD)
        (found,) = folders.queue.settled(0, WALL, known=lambda _: False)
        return lambda: folders.queue.claim(found, "j-1.zip")

    def check() -> None:
        assert everywhere(folders) == {"queue/j-1.zip": b"zip"}

    through_every_death(mortal, prepare, lambda: whole(folders, b"zip"), check)


def test_refusing(folders: Folders, mortal: Mortal) -> None:
    def prepare() -> Callable[[], object]:
        clear(folders)
        drop(folders, "a.zip", written=OLD)

        def act() -> None:
            # As the loop does after a restart: what lies there is looked at again.
            for found in folders.queue.settled(0, WALL, known=lambda _: False):
                folders.reject(found, "wrong")

        return act

    def check() -> None:
        assert everywhere(folders) == {
            "failed/a.zip": b"zip",
            "failed/a.zip.reason.txt": b"wrong\n",
        }

    through_every_death(mortal, prepare, lambda: whole(folders, b"zip"), check)


def test_bringing_in(folders: Folders, mortal: Mortal, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(b"zip")

    def prepare() -> Callable[[], object]:
        clear(folders)

        def act() -> None:
            if not (folders.paths.queue / "j-1.zip").exists() or mortal.links == "no links":
                (folders.paths.queue / "j-1.zip").unlink(missing_ok=True)
                folders.queue.bring_in(tmp_path / "mine.zip", "j-1.zip")

        return act

    def lives() -> None:
        # Never half of it under its name (an empty reservation where there are no links).
        path = folders.paths.queue / "j-1.zip"
        assert not path.exists() or path.read_bytes() in (b"zip", b"")
        if mortal.links != "no links":
            assert not path.exists() or path.read_bytes() == b"zip"

    def check() -> None:
        found = {name: data for name, data in everywhere(folders).items() if "/." not in name}
        assert found == {"queue/j-1.zip": b"zip"}

    through_every_death(mortal, prepare, lives, check)


def test_landing(folders: Folders, mortal: Mortal) -> None:
    inbox = folders.paths.inbox
    contents = {"j.zip": b"1", "j.log.zip": b"22"}

    def prepare() -> Callable[[], object]:
        clear(folders)
        (inbox / "j.zip").write_bytes(b"older")
        results = []
        for name, content in contents.items():
            path = incoming_folder(inbox, "a123456789") / name
            path.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            results.append(Incoming(path=path, name=name, size=len(content), sha256=digest))
        return lambda: land(results, inbox)

    def lives() -> None:
        found = [path.read_bytes() for path in inbox.rglob("*") if path.is_file()]
        assert {b"1", b"22", b"older"} <= set(found)

    def check() -> None:
        found = {path.name: path.read_bytes() for path in inbox.iterdir() if path.is_file()}
        found = {name: data for name, data in found.items() if not name.startswith(".")}
        assert found.pop("j.zip") == b"older"
        assert found.pop("j.log.zip") == b"22"
        assert b"1" in found.values()
        assert all(name.startswith("j.") for name in found)

    through_every_death(mortal, prepare, lives, check)
