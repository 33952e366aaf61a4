"""Many orders at once, none holding up another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hopper.errors import TransportError
from hopper.model import wire
from hopper.model.orders import Order, Report
from hopper.remote.errands import order_line
from hopper.remote.fanout import END_LINE, ROUTE_LIMIT, Fanout
from hopper.remote.transport import Answer, Transport
from tests.conftest import Eventually

Exec = Callable[[str, bytes], Answer]
HOST = ("host", "boot", "1700000000", "1", "/in", "/out")


class Fake:
    """A transport whose exec is a function."""

    def __init__(self, act: Exec) -> None:
        self._act = act

    def exec(self, command: str, stdin: bytes = b"") -> Answer:
        return self._act(command, stdin)

    def put(self, local: Path, remote: str) -> None:
        raise AssertionError(local, remote)

    def fetch(self, remote: str, local: Path) -> None:
        raise AssertionError(local, remote)


def answer(command: str, stdin: bytes) -> Answer:
    """Answer as a host that has nothing to do."""
    del command
    mark = stdin[stdin.index(b"HOPPER-") :][:23].decode()
    records = [HOST, ("end",)]
    text = "".join(f"{len(r)}\0" + "".join(f"{part}\0" for part in r) for r in records)
    return Answer(code=0, stdout=f"\n{mark}\n{text}".encode(), stderr=b"")


class Table:
    """Orders and reports of one fan-out that runs in a thread."""

    def __init__(self, folder: Path, eventually: Eventually) -> None:
        self.folder, self.eventually = folder, eventually
        self.orders, self.results = folder / "orders", folder / "results"
        self.bell = folder / "bell"
        self.orders.touch()
        self.results.touch()
        os.mkfifo(self.bell)
        self.ring_fd = os.open(self.bell, os.O_RDWR | os.O_NONBLOCK)
        self.acts: dict[str, Exec] = {}
        self.routes: dict[str, str] = {}
        self.fanout = Fanout(
            connect=self.connect, orders=self.orders, results=self.results, doorbell=self.bell
        )
        self.thread = threading.Thread(target=self.fanout.run, daemon=True)

    def connect(self, host: str) -> tuple[Transport, str]:
        if host == "unknown":
            raise TransportError("no such host", delivered=False)
        return Fake(self.acts.get(host, answer)), self.routes.get(host, host)

    def send(self, *orders: Order) -> None:
        with self.orders.open("a") as file:
            file.writelines(order_line(order) for order in orders)
        self.ring()

    def ring(self) -> None:
        os.write(self.ring_fd, b".")
        if self.thread.ident is None:
            self.thread.start()

    def reports(self) -> dict[str, Report]:
        lines = self.results.read_bytes().splitlines(keepends=True)
        documents = [json.loads(line) for line in lines if line.endswith(b"\n")]
        reports = [wire.from_json(Report, document) for document in documents]
        assert len({r.order for r in reports}) == len(reports), "an order is reported once"
        return {report.order: report for report in reports}

    def wait(self, *ids: str) -> dict[str, Report]:
        self.eventually(lambda: set(ids) <= set(self.reports()), what=f"reports of {ids}")
        return self.reports()

    def end(self) -> None:
        with self.orders.open("a") as file:
            file.write(END_LINE)
        self.ring()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def table(tmp_path: Path, eventually: Eventually) -> Table:
    return Table(tmp_path, eventually)


def order(name: str, **parts: object) -> Order:
    return Order(id=name, host=name, **parts)  # type: ignore[arg-type]


def test_orders_that_come_later_are_carried_out_too(table: Table) -> None:
    table.send(order("a"))
    table.wait("a")
    table.send(order("b"), order("c"))
    seen = table.wait("b", "c")
    table.end()
    assert not any(report.error for report in seen.values())
    assert (table.fanout.carried_out, table.fanout.unreachable) == (3, 0)


def test_without_a_doorbell_the_end_of_the_file_is_the_end(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text(order_line(order("a")) + order_line(order("b")))
    fanout = Fanout(
        connect=lambda host: (Fake(answer), host),
        orders=tmp_path / "orders",
        results=tmp_path / "results",
    )
    fanout.run()
    assert len((tmp_path / "results").read_text().splitlines()) == 2


def test_a_mute_host_is_given_up_and_delays_nobody(table: Table) -> None:
    gate = threading.Event()

    def mute(command: str, stdin: bytes) -> Answer:
        gate.wait(60)
        return answer(command, stdin)

    table.acts["mute"] = mute
    table.send(order("mute", deadline=1.0), order("a"))
    seen = table.wait("a")
    assert "mute" not in seen
    seen = table.wait("mute")
    assert seen["mute"].error == "no answer within 1 s"
    assert seen["mute"].delivered
    gate.set()
    table.send(order("b"))
    table.wait("b")
    table.end()
    assert set(table.reports()) == {"mute", "a", "b"}


def test_what_a_given_up_order_had_started_is_killed(table: Table, eventually: Eventually) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def stuck(command: str, stdin: bytes) -> Answer:
        del command, stdin
        started.append(subprocess.Popen(["sleep", "600"]))
        started[0].wait()
        return Answer(code=255, stdout=b"", stderr=b"")

    table.acts["stuck"] = stuck
    table.send(order("stuck", deadline=0.5))
    table.wait("stuck")
    eventually(lambda: started[0].poll() is not None, what="the end of its child")
    table.end()


@pytest.mark.parametrize(
    "error", [TransportError("cut"), RuntimeError("odd"), OSError("full"), ValueError("bad")]
)
def test_a_hosts_trouble_is_its_own_report(table: Table, error: Exception) -> None:
    def broken(command: str, stdin: bytes) -> Answer:
        raise error

    table.acts["broken"] = broken
    table.send(order("broken"), order("unknown"), order("a"))
    seen = table.wait("broken", "unknown", "a")
    table.end()
    assert str(error) in seen["broken"].error
    assert seen["broken"].delivered
    assert (seen["unknown"].error, seen["unknown"].delivered) == ("no such host", False)
    assert not seen["a"].error
    assert table.fanout.unreachable == 2


class Gate:
    """Holds up calls and counts how many there are at a time."""

    def __init__(self) -> None:
        self.open, self.lock, self.now, self.most = threading.Event(), threading.Lock(), 0, 0

    def __call__(self, command: str, stdin: bytes) -> Answer:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.open.wait(60)
        with self.lock:
            self.now -= 1
        return answer(command, stdin)


def test_one_route_takes_no_more_than_sshd_does(table: Table, eventually: Eventually) -> None:
    gate = Gate()
    names = [f"h{number}" for number in range(ROUTE_LIMIT + 3)]
    table.acts |= dict.fromkeys(names, gate)
    table.routes |= dict.fromkeys(names, "bastion")
    table.send(*[order(name) for name in names], order("elsewhere"))
    table.wait("elsewhere")
    eventually(lambda: gate.now == ROUTE_LIMIT, what="a full route")
    gate.open.set()
    table.wait(*names)
    table.end()
    assert gate.most == ROUTE_LIMIT


def test_no_more_orders_at_a_time_than_threads(table: Table, eventually: Eventually) -> None:
    gate = Gate()
    table.fanout.threads = 2
    names = ["a", "b", "c", "d"]
    table.acts |= dict.fromkeys(names, gate)
    table.send(*[order(name) for name in names], order("apart", apart=True))
    table.wait("apart")
    eventually(lambda: gate.now == 2, what="all threads")
    gate.open.set()
    table.wait(*names)
    table.end()
    assert gate.most == 2


def test_a_torn_line_waits_for_its_rest(table: Table) -> None:
    line = order_line(order("b"))
    with table.orders.open("a") as file:
        file.write(order_line(order("a")) + line[:20])
    table.ring()
    table.wait("a")
    with table.orders.open("a") as file:
        file.write(line[20:])
    table.ring()
    table.wait("b")
    table.end()


def test_each_report_rings_at_home(table: Table, tmp_path: Path) -> None:
    home = tmp_path / "home"
    os.mkfifo(home)
    reader = os.open(home, os.O_RDONLY | os.O_NONBLOCK)
    table.fanout.notify = home
    table.send(order("a"), order("b"))
    table.wait("a", "b")
    table.end()
    assert os.read(reader, 10) == b".."
    os.close(reader)


CHILD = """
import os, sys, subprocess
from pathlib import Path
from hopper.remote.fanout import Fanout

class Stuck:
    def exec(self, command, stdin=b""):
        subprocess.run(["sleep", "987654"])

folder = Path(sys.argv[1])
(folder / "pid").write_text(str(os.getpid()))
Fanout(
    connect=lambda host: (Stuck(), host),
    orders=folder / "orders",
    results=folder / "results",
    doorbell=folder / "bell",
).run()
"""


def test_it_ends_with_its_children_when_its_parent_is_gone(
    tmp_path: Path, eventually: Eventually
) -> None:
    (tmp_path / "orders").write_text(order_line(order("stuck")))
    os.mkfifo(tmp_path / "bell")
    launch = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(600)"
    parent = subprocess.Popen(
        [sys.executable, "-c", launch, sys.executable, "-c", CHILD, str(tmp_path)]
    )
    pid_file = tmp_path / "pid"
    eventually(lambda: pid_file.exists() and pid_file.read_text(), what="the fan-out")
    pid = int(pid_file.read_text())

    def children() -> list[str]:
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [child for path in tasks for child in path.read_text().split()]

    [sleeper] = eventually(children, what="its ssh")
    parent.kill()
    parent.wait()

    def gone() -> bool:
        return not any(_runs(number) for number in (str(pid), sleeper))

    eventually(gone, what="the end of both")


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False
