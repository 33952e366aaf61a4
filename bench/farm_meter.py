"""Wall time and CPU of one way to get jobs done, as a figure, a table and JSON."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Connections = Literal["cold", "warm"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What it cost to get `jobs` jobs to `workers` workers and their results back.

    `seconds` is wall time; `controller_cpu` the CPU seconds of all local processes of the method,
    ssh masters included; `machine_cpu` those of the whole machine, the workers (and whatever else
    runs here) included; `verified` counts the results that were right.
    """

    method: str
    connections: Connections
    workers: int
    jobs: int
    verified: int
    seconds: float
    controller_cpu: float
    machine_cpu: float

    @property
    def rate(self) -> float:
        """Verified jobs a second."""
        return self.verified / self.seconds

    def as_json(self) -> dict[str, Any]:
        """All fields and what follows from them, a job each."""
        return {
            **asdict(self),
            "jobs_per_second": round(self.rate, 3),
            "controller_cpu_per_job": round(self.controller_cpu / self.jobs, 5),
            "machine_cpu_per_job": round(self.machine_cpu / self.jobs, 5),
        }


class Meter:
    """Takes time and CPU between `start` and `stop`.

    The controller's CPU is that of children which ended in between, of the processes in `pids`
    (ssh masters and the like, which go on), and of this process when `own` is true.
    """

    def __init__(self, pids: Sequence[int] = (), *, own: bool = False) -> None:
        self._pids = tuple(pids)
        self._own = own
        self._before = (0.0, 0.0, 0.0)

    def start(self) -> Self:
        """Begin."""
        self._before = self._now()
        return self

    def stop(self) -> tuple[float, float, float]:
        """Seconds of wall time, of the controller's CPU and of the machine's CPU since `start`."""
        wall, controller, machine = (
            now - before for now, before in zip(self._now(), self._before, strict=True)
        )
        return wall, controller, machine

    def _now(self) -> tuple[float, float, float]:
        kinds = [resource.RUSAGE_CHILDREN, *([resource.RUSAGE_SELF] if self._own else [])]
        used = [resource.getrusage(kind) for kind in kinds]
        controller = sum(each.ru_utime + each.ru_stime for each in used)
        controller += sum(map(process_cpu, self._pids))
        return time.monotonic(), controller, machine_cpu()


def process_cpu(pid: int) -> float:
    """CPU seconds of a live process so far, from the scheduler's nanoseconds (not its ticks)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def machine_cpu() -> float:
    """CPU seconds of all processors since boot that were neither idle nor stolen."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / ticks


def table(figures: Iterable[Figure]) -> str:
    """The figures as a plain table, one line each."""
    head = ("method", "connections", "workers", "verified", "jobs/s", "controller", "machine")
    rows = [
        (
            each.method,
            each.connections,
            str(each.workers),
            f"{each.verified}/{each.jobs}",
            f"{each.rate:.1f}",
            f"{each.controller_cpu / each.jobs:.4f}",
            f"{each.machine_cpu / each.jobs:.4f}",
        )
        for each in figures
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
    return "\n".join([*lines, "controller, machine: CPU seconds a job"])
