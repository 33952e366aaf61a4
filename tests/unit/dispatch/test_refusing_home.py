"""A home that refuses, and reports that fit nothing: said once, and the loop goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hopper.dispatch import ledger
from hopper.dispatch.ports import NoTaskZips
from hopper.errors import HopperError
from hopper.model.event import EventKind
from hopper.model.orders import Report
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.fakes.clock import FakeClock
from tests.fakes.home import FakeHome
from tests.fakes.rig import POLICY, Rig
from tests.fakes.small import FakeLog
from tests.fakes.store import FakeStore


def refuse(*_: object) -> Any:
    raise HopperError("it is read-only")


def troubles(rig: Rig) -> list[str]:
    return [event.reason for event in rig.kinds(EventKind.TROUBLE)]


def test_a_queue_that_cannot_be_read() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.tick()
    read = rig.home.arrivals
    rig.home.arrivals = refuse  # type: ignore[method-assign,assignment]
    assert rig.ends("a-000001") == [JobState.COMPLETED]
    assert troubles(rig) == ["it is read-only"]
    rig.home.arrivals = read  # type: ignore[method-assign]
    rig.home.drop("b-000001")
    assert rig.ends("b-000001") == [JobState.COMPLETED]


def test_a_disk_that_does_not_tell_its_room() -> None:
    rig = Rig()
    rig.home.free_bytes = refuse  # type: ignore[method-assign]
    rig.home.drop("a-000001")
    assert rig.ends("a-000001") == [JobState.COMPLETED]
    rig.seconds(60)
    assert troubles(rig) == ["it is read-only"]


def test_a_report_on_an_order_that_nobody_awaits() -> None:
    rig = Rig()
    told = len(rig.store.told)
    rig.fleet.arrived.append(Report(order="of another life", host="w1", at=0.0, error="gone"))
    rig.dispatcher.launching = False
    rig.tick()
    assert not rig.kinds(EventKind.WORKER_UNREACHABLE)
    assert len(rig.store.told) == told


def test_results_of_an_attempt_that_nobody_knows_are_not_landed() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    receive, land = rig.fleet.receive, rig.home.land
    landed: list[str] = []

    def landing(job: Any, files: Any) -> Any:
        landed.append(job.id)
        return land(job, files)

    def strange() -> list[Report]:
        return [replace(report, gathered=(*report.gathered, "z999999999")) for report in receive()]

    rig.fleet.receive = strange  # type: ignore[method-assign]
    rig.home.land = landing  # type: ignore[method-assign]
    assert rig.ends("a-000001") == [JobState.COMPLETED]
    assert landed == ["a-000001"]


def test_of_troubles_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "REMEMBERED", 2)
    it = ledger.Ledger(
        store=FakeStore(),
        home=FakeHome(),
        log=FakeLog(),
        clock=FakeClock(),
        settings=POLICY,
        task_zips=NoTaskZips(),
    )
    assert [it.said_before(key, "so") for key in "abc"] == [False, False, False]
    assert it.said_before("c", "so")
    assert not it.said_before("c", "otherwise")
    assert not it.said_before("a", "so"), "forgotten for the newer ones"
