"""Processes of a farm, found in /proc and never touched by number alone.

A pid file holds `PID START`, START being the kernel's start time of that process, so that a pid
which was given to somebody else since is left alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Iterator

PROC = Path("/proc")


def started(pid: int) -> str | None:
    """Start time in clock ticks since boot of a live process, None when gone or a zombie."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def remember(path: Path, pid: int) -> None:
    """Write the pid file of a process."""
    path.write_text(f"{pid} {started(pid) or '-'}", encoding="utf-8")


def recall(path: Path) -> int | None:
    """The pid in a pid file, when that very process still lives."""
    try:
        pid, start = path.read_text(encoding="utf-8").split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if started(int(pid)) == start else None


def everyone() -> Iterator[int]:
    """All pids of the machine."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def namespace(pid: int) -> str | None:
    """Identity of a process' pid namespace; None when it is gone or not ours to see."""
    try:
        return os.readlink(PROC / str(pid) / "ns" / "pid")  # noqa: PTH115 - not a path, a link text
    except OSError:
        return None


def inside(init: int) -> list[int]:
    """Pids of the processes in the same pid namespace as `init`, itself left out."""
    wanted = namespace(init)
    return [pid for pid in everyone() if pid != init and wanted and namespace(pid) == wanted]


def marked(mark: str) -> list[int]:
    """Pids of the processes that carry `mark` (`NAME=value`) in their environment."""
    return [pid for pid in everyone() if mark.encode() in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Pids of all children, grandchildren … of `pid`."""
    children: dict[int, list[int]] = {}
    for each in everyone():
        children.setdefault(_parent(each), []).append(each)
    found: list[int] = []
    queue = [pid]
    while queue:
        queue += (nearer := children.get(queue.pop(), []))
        found += nearer
    return found


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return -1


def command(pid: int) -> str:
    """The command line, arguments parted by blanks; empty when gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def name(pid: int) -> str:
    """The kernel's short name of a process; empty when gone."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each; those that are gone are passed over."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
