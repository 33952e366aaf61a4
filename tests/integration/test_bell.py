"""What wakes the dispatcher."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hopper.bootstrap.adapters import QueueBell
from hopper.store.mailbox import Doorbell, ring

LONG = 600.0


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    folder = tmp_path / "queue"
    folder.mkdir()
    return folder


@pytest.fixture
def bell(tmp_path: Path, queue: Path) -> Iterator[QueueBell]:
    doorbell = Doorbell.open(tmp_path)
    yield QueueBell(doorbell, queue)
    doorbell.close()


def woken(bell: QueueBell, act: Callable[[], object]) -> bool:
    """Whether a sleep that would outlast the test ends after ``act``."""
    sleeper = threading.Thread(target=bell.wait, args=(LONG,), daemon=True)
    sleeper.start()
    act()
    sleeper.join(60)
    return not sleeper.is_alive()


def test_a_zip_in_the_queue_wakes(bell: QueueBell, queue: Path) -> None:
    assert woken(bell, (queue / "job.zip").touch)


def test_a_zip_from_before_the_sleep_wakes(bell: QueueBell, queue: Path) -> None:
    (queue / "job.zip").touch()
    assert woken(bell, lambda: None)


def test_a_ring_wakes(bell: QueueBell, tmp_path: Path) -> None:
    assert woken(bell, lambda: ring(tmp_path))


def test_a_queue_that_is_gone_wakes_once_and_harms_nothing(bell: QueueBell, queue: Path) -> None:
    queue.rmdir()
    assert woken(bell, lambda: None)
    bell.wait(0.0)
