"""A store that is killed: the work that goes on, and what must hold afterwards.

Run as a program with a state folder, it works until it is killed, and says on its standard
output which commits are durable. With ``--each-call`` it dies in a child of its own at every
single call that changes something on disk, one after the other, and checks after each.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from hopper.dispatch.changes import Changes
from hopper.store.check import check
from hopper.store.journal import Limits
from hopper.store.state import StateStore
from tests.unit.store.samples import T0, make_event, make_job

SMALL = Limits(fold_bytes=3000, segment_events=7)
PAIR = ("left-000000", "right-000000")


def open_store(folder: Path) -> StateStore:
    return StateStore.open(folder, limits=SMALL)


def commits_in(store: StateStore) -> int:
    """Return how many commits a store shows, and fail when it shows half of one."""
    number = store.settings.get("n", 0)
    assert isinstance(number, int)
    for job_id in PAIR:
        job = store.jobs.get(job_id)
        assert (job.spec.priority if job is not None else 0) == number, (job_id, job, number)
    return number


def assert_all_events(store: StateStore, commits: int) -> None:
    """Fail unless each commit's events are there once, numbered without a gap."""
    events = list(store.events())
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    expected = [number for number in range(1, commits + 1) for _ in range(number % 4)]
    assert [event.data["n"] for event in events] == expected


def commit(store: StateStore) -> int:
    """Make one more commit of a pair of jobs, a setting and events; return its number."""
    number = commits_in(store) + 1
    store.commit(
        Changes(
            jobs=tuple(make_job(job_id, priority=number) for job_id in PAIR),
            settings={"n": number},
            events=tuple(make_event(number) for _ in range(number % 4)),
        )
    )
    return number


def work(folder: Path, acknowledge: Callable[[int], None], *, rounds: int | None) -> None:
    """Commit, fold, seal, close and open again: so many times, or for ever."""
    done = 0
    while rounds is None or done < rounds:
        store = open_store(folder)
        for _ in range(14):
            number = commit(store)
            acknowledge(number)
            if number % 3 == 0:
                assert store.maintain(T0).problems == ()
            if number % 11 == 0:
                store.compact()
        store.close()
        done += 1


# ---------------------------------------------------------------- death at each call

DEADLY = (
    "write",
    "fdatasync",
    "fsync",
    "ftruncate",
    "replace",
    "rename",
    "unlink",
    "link",
    "mkdir",
)
DEAD = 9


class Disk:
    """Knows how much of each file below a folder has been synced: the rest dies with the power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._durable = {status.st_ino: status.st_size for _, status in self._files()}

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return [(path, path.stat()) for path in paths]

    def synced(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self._durable[status.st_ino] = status.st_size

    def lose_power(self) -> None:
        for path, status in self._files():
            durable = self._durable.get(status.st_ino, 0)
            if durable < status.st_size:
                os.truncate(path, durable)


class Death:
    """Ends this process at the n-th call that changes something on disk, as kill -9 would.

    With ``power`` as a power cut would: what was not synced is gone too.
    """

    def __init__(self, call: int, disk: Disk, *, power: bool) -> None:
        self._remaining, self._disk, self._power = call, disk, power
        self._real = {name: getattr(os, name) for name in DEADLY}

    def lie_in_wait(self) -> None:
        for name in DEADLY:
            setattr(os, name, partial(self._call, name))

    def _call(self, name: str, *arguments: object, **options: object) -> object:
        self._remaining -= 1
        if self._remaining == 0:
            self._strike(name, arguments)
        result = self._real[name](*arguments, **options)
        if name in {"fsync", "fdatasync"}:
            (descriptor,) = arguments
            assert isinstance(descriptor, int)
            self._disk.synced(descriptor)
        return result

    def _strike(self, name: str, arguments: tuple[object, ...]) -> None:
        if name == "write":
            descriptor, content = arguments
            assert isinstance(content, memoryview | bytes)
            self._real[name](descriptor, content[: len(content) // 2])
        if self._power:
            self._disk.lose_power()
        os._exit(DEAD)


def _work_and_die(folder: Path, said: Path, call: int, *, power: bool) -> bool:
    """Work in a child that dies at that call; return whether it did."""
    with said.open("w") as said_to:  # not through os.write, where death waits
        child = os.fork()
        if child == 0:
            Death(call, Disk(folder), power=power).lie_in_wait()
            work(folder, lambda number: print(number, file=said_to, flush=True), rounds=1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, DEAD}, f"call {call}: the child failed by itself ({code})"
    return code == DEAD


def assert_survived(folder: Path, acknowledged: int) -> None:
    """Fail unless the store holds what was acknowledged, and can go on."""
    with StateStore.open(folder, readonly=True) as reader:
        seen = commits_in(reader)
    assert all(finding.harmless for finding in check(folder)), check(folder)
    store = open_store(folder)
    number = commits_in(store)
    assert number == seen
    assert acknowledged <= number <= acknowledged + 1, (acknowledged, number)
    assert_all_events(store, number)
    commit(store)
    store.close()
    store = open_store(folder)
    assert commits_in(store) == number + 1
    assert_all_events(store, number + 1)
    store.close()
    assert check(folder) == []


def die_at_each_call(base: Path, scratch: Path, *, power: bool) -> int:
    """Die at each call in turn, starting from a copy of the base each time; return how many."""
    start = 0
    if base.exists():
        with StateStore.open(base, readonly=True) as reader:
            start = commits_in(reader)
    call = 1
    while True:
        folder = scratch / "db"
        shutil.rmtree(folder, ignore_errors=True)
        if base.exists():
            shutil.copytree(base, folder)
        died = _work_and_die(folder, scratch / "said", call, power=power)
        said = (scratch / "said").read_bytes().split()
        assert_survived(folder, int(said[-1]) if said else start)
        if not died:
            return call - 1
        call += 1


def _last_seq(files: Iterable[Path]) -> int:
    content = b"".join(file.read_bytes() for file in files)
    return max(map(int, re.findall(rb'"seq":([0-9]+)', content)), default=0)


def crash_somewhere(base: Path, scratch: Path) -> None:
    """Leave a store whose journal holds events that its event log has lost."""
    for call in range(40, 200):
        shutil.rmtree(base, ignore_errors=True)
        _work_and_die(base, scratch / "said", call, power=True)
        if _last_seq(base.glob("*.log")) >= 2 + _last_seq((base / "events").iterdir()):
            return
    raise AssertionError("no such crash was found")


def main() -> None:
    """Run as the module's docstring says."""
    folder = Path(sys.argv[1])
    if "--each-call" not in sys.argv:
        work(folder, lambda number: print(number, flush=True), rounds=None)
        return
    folder.mkdir()
    base = folder / "base"
    if "--recovering" in sys.argv:
        crash_somewhere(base, folder)
    print(die_at_each_call(base, folder, power="--power" in sys.argv))


if __name__ == "__main__":
    main()
