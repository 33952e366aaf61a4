"""Carries orders out on many hosts at once, for as long as orders come.

Orders are lines of a file, reports are lines of another; a named pipe beside the orders says
that there are more. Each order has a thread, so that no host holds up another; what does not
answer by its deadline is given up and its ssh killed. The last line of the orders is
``{"end": true}``; without a doorbell the end of the file is the end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hopper.errors import TransportError
from hopper.model.batch import AnyOrder, AnyReport
from hopper.remote import errands
from hopper.remote.transport import Transport

PARENT_CHECK = 1.0
"""Seconds between looks at whether the parent process still lives."""
ROUTE_LIMIT = 8
"""Orders under way at a time through one address or jump host: sshd takes about ten starts."""


END_LINE = json.dumps({"end": True}) + "\n"


Connect = Callable[[str], tuple[Transport, str]]
"""Returns the transport of a host and its route; may raise TransportError. Main thread only."""


@dataclass(kw_only=True, slots=True)
class _Active:
    order: AnyOrder
    route: str
    started: float
    thread: threading.Thread | None = None
    given_up: bool = False


@dataclass(kw_only=True)
class Fanout:
    """One run of it; ``run`` returns when the orders have ended."""

    connect: Connect
    orders: Path
    results: Path
    doorbell: Path | None = None
    notify: Path | None = None
    """A named pipe to write a byte to whenever a report is there."""
    threads: int = 32
    carried_out: int = 0
    unreachable: int = 0
    _ended: bool = False
    _offset: int = 0
    _waiting: deque[AnyOrder] = field(default_factory=deque)
    _active: dict[str, _Active] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Carry out all orders until the last one is reported."""
        wake_read, self._wake = os.pipe()
        bell = -1
        if self.doorbell is not None:
            bell = os.open(self.doorbell, os.O_RDWR | os.O_NONBLOCK)
        watched = [fd for fd in (wake_read, bell) if fd >= 0]
        parent = os.getppid()
        try:
            while True:
                self._take_orders()
                self._give_up_overdue()
                self._start_waiting()
                if self._ended and not self._active and not self._waiting:
                    return
                ready, _, _ = select.select(watched, [], [], self._patience())
                for fd in ready:
                    os.read(fd, 1 << 16)
                if os.getppid() != parent:
                    self._leave()
        finally:
            for fd in (*watched, self._wake):
                os.close(fd)

    def _take_orders(self) -> None:
        with self.orders.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                document = json.loads(line)
                if document.get("end"):
                    self._ended = True
                else:
                    self._waiting.append(errands.order_of(document))
        if self.doorbell is None:
            self._ended = True

    def _start_waiting(self) -> None:
        # A copy: orders that end meanwhile leave the mapping.
        under_way = list(self._active.values())
        routes = Counter(active.route for active in under_way)
        counted = sum(not active.order.apart for active in under_way)
        for _ in range(len(self._waiting)):
            order = self._waiting.popleft()
            if counted >= self.threads and not order.apart:
                self._waiting.append(order)
                continue
            try:
                transport, route = self.connect(order.host)
            except TransportError as error:
                self._write(errands.failed(order, str(error), delivered=False))
                continue
            if routes[route] >= ROUTE_LIMIT and not order.apart:
                self._waiting.append(order)
                continue
            routes[route] += 1
            counted += not order.apart
            self._start(order, transport, route)

    def _start(self, order: AnyOrder, transport: Transport, route: str) -> None:
        active = _Active(order=order, route=route, started=time.monotonic())
        self._active[order.id] = active
        active.thread = threading.Thread(
            target=self._carry_out, args=(active, transport), daemon=True
        )
        active.thread.start()

    def _carry_out(self, active: _Active, transport: Transport) -> None:
        order = active.order
        try:
            report = errands.carry_out(transport, order)
        except Exception as error:  # noqa: BLE001 - one host's trouble is that host's report
            report = errands.failed(order, f"{type(error).__name__}: {error}")
        with self._lock:
            if active.given_up:
                return
            self._write(report)
            del self._active[order.id]
        os.write(self._wake, b".")

    def _write(self, report: AnyReport) -> None:
        self.carried_out += 1
        self.unreachable += bool(report.error)
        line = errands.report_line(report)
        with self.results.open("a", encoding="utf-8") as file:
            file.write(line)
        if self.notify is not None:
            with suppress(OSError):
                pipe = os.open(self.notify, os.O_WRONLY | os.O_NONBLOCK)
                try:
                    os.write(pipe, b".")
                finally:
                    os.close(pipe)

    def _patience(self) -> float:
        now = time.monotonic()
        ends = [
            active.started + active.order.deadline - now
            for active in list(self._active.values())
            if active.order.deadline is not None
        ]
        return max(0.0, min([PARENT_CHECK, *ends]))

    def _give_up_overdue(self) -> None:
        now = time.monotonic()
        for active in list(self._active.values()):
            deadline = active.order.deadline
            if deadline is None or now < active.started + deadline:
                continue
            with self._lock:
                if active.order.id not in self._active:
                    continue
                active.given_up = True
                del self._active[active.order.id]
                self._write(errands.failed(active.order, f"no answer within {deadline:.0f} s"))
            _kill_children(active.thread)

    def _leave(self) -> None:
        """End at once, with every ssh: whoever was to read the reports is gone."""
        for active in list(self._active.values()):
            _kill_children(active.thread)
        os._exit(1)


def _kill_children(thread: threading.Thread | None) -> None:
    """Kill the processes that a thread has started (Linux tells which; elsewhere none)."""
    if thread is None or thread.native_id is None:
        return
    children = Path(f"/proc/self/task/{thread.native_id}/children")
    with suppress(OSError):
        for child in children.read_text("ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
