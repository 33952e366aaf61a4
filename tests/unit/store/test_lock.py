from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hopper.store.errors import LockHeld
from hopper.store.lock import StateLock, holder
from tests.conftest import Eventually

HOLD = """
import sys, pathlib
from hopper.store.lock import StateLock
lock = StateLock.acquire(pathlib.Path(sys.argv[1]), command="hopper dispatch")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_one_is_told_who_holds_it(folder: Path) -> None:
    with StateLock.acquire(folder, command="hopper dispatch --once"):
        with pytest.raises(LockHeld) as caught:
            StateLock.acquire(folder)
        assert caught.value.pid == os.getpid()
        assert f"process {os.getpid()} on {os.uname().nodename}" in str(caught.value)
        assert "hopper dispatch --once" in str(caught.value)
        held_by = holder(folder)
        assert held_by is not None
        assert held_by.pid == os.getpid()
    assert holder(folder) is None
    StateLock.acquire(folder).release()


def test_looking_does_not_make_a_start_fail(folder: Path) -> None:
    import fcntl

    StateLock.acquire(folder).release()
    looking = os.open(folder / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    import threading

    release = threading.Timer(0.05, os.close, [looking])
    release.start()
    StateLock.acquire(folder).release()
    release.join()


def test_the_kernel_lets_go_when_the_holder_is_killed(folder: Path, eventually: Eventually) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld) as caught:
            StateLock.acquire(folder)
        assert (caught.value.pid, caught.value.command) == (child.pid, "hopper dispatch")
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    assert eventually(lambda: holder(folder) is None)
    StateLock.acquire(folder).release()


def test_a_forked_child_does_not_keep_it(folder: Path) -> None:
    script = """
import os, sys, pathlib
from hopper.store.lock import StateLock
lock = StateLock.acquire(pathlib.Path(sys.argv[1]))
if os.fork() == 0:
    print(os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdout.readline()
    parent.wait()
    try:
        StateLock.acquire(folder).release()
    finally:
        parent.stdin.close()
        parent.stdout.close()


def test_a_lock_file_without_words_still_names_somebody(folder: Path) -> None:
    with StateLock.acquire(folder):
        (folder / "lock").write_bytes(b"\x00garbage")
        with pytest.raises(LockHeld, match="another process"):
            StateLock.acquire(folder)
