"""Kill a working store again and again at random times, and look what is left."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

from hopper.store.check import check
from hopper.store.state import StateStore
from tests.unit.store.crashing import assert_all_events, commits_in, open_store

ROOT = Path(__file__).parents[3]


class Watcher(threading.Thread):
    """A reader that never stops looking: no commit may be half there or go away again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.acknowledged = 0
        self.looks = 0
        self.changes = 0
        self.error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        try:
            with StateStore.open(self.folder, readonly=True) as reader:
                seen = 0
                while not self.done.is_set():
                    durable = self.acknowledged
                    self.changes += reader.refresh()
                    number = commits_in(reader)
                    assert number >= max(seen, durable), (number, seen, durable)
                    seen = number
                    self.looks += 1
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error


def die_at_each_call(scratch: Path, how: list[str]) -> int:
    """Let a store die at each of its calls in turn; return how many those were."""
    command = [sys.executable, "-m", "tests.unit.store.crashing", str(scratch / "s"), "--each-call"]
    ended = subprocess.run([*command, *how], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return int(ended.stdout)


def storm(folder: Path, *, kills: int, seed: int) -> Watcher:
    """Kill so many times; assert after each that nothing acknowledged is gone."""
    dice = random.Random(seed)  # noqa: S311 - to be repeatable
    watcher = Watcher(folder)
    watcher.start()
    try:
        for _ in range(kills):
            _work_until_killed(folder, watcher, dice)
            assert watcher.error is None, watcher.error
            _look_over(folder, watcher.acknowledged, dice)
    finally:
        watcher.done.set()
        watcher.join()
    assert watcher.error is None, watcher.error
    assert [finding for finding in check(folder) if not finding.harmless] == []
    return watcher


def _work_until_killed(folder: Path, watcher: Watcher, dice: random.Random) -> None:
    until = watcher.acknowledged + dice.randint(1, 150)
    command = [sys.executable, "-m", "tests.unit.store.crashing", str(folder)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        while watcher.acknowledged < until:
            line = child.stdout.readline()
            assert line.endswith(b"\n"), f"the child ended by itself: {child.wait()}"
            watcher.acknowledged = int(line)
        child.kill()
        for line in child.stdout:
            if line.endswith(b"\n"):
                watcher.acknowledged = int(line)
    child.wait()


def _look_over(folder: Path, acknowledged: int, dice: random.Random) -> None:
    store = open_store(folder)
    number = commits_in(store)
    assert acknowledged <= number <= acknowledged + 1, (acknowledged, number)
    assert_all_events(store, number)
    if dice.random() < 0.5:
        store.close()
        return
    # Leave it to the next one to recover once more.
    assert store._lock is not None
    store._source.abandon()  # type: ignore[union-attr]
    store._lock.release()
