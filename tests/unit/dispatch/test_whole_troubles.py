"""Workers that are out of reach, reboot, lose things, refuse, and a full disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hopper.model.event import EventKind
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.fakes.farm_worker import Plan
from tests.fakes.rig import POLICY, Rig, spec

DONE, FAILED = JobState.COMPLETED, JobState.FAILED


def test_an_idle_worker_out_of_reach_is_tried_again_soon() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.farm.workers["w1"].up = False
    rig.seconds(30)
    rig.home.drop("a-000001")
    rig.seconds(30)
    rig.farm.workers["w1"].up = True
    assert rig.ends("a-000001", within=330) == [DONE]


def test_an_unreachable_worker_is_backed_off_without_spinning() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=30)
    rig.run(lambda: rig.farm.starts)
    rig.farm.workers["w1"].up = False
    before = len(rig.farm.orders)
    rig.seconds(1800)
    assert len(rig.farm.orders) - before < 20
    assert rig.state("a-000001") in {JobState.SUBMITTED, JobState.RUNNING}
    rig.farm.workers["w1"].up = True
    assert rig.ends("a-000001", within=330) == [DONE]
    assert len(rig.kinds(EventKind.WORKER_UNREACHABLE)) == 1


def test_a_worker_that_left_the_inventory_makes_no_spin() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=30)
    rig.run(lambda: rig.farm.starts)
    rig.run(lambda: rig.state("a-000001") is JobState.RUNNING)
    worker = rig.roster.known.pop(rig.farm.starts[0].worker)
    rig.seconds(60)
    assert rig.tick() > 0
    rig.roster.known[worker.name] = worker
    assert rig.ends("a-000001") == [DONE]


def test_a_reboot_ends_the_attempt_and_frees_the_worker() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.home.drop("b-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=1000)
    rig.run(lambda: rig.farm.starts)
    rig.farm.reboot("w1")
    assert rig.ends("a-000001", "b-000001") == [FAILED, DONE]
    assert rig.job("a-000001").reason == "worker rebooted"


def test_survivors_are_told_once() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=1000, immortal=True)
    rig.run(lambda: rig.farm.starts)
    rig.mailbox.leave(do="cancel", jobs=["a-000001"])
    rig.seconds(120)
    assert rig.state("a-000001") is JobState.RUNNING
    assert len(rig.kinds(EventKind.SURVIVORS)) == 1


def test_an_abandoned_attempt_is_killed_when_its_worker_comes_back() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = [Plan(seconds=5000), Plan()]
    rig.run(lambda: rig.farm.starts)
    first = rig.farm.starts[0]
    rig.farm.workers[first.worker].up = False
    rig.seconds(60)
    rig.mailbox.leave(do="requeue", jobs=["a-000001"], abandon=True)
    assert rig.ends("a-000001") == [DONE]
    assert rig.farm.starts[1].worker != first.worker
    assert rig.farm.running(first.worker)
    rig.farm.workers[first.worker].up = True
    rig.run(lambda: not rig.farm.running(first.worker), within=400)
    assert len(rig.home.results) == 1
    assert len(rig.farm.starts) == 2


def test_an_abandoned_attempt_on_a_worker_that_answers_goes_first() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = [Plan(seconds=5000), Plan()]
    rig.run(lambda: rig.farm.starts)
    rig.mailbox.leave(do="requeue", jobs=["a-000001"], abandon=True)
    assert rig.ends("a-000001") == [DONE]
    assert rig.farm.most_at_once == {"w1": 1}


def test_lost_after_gives_up_by_the_clock() -> None:
    rig = Rig(policy=replace(POLICY, lost_after=timedelta(minutes=10)))
    rig.home.drop("a-000001", spec(retries=1))
    rig.farm.plans["a-000001"] = [Plan(seconds=50_000), Plan()]
    rig.run(lambda: rig.farm.starts)
    rig.farm.workers[rig.farm.starts[0].worker].up = False
    assert rig.ends("a-000001", within=900) == [DONE]


def test_an_inbox_that_is_not_mounted_ends_nothing() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=60)
    rig.run(lambda: rig.farm.starts)
    rig.run(lambda: rig.state("a-000001") is JobState.RUNNING)
    rig.farm.workers["w1"].set_up = False
    rig.seconds(1200)
    assert rig.state("a-000001") is JobState.RUNNING
    rig.farm.workers["w1"].set_up = True
    assert rig.ends("a-000001") == [DONE]


def test_an_attempt_without_a_trace_is_given_time_then_fails() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=100)
    rig.run(lambda: rig.farm.starts)
    rig.run(lambda: rig.state("a-000001") is JobState.RUNNING)
    worker = rig.farm.workers["w1"]
    kept, worker.sides = worker.sides, {}
    rig.seconds(300)
    assert rig.state("a-000001") is JobState.SETTLING
    worker.sides = kept
    assert rig.ends("a-000001") == [DONE]

    rig.home.drop("b-000001")
    rig.farm.plans["b-000001"] = Plan(seconds=100)
    rig.run(lambda: len(rig.farm.starts) == 2)
    rig.run(lambda: rig.state("b-000001") is JobState.RUNNING)
    worker.sides = {}
    assert rig.ends("b-000001", within=1500) == [FAILED]
    assert "outcome unknown" in rig.job("b-000001").reason


def test_what_cannot_be_cleaned_is_not_asked_for_all_the_time() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.farm.workers["w1"].stuck_remains = True
    rig.home.drop("a-000001")
    rig.ends("a-000001")
    before = len(rig.farm.orders)
    rig.seconds(600)
    assert len(rig.farm.orders) - before < 4
    assert rig.dispatcher.idle


def test_a_full_disk_at_home_loses_nothing() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.run(lambda: rig.farm.starts)
    rig.home.full = True
    rig.seconds(60)
    rig.home.full = False
    assert rig.ends("a-000001", within=900) == [DONE]
    rig.seconds(15)
    assert rig.home.zips["done"] == {"a-000001.zip"}


def test_low_space_at_home_keeps_results_on_the_worker() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=30)
    rig.run(lambda: rig.farm.starts)
    rig.home.free = 10
    rig.seconds(60)
    assert rig.state("a-000001") is JobState.SETTLING
    assert not rig.home.results
    rig.home.free = 10**12
    assert rig.ends("a-000001") == [DONE]
    assert len(rig.kinds(EventKind.HOME_DISK_LOW)) == 1
    assert len(rig.kinds(EventKind.HOME_DISK_OK)) == 1


def test_a_quarantined_worker_is_tried_again_later() -> None:
    rig = Rig(workers=[Worker(name="w1")], policy=replace(POLICY, quarantine_after=2))
    for name in ("a-000001", "b-000001", "c-000001"):
        rig.home.drop(name)
    rig.farm.plans["a-000001"] = rig.farm.plans["b-000001"] = Plan(exit_code=1)
    assert rig.ends("a-000001", "b-000001") == [FAILED, FAILED]
    rig.seconds(300)
    assert rig.state("c-000001") is JobState.PENDING
    assert rig.ends("c-000001", within=600) == [DONE]


def test_refused_launches_cost_no_retry_and_end_at_last() -> None:
    rig = Rig(policy=replace(POLICY, quarantine_after=0, max_refusals=3))
    for worker in rig.farm.workers.values():
        worker.refuses = "torn"
    rig.home.drop("a-000001")
    assert rig.ends("a-000001") == [FAILED]
    assert "refused 3 times" in rig.job("a-000001").reason
    assert not rig.job("a-000001").attempts


def test_a_job_waits_for_room_on_a_worker_however_long() -> None:
    rig = Rig(workers=[Worker(name="w1")], policy=replace(POLICY, max_refusals=2))
    rig.farm.workers["w1"].refuses = "disk"
    rig.home.drop("a-000001")
    rig.seconds(1200)
    assert rig.state("a-000001") is JobState.PENDING
    rig.farm.workers["w1"].refuses = ""
    assert rig.ends("a-000001") == [DONE]
