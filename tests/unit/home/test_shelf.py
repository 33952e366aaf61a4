"""Results that equal tasks take: copied whole, or not at all."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hopper.dispatch.shelf import ResultGone
from hopper.home import shelf
from hopper.home.task_results import MANIFEST, OWNER
from hopper.model.attempt import Attempt
from hopper.model.job import Job, JobSpec
from hopper.model.places import task_folder
from hopper.model.states import JobState
from hopper.model.stored import StoredResult
from hopper.model.task import Task

NOW = datetime(2026, 5, 1, tzinfo=UTC)
FILES = {"stdout.log": b"out", "deep/er/data \udcff.bin": b"\0" * 70_000, "empty": b""}


def job(name: str, run: str) -> Job:
    task = Task(id=name, command=":", cache=True, cache_key="k")
    spec = JobSpec(name=name)
    return Job(
        id=f"{name}-000000", spec=spec, state=JobState.PENDING, submitted_at=NOW, run=run, task=task
    )


OLD, NEW = job("fit", "old-run"), job("fit", "new-run")


def attempt(name: str = "b000000001") -> Attempt:
    return Attempt(id=name, number=1, worker="here", intended_at=NOW, result_key="key")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = task_folder(tmp_path, OLD)
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / OWNER).write_text("b000000001\n")
    return tmp_path


def keep(inbox: Path, **parts: Any) -> StoredResult:
    kept = shelf.keep(inbox, OLD, attempt())
    assert kept is not None
    values: dict[str, Any] = {
        "folder": kept.folder,
        "owner": "b000000001",
        "job": OLD.id,
        "run": OLD.run,
        "attempt": "b000000001",
        "worker": "here",
        "manifest": kept.manifest,
        "size": kept.size,
        "kept_at": NOW,
    }
    return StoredResult(key="key", **{**values, **parts})


def held(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {OWNER, MANIFEST}
    }


def test_a_copy_is_whole_and_shares_nothing(inbox: Path) -> None:
    stored = keep(inbox)
    assert stored.size == 70_003
    copied = shelf.take(inbox, NEW, "c000000001", stored)
    source, target = task_folder(inbox, OLD), task_folder(inbox, NEW)
    assert held(target) == held(source) == FILES
    assert [file.name for file in copied.results] == [
        f"new-run/fit/{name}" for name in sorted(FILES)
    ]
    (source / "stdout.log").write_bytes(b"changed")
    assert (target / "stdout.log").read_bytes() == b"out"
    again = shelf.take(inbox, NEW, "c000000001", stored)
    assert again == copied, "after a crash"
    # The copy can be taken in its turn, with the very same list.
    third = replace(stored, folder=copied.folder, owner="c000000001")
    shelf.take(inbox, job("fit", "third"), "d000000001", third)
    assert held(task_folder(inbox, job("fit", "third"))) == FILES


def test_an_own_earlier_result_is_taken_and_stays_aside(inbox: Path) -> None:
    shelf.take(inbox, OLD, "c000000001", keep(inbox))
    folder = task_folder(inbox, OLD)
    assert held(folder) == held(folder.with_name("fit.try1")) == FILES
    assert shelf.place_of(inbox, keep_aside()) == folder.with_name("fit.try1")


def keep_aside() -> StoredResult:
    return StoredResult(
        key="key", folder="old-run/fit", owner="b000000001", job=OLD.id, run=OLD.run,
        attempt="b000000001", worker="here", manifest="", size=0, kept_at=NOW,
    )  # fmt: skip


def _gone(folder: Path) -> None:
    (folder / "empty").unlink()


def _changed(folder: Path) -> None:
    (folder / "stdout.log").write_bytes(b"tuo")


def _changed_in_secret(folder: Path) -> None:
    path = folder / "stdout.log"
    facts = path.stat()
    path.write_bytes(b"tuo")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _longer(folder: Path) -> None:
    with (folder / "stdout.log").open("ab") as file:
        file.write(b"more")


def _linked(folder: Path) -> None:
    (folder / "empty").unlink()
    (folder / "empty").symlink_to("/dev/null")


def _touched(folder: Path) -> None:
    os.utime(folder / "stdout.log", ns=(1, 1))


def _list_changed(folder: Path) -> None:
    (folder / MANIFEST).write_text("[]")


def _list_gone(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _others(folder: Path) -> None:
    (folder / OWNER).write_text("z000000001\n")


@pytest.mark.parametrize(
    "harm",
    [
        _gone,
        _changed,
        _changed_in_secret,
        _touched,
        _longer,
        _linked,
        _list_changed,
        _list_gone,
        _others,
    ],
)
def test_what_is_not_what_it_was_is_not_taken(inbox: Path, harm: Any) -> None:
    stored = keep(inbox)
    harm(task_folder(inbox, OLD))
    mine = task_folder(inbox, NEW)
    mine.mkdir(parents=True)
    (mine / "mine").write_text("before")
    with pytest.raises(ResultGone):
        shelf.take(inbox, NEW, "c000000001", stored)
    assert [path.name for path in mine.parent.iterdir()] == ["fit"], "nothing half is left"
    assert held(mine) == {"mine": b"before"}


def test_what_cannot_be_kept(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shelf.keep(inbox, NEW, attempt()) is None
    assert shelf.keep(inbox, OLD, attempt("b000000002")) is None
    monkeypatch.setattr(shelf, "MOST_FILES", 2)
    assert shelf.keep(inbox, OLD, attempt()) is None


def test_links_are_not_listed(inbox: Path) -> None:
    (task_folder(inbox, OLD) / "link").symlink_to("/etc/passwd")
    shelf.take(inbox, NEW, "c000000001", keep(inbox))
    assert held(task_folder(inbox, NEW)) == FILES
