"""Sweeps: one lingering Ansible run for many workers, on real connections."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hopper.ansible.runs import AnsibleSettings
from hopper.ansible.sweep import Sources, SweepFleet, SweepSettings
from hopper.model.orders import Order, Report
from tests.conftest import Eventually

pytestmark = pytest.mark.ansible

HOSTS: dict[str, dict[str, Any]] = {
    "near": {"ansible_connection": "local"},
    "here": {"ansible_connection": "local"},
    "refused": {"ansible_host": "127.0.0.1", "ansible_port": 1},
    "mute": {"ansible_connection": "local", "ansible_remote_tmp": "{{ undefined_thing }}"},
}


def inventory(path: Path, hosts: dict[str, dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"hopper_workers": {"hosts": hosts}}))
    return path


class Rig:
    """A fleet over the hosts above, and what a test asks of it."""

    def __init__(self, folder: Path, eventually: Eventually, **settings: Any) -> None:
        self.folder, self.eventually = folder, eventually
        self.runs = folder / "runs"
        for name in ("Inbox", "Outbox"):
            (folder / name).mkdir()
        self.path = inventory(folder / "inventory.json", HOSTS)
        self.sources = Sources(paths=(str(self.path),), workers="1")
        ansible = AnsibleSettings(inventory=self.sources.paths, connect_timeout=5)
        self.fleet = SweepFleet(
            SweepSettings(ansible=ansible, folder=self.runs, **settings), lambda: self.sources
        )

    def order(self, host: str, **parts: Any) -> Order:
        values: dict[str, Any] = {
            "id": secrets.token_hex(4),
            "host": host,
            "inbox": str(self.folder / "Inbox"),
            "outbox": str(self.folder / "Outbox"),
            "incoming": str(self.folder / "incoming"),
            "deadline": 60.0,
        }
        return Order(**{**values, **parts})

    def ask(self, *hosts: str) -> dict[str, Report]:
        """Send an order to each host and wait for all reports."""
        orders = [self.order(host) for host in hosts]
        self.fleet.send(orders)
        return self.answers(orders)

    def answers(self, orders: list[Order]) -> dict[str, Report]:
        reports: list[Report] = []

        def all_in() -> bool:
            reports.extend(self.fleet.receive())
            return len(reports) >= len(orders)

        self.eventually(all_in, within=90, what="all reports")
        assert sorted(r.order for r in reports) == sorted(order.id for order in orders)
        return {report.host: report for report in reports}

    def run_folders(self) -> list[Path]:
        return sorted(p for p in self.runs.iterdir() if not p.name.startswith("failed-"))


@pytest.fixture
def make(tmp_path: Path, eventually: Eventually) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**settings: Any) -> Rig:
        made.append(Rig(tmp_path, eventually, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.fleet.close()


def processes(mark: str) -> list[int]:
    """Processes with that text in their arguments, but this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state = (path / "stat").read_text().rpartition(") ")[2][0]
            if mark.encode() in (path / "cmdline").read_bytes() and state not in "ZX":
                found.append(int(path.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def test_each_host_is_its_own_result(make: Callable[..., Rig]) -> None:
    rig = make()
    seen = rig.ask("near", "refused", "stranger", "here")
    for host in ("near", "here"):
        assert not seen[host].error
        assert seen[host].inbox == str(rig.folder / "Inbox")
    assert "onnection refused" in seen["refused"].error
    assert not seen["refused"].delivered
    assert "stranger is not in the inventory" in seen["stranger"].error
    assert not seen["stranger"].delivered
    assert rig.fleet.pending == frozenset()


def test_a_second_batch_goes_to_the_same_run(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.ask("near")
    [folder] = rig.run_folders()
    assert not rig.ask("here")["here"].error
    assert rig.run_folders() == [folder]


def test_orders_are_pending_until_reported(make: Callable[..., Rig]) -> None:
    rig = make()
    order = rig.order("near")
    rig.fleet.send([order])
    assert rig.fleet.pending == {order.id}
    rig.answers([order])
    assert rig.fleet.pending == frozenset()


def test_a_transfer_has_a_run_of_its_own(make: Callable[..., Rig]) -> None:
    rig = make()
    orders = [rig.order("near"), rig.order("here", deadline=None)]
    rig.fleet.send(orders)
    assert len(rig.run_folders()) == 2
    assert not any(report.error for report in rig.answers(orders).values())


def test_an_idle_sweep_ends_and_leaves_nothing(
    make: Callable[..., Rig], eventually: Eventually
) -> None:
    rig = make(linger=0.1)
    rig.ask("near")

    def resting() -> bool:
        assert rig.fleet.receive() == []
        return rig.fleet.resting

    eventually(resting, what="the end of the sweep")
    assert list(rig.runs.iterdir()) == []
    assert not rig.ask("near")["near"].error


def test_another_inventory_is_another_sweep(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.ask("near")
    old = rig.run_folders()
    inventory(rig.path, {**HOSTS, "stranger": {"ansible_connection": "local"}})
    rig.sources = Sources(paths=rig.sources.paths, workers="2")
    assert not rig.ask("stranger")["stranger"].error
    assert set(rig.run_folders()) - set(old)


def test_a_killed_run_fails_what_it_had(make: Callable[..., Rig], eventually: Eventually) -> None:
    rig = make()
    rig.ask("near")
    [folder] = rig.run_folders()
    order = rig.order("near")
    for pid in processes(str(folder)):
        os.kill(pid, signal.SIGSTOP)
    stopped = processes(str(folder))
    assert stopped
    rig.fleet.send([order])
    for pid in stopped:
        os.kill(pid, signal.SIGKILL)
    [report] = rig.answers([order]).values()
    assert "ended early" in report.error
    assert report.delivered, "it may have been carried out"
    assert not rig.ask("near")["near"].error


def test_closing_ends_all_processes(make: Callable[..., Rig], eventually: Eventually) -> None:
    rig = make()
    rig.ask("near")
    assert processes(str(rig.runs))
    rig.fleet.close()
    eventually(lambda: not processes(str(rig.runs)), what="the end of the processes")
    assert list(rig.runs.iterdir()) == []


PARENT = """
import sys, time
from pathlib import Path
from hopper.ansible.runs import AnsibleSettings
from hopper.ansible.sweep import Sources, SweepFleet, SweepSettings
from hopper.model.orders import Order

folder = Path(sys.argv[1])
sources = Sources(paths=(str(folder / "inventory.json"),))
settings = AnsibleSettings(inventory=sources.paths)
fleet = SweepFleet(SweepSettings(ansible=settings, folder=folder / "runs"), lambda: sources)
boxes = {"inbox": str(folder / "Inbox"), "outbox": str(folder / "Outbox")}
fleet.send([Order(id="o", host="near", deadline=60.0, **boxes)])
while not fleet.receive():
    time.sleep(0.05)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_killed_dispatcher_leaves_no_process(tmp_path: Path, eventually: Eventually) -> None:
    inventory(tmp_path / "inventory.json", HOSTS)
    for name in ("Inbox", "Outbox"):
        (tmp_path / name).mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        assert processes(str(tmp_path / "runs"))
    finally:
        parent.kill()
        parent.communicate()
    eventually(lambda: not processes(str(tmp_path)), what="the end of all it had started")


def test_an_order_that_takes_too_long_holds_up_no_other(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.ask("near")
    slow = rig.folder / "slow.sh"
    slow.write_text("#!/bin/sh\nsleep 600\n")
    slow.chmod(0o755)
    hosts = {**HOSTS, "slow": {"ansible_connection": "ssh", "ansible_ssh_executable": str(slow)}}
    inventory(rig.path, hosts)
    rig.sources = Sources(paths=rig.sources.paths, workers="2")
    started = time.monotonic()
    orders = [rig.order("slow", deadline=3.0), rig.order("near")]
    rig.fleet.send(orders)
    seen = rig.answers(orders)
    assert "no answer within 3 s" in seen["slow"].error
    assert seen["slow"].delivered
    assert not seen["near"].error
    assert seen["near"].at < seen["slow"].at
    assert time.monotonic() - started < 60


def test_a_sweep_that_was_prepared_takes_the_first_orders(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.fleet.prepare(Sources(paths=rig.sources.paths))
    prepared = rig.run_folders()
    assert len(prepared) == 1
    assert not rig.ask("near")["near"].error
    assert rig.run_folders() == prepared


def test_a_sweep_prepared_from_other_files_takes_none(make: Callable[..., Rig]) -> None:
    rig = make()
    rig.fleet.prepare(Sources(paths=rig.sources.paths, files="an older state"))
    prepared = rig.run_folders()
    assert not rig.ask("near")["near"].error
    assert set(rig.run_folders()) - set(prepared)
