"""The loop around the ticks: when it ends, what it survives, how it sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hopper.dispatch.commands import arrival_to_json
from hopper.dispatch.drive import STOP_PATIENCE, TROUBLE_PAUSE, Stop, Until, drive
from hopper.dispatch.orders import OrderDesk
from hopper.dispatch.rhythm import Rhythm
from hopper.dispatch.run_acts import NewRun, run_body
from hopper.dispatch.settings import BackOff
from hopper.errors import HopperError
from hopper.model.event import EventKind
from hopper.model.orders import Order
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.fakes.farm_worker import Plan
from tests.fakes.rig import Rig, spec
from tests.fakes.small import FakeBell
from tests.unit.dispatch.situations import NOW, later
from tests.unit.dispatch.test_commands import arrival


def driven(
    rig: Rig,
    until: Until,
    stop: Stop | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[str]:
    """Drive to the end; return the troubles told."""
    troubles: list[str] = []

    class ReportBell(FakeBell):
        """Rings when a report is there, as a sweep does."""

        def wait(self, seconds: float) -> None:
            event = rig.farm.next_event()
            super().wait(seconds if event is None else min(seconds, event))

    waits = 0

    def on_wait() -> None:
        nonlocal waits
        waits += 1
        assert waits < 5000, "it does not end"
        meanwhile()

    bell = ReportBell(rig.clock, on_wait)
    drive(rig.dispatcher, bell, stop or Stop(), until, on_trouble=troubles.append)
    assert rig.fleet.closed
    return troubles


def test_until_idle_waits_for_zips_that_settle() -> None:
    rig = Rig()
    rig.home.unsettled = 5.0

    def meanwhile() -> None:
        if rig.home.unsettled is not None and rig.clock.monotonic() > 6:
            rig.home.unsettled = None
            rig.home.drop("a-000001")

    driven(rig, Until.IDLE, meanwhile=meanwhile)
    assert rig.state("a-000001") is JobState.COMPLETED
    assert not any(worker.sides for worker in rig.farm.workers.values())


def test_once_looks_launches_and_ends() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=500)
    driven(rig, Until.ONCE)
    assert len(rig.farm.starts) == 1
    assert rig.state("a-000001") is JobState.RUNNING
    rig.clock.advance(600)
    rig.start()
    driven(rig, Until.ONCE)
    assert rig.state("a-000001") is JobState.COMPLETED


def test_once_ends_without_workers() -> None:
    driven(Rig(workers=[]), Until.ONCE)


def test_a_stop_hears_out_what_is_under_way_and_begins_nothing() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    stop = Stop()

    def meanwhile() -> None:
        if any(order.launches for order in rig.farm.orders) and not stop.times:
            rig.home.drop("b-000001")
            stop()

    driven(rig, Until.TOLD, stop, meanwhile)
    assert rig.state("a-000001") is JobState.RUNNING
    assert [start.job_id for start in rig.farm.starts] == ["a-000001"]
    assert rig.store.told[-1].kind is EventKind.DISPATCH_STOPPED


def stuck(_: Order) -> str:
    return "cut"


def test_a_stop_waits_no_longer_than_it_must() -> None:
    rig = Rig()
    rig.farm.fault = stuck
    rig.farm.submit = lambda *_: None  # type: ignore[method-assign]
    stop = Stop()
    stop()
    driven(rig, Until.TOLD, stop)
    assert rig.clock.monotonic() <= STOP_PATIENCE + 2


def test_a_second_stop_ends_at_once() -> None:
    rig = Rig()
    rig.farm.submit = lambda *_: None  # type: ignore[method-assign]
    stop = Stop()

    def meanwhile() -> None:
        stop()

    driven(rig, Until.TOLD, stop, meanwhile)
    assert rig.clock.monotonic() < 5


@pytest.mark.parametrize("error", [HopperError("the disk is full"), ZeroDivisionError("oops")])
def test_a_tick_that_breaks_off_is_told_and_followed_by_others(error: Exception) -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    tick, left = rig.dispatcher.tick, [3]

    def failing() -> float:
        if left[0]:
            left[0] -= 1
            raise error
        return tick()

    rig.dispatcher.tick = failing  # type: ignore[method-assign]
    rig.home.unsettled = 1.0

    def meanwhile() -> None:
        if rig.clock.monotonic() > 3 * TROUBLE_PAUSE:
            rig.home.unsettled = None

    troubles = driven(rig, Until.IDLE, meanwhile=meanwhile)
    assert len(troubles) == 3
    assert str(error) in troubles[0]
    assert rig.state("a-000001") is JobState.COMPLETED


def test_a_full_disk_at_the_end_still_lets_the_workers_go() -> None:
    rig = Rig()
    stop = Stop()

    def meanwhile() -> None:
        rig.store.full = True
        stop()

    with pytest.raises(HopperError, match="full"):
        driven(rig, Until.TOLD, stop, meanwhile)
    assert rig.fleet.closed


# --- what one bad thing does to the others


def test_a_report_that_cannot_be_taken_in_holds_up_no_other() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.home.drop("b-000001")
    land, bad = rig.home.land, [2]

    def landing(job: Any, files: Any) -> Any:
        if job.id == "a-000001" and bad[0]:
            bad[0] -= 1
            raise ZeroDivisionError("oops")
        return land(job, files)

    rig.home.land = landing  # type: ignore[method-assign]
    assert rig.ends("a-000001", "b-000001") == [JobState.COMPLETED] * 2
    assert "oops" in rig.kinds(EventKind.TROUBLE)[0].reason


def test_a_full_store_loses_no_report_and_no_zip() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.store.full = True
    for _ in range(3):
        with pytest.raises(HopperError):
            rig.tick()
        rig.clock.advance(2)
    rig.store.full = False
    rig.run(lambda: rig.farm.starts)
    rig.store.full = True
    for _ in range(40):
        rig.clock.advance(2)
        try:
            rig.tick()
        except HopperError:
            continue
    rig.store.full = False
    assert rig.ends("a-000001") == [JobState.COMPLETED]
    assert len(rig.farm.starts) == 1


def test_a_bad_letter_holds_up_no_other() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.tick()
    bad = rig.mailbox.leave(do="submit", job="x", after=object(), env=7)
    unknown = rig.mailbox.leave(do="fly")
    good = rig.mailbox.leave(do="hold", jobs=["a-000001"])
    rig.tick()
    assert rig.mailbox.answers[bad]["usage"] is True
    assert "fly" in str(rig.mailbox.answers[unknown]["error"])
    assert rig.mailbox.answers[good]["done"] == {"a-000001": "held"}


def test_a_letter_that_breaks_something_is_answered() -> None:
    rig = Rig()

    def breaking(job_id: str) -> None:
        raise ZeroDivisionError(job_id)

    rig.home.accept = breaking  # type: ignore[method-assign]
    letter = rig.mailbox.leave(do="submit", **arrival_to_json(arrival()))
    rig.tick()
    assert "ZeroDivisionError" in str(rig.mailbox.answers[letter]["error"])
    assert not rig.store.jobs


def test_an_order_that_cannot_be_written_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(workers=[Worker(name="w1"), Worker(name="w2")])
    write = OrderDesk.write

    def writing(
        desk: OrderDesk, order_id: str, visit: Any, worker: Worker, *rest: Any, **named: Any
    ) -> Order:
        if worker.name == "w1":
            raise ZeroDivisionError("oops")
        return write(desk, order_id, visit, worker, *rest, **named)

    monkeypatch.setattr(OrderDesk, "write", writing)
    rig.home.drop("a-000001")
    assert rig.ends("a-000001") == [JobState.COMPLETED]
    assert len([e for e in rig.kinds(EventKind.TROUBLE) if e.worker == "w1"]) == 1


def test_upkeeps_problems_are_told_once() -> None:
    rig = Rig()
    rig.problems = ("a segment is damaged",)
    rig.seconds(300)
    assert rig.upkeeps > 2
    assert len(rig.kinds(EventKind.TROUBLE)) == 1


def test_what_retention_took_away_is_forgotten() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.ends("a-000001")
    run = Run(id="r-000001", workflow="w", backend="b", created_at=rig.clock.now())
    rig.dispatcher.carry_out(run_body(NewRun(run=run, tasks=())))
    rig.run(lambda: rig.dispatcher.idle)
    del rig.store.jobs["a-000001"], rig.store.runs["r-000001"]
    rig.run(lambda: "a-000001" not in rig.dispatcher.book.jobs)
    assert rig.dispatcher.book.runs == {}


def test_an_idle_dispatcher_sleeps_and_commits_nothing() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.ends("a-000001")
    rig.seconds(30)
    commits, orders = rig.store.commits, len(rig.farm.orders)
    rig.seconds(600)
    assert rig.store.commits == commits
    assert len(rig.farm.orders) == orders
    assert rig.tick() == pytest.approx(1.0)


def test_a_refused_zip_is_a_failed_job() -> None:
    rig = Rig()
    rig.home.refuse("a-000001", "it is no zip")
    rig.tick()
    assert rig.state("a-000001") is JobState.FAILED
    assert rig.job("a-000001").reason == "it is no zip"
    assert [event.reason for event in rig.kinds(EventKind.JOB_REJECTED)] == ["it is no zip"]


def test_gpus_and_environment_reach_the_job() -> None:
    rig = Rig(workers=[Worker(name="w1", slots=2, gpus=2)])
    rig.home.drop("a-000001", spec(gpus=1, env={"A": "b"}, time_limit=60))
    rig.home.drop("b-000001", spec(env={"CUDA_VISIBLE_DEVICES": "7"}))
    rig.ends("a-000001", "b-000001")
    launches = [item for order in rig.farm.orders for item in order.launches]
    assert launches[0].env == {"A": "b", "CUDA_VISIBLE_DEVICES": "0"}
    assert launches[1].env == {"CUDA_VISIBLE_DEVICES": "7"}
    assert (launches[0].time_limit, launches[0].slots) == (60, 2)


# --- rhythm and back-off


def rhythm() -> Rhythm:
    return Rhythm(
        first=timedelta(seconds=1), longest=timedelta(seconds=10), idle=timedelta(seconds=100)
    )


def test_looks_come_soon_after_a_change_and_then_less_often() -> None:
    it, at, waits = rhythm(), NOW, []
    assert it.due(["w"], NOW) == {"w"}
    it.changed("w", at)
    for _ in range(8):
        due = it.next_due(["w"])
        assert due is not None
        waits.append((due - at).total_seconds())
        at = due
        it.looked("w", at, idle=False)
    assert waits[0] == 1
    assert waits == sorted(waits)
    assert waits[-1] == 10
    it.looked("w", at, idle=True)
    assert it.next_due(["w"]) == at + timedelta(seconds=100)
    it.at_once("w")
    assert it.due(["w"], at) == {"w"}
    assert it.next_due(["w"]) is None


def test_a_clock_that_was_set_back_makes_no_long_sleep() -> None:
    it = rhythm()
    it.looked("w", NOW, idle=False)
    assert not it.due(["w"], NOW)
    assert it.due(["w"], later(-3600)) == {"w"}
    it.postponed("w", later(50))
    assert not it.due(["w"], later(49))
    assert it.due(["w"], later(50))


def test_waits_double_up_to_the_longest() -> None:
    waits = BackOff(first=timedelta(seconds=3), longest=timedelta(seconds=20), jitter=0.5)
    assert [waits.wait(n).total_seconds() for n in (0, 1, 2, 3, 4, 5000)] == [3, 3, 6, 12, 20, 20]
    assert waits.wait(1, 0.5).total_seconds() == 3.75
