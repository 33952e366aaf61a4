"""Farms are taken down however their owner ends: at exit, on SIGTERM, and by a watch on kill -9."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

ROOT = Path(__file__).resolve().parents[3]
# Blocks until the owner writes a line (a clean end) or its end closes the pipe (it was killed).
WATCH = 'read -r _ || exec "$1" -m tests.rigs.farm down --folder "$2"'

Close = Callable[[], None]
_open: dict[int, Close] = {}
_owner = 0


class Watch:
    """A shell that outlives the owner of a farm and takes the farm down if the owner did not."""

    def __init__(self, folder: Path) -> None:
        self._command = ["sh", "-c", WATCH, "watch", sys.executable, str(folder)]
        self._shell: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to watch the present process."""
        self._shell = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def dismiss(self) -> None:
        """End it: the farm is down."""
        if self._shell is not None:
            self._shell.communicate(b"down\n")
            self._shell = None


def remember(key: int, close: Close) -> None:
    """Have `close` called when this process exits or gets SIGTERM."""
    global _owner  # noqa: PLW0603 - one per process, and a fork must see that it is not the owner
    if _owner != os.getpid():
        _open.clear()
        _owner = os.getpid()
        atexit.register(close_all)
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminated)
    _open[key] = close


def forget(key: int) -> None:
    """The farm is down."""
    _open.pop(key, None)


def close_all() -> None:
    """Take down what is still up, in the process that started it only and not in its forks."""
    if os.getpid() == _owner:
        for close in list(_open.values()):
            close()


def _terminated(number: int, _frame: FrameType | None) -> None:
    close_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
