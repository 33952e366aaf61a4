"""The whole dispatcher over a simulated farm: what becomes of jobs when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hopper.dispatch.settings import PolicySettings
from hopper.model.orders import Order
from hopper.model.states import JobState
from hopper.model.worker import Worker
from tests.fakes.farm_worker import Plan
from tests.fakes.rig import POLICY, Rig, check_moves, spec

DONE, FAILED = JobState.COMPLETED, JobState.FAILED


def first_launch(fault: str) -> object:
    """A fault that hits the first order with a launch only."""
    hit: list[str] = []

    def choose(order: Order) -> str:
        if order.launches and not hit:
            hit.append(order.id)
            return fault
        return ""

    return choose


def test_a_zip_goes_out_runs_and_comes_home() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    assert rig.ends("a-000001") == [DONE]
    assert len(rig.farm.starts) == 1
    assert rig.home.zips["done"] == {"a-000001.zip"}
    [content] = rig.home.results.values()
    assert content.startswith(b"a-000001 ")
    rig.run(lambda: rig.dispatcher.idle)
    worker = rig.farm.workers[rig.farm.starts[0].worker]
    assert not worker.outbox
    assert not worker.sides
    check_moves(rig.store.told)


@pytest.mark.parametrize("fault", ["undelivered", "cut", "lost", "slow"])
def test_a_broken_launch_starts_once(fault: str) -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.fault = first_launch(fault)  # type: ignore[assignment]
    assert rig.ends("a-000001") == [DONE]
    assert len(rig.farm.starts) == 1
    check_moves(rig.store.told)


def test_a_launch_repeated_in_vain_is_not_taken_back() -> None:
    # The first order arrived and its report was lost; the next ones never arrive.
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=200)
    seen: list[str] = []

    def fault(order: Order) -> str:
        if order.launches:
            seen.append(order.host)
        if seen and order.host == seen[0]:
            return "lost" if len(seen) == 1 and order.launches else "undelivered"
        return ""

    rig.farm.fault = fault
    rig.seconds(120)
    assert len(rig.farm.starts) == 1
    assert rig.state("a-000001") is JobState.SUBMITTED
    rig.farm.fault = lambda _: ""
    assert rig.ends("a-000001", within=900) == [DONE]
    assert len(rig.farm.starts) == 1


def test_after_a_restart_an_undelivered_launch_is_not_taken_back() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.run(lambda: rig.farm.starts)
    rig.start()
    assert rig.state("a-000001") is JobState.SUBMITTED
    host = rig.farm.starts[0].worker
    rig.farm.workers[host].up = False
    rig.seconds(60)
    assert rig.state("a-000001") is JobState.SUBMITTED
    rig.farm.workers[host].up = True
    assert rig.ends("a-000001", within=900) == [DONE]
    assert len(rig.farm.starts) == 1


def test_a_relaunch_sees_what_runs() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=100)
    rig.farm.fault = first_launch("lost")  # type: ignore[assignment]
    rig.run(lambda: rig.farm.starts)
    rig.run(lambda: rig.state("a-000001") is JobState.RUNNING, within=60)


def test_a_failure_is_tried_again_and_its_results_are_kept_apart() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001", spec(retries=1))
    rig.farm.plans["a-000001"] = [Plan(exit_code=3), Plan()]
    assert rig.ends("a-000001") == [DONE]
    job = rig.job("a-000001")
    assert [attempt.exit_code for attempt in job.attempts] == [3, 0]
    for attempt in job.attempts:
        [result] = attempt.results
        assert rig.home.results[result.name] == f"a-000001 {attempt.id}".encode()


def test_retries_come_to_an_end() -> None:
    rig = Rig()
    rig.home.drop("a-000001", spec(retries=2))
    rig.farm.plans["a-000001"] = Plan(exit_code=1)
    assert rig.ends("a-000001") == [FAILED]
    assert len(rig.farm.starts) == 3
    assert rig.home.reasons["a-000001"] == "exit code 1"


def test_a_repeated_release_takes_no_newer_results() -> None:
    # The release of the first attempt is confirmed only after the second could have started.
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001", spec(retries=1))
    rig.farm.plans["a-000001"] = [Plan(exit_code=3), Plan(seconds=3)]
    rig.farm.fault = lambda order: "lost" if order.releases and rig.clock.monotonic() < 120 else ""
    assert rig.ends("a-000001", within=900) == [DONE]
    assert [len(attempt.results) for attempt in rig.job("a-000001").attempts] == [1, 1]


def test_a_cancel_ends_a_running_job() -> None:
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = Plan(seconds=1000)
    rig.run(lambda: rig.farm.starts)
    rig.mailbox.leave(do="cancel", jobs=["a-000001"])
    assert rig.ends("a-000001", within=60) == [JobState.CANCELLED]
    assert not any(rig.farm.running(name) for name in rig.farm.workers)


def test_a_cancel_before_the_launch_arrives_keeps_it_from_starting() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.fault = first_launch("cut")  # type: ignore[assignment]
    rig.run(lambda: any(order.launches for order in rig.farm.orders))
    rig.mailbox.leave(do="cancel", jobs=["a-000001"])
    assert rig.ends("a-000001") == [JobState.CANCELLED]
    assert not rig.farm.starts


def test_a_strangers_zip_is_adopted_and_its_results_come_home() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    worker = rig.farm.workers["w1"]
    worker.zips["theirs"] = ""
    rig.run(lambda: rig.store.jobs)
    [job_id] = rig.store.jobs
    rig.home.drop("b-000001")
    rig.seconds(60)
    assert rig.state("b-000001") is JobState.PENDING
    del worker.zips["theirs"]
    worker.outbox["theirs.zip"] = b"theirs"
    assert rig.ends(job_id, "b-000001") == [DONE, DONE]
    assert b"theirs" in rig.home.results.values()
    rig.run(lambda: not worker.outbox)


def test_a_strangers_zip_that_leaves_nothing_fails_in_the_end() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.farm.workers["w1"].zips["theirs"] = ""
    rig.run(lambda: rig.store.jobs)
    [job_id] = rig.store.jobs
    rig.farm.workers["w1"].zips.clear()
    assert rig.ends(job_id, within=1200) == [FAILED]


def test_a_zip_taken_away_fails_its_job_before_it_goes_anywhere() -> None:
    rig = Rig()
    rig.farm.workers["w1"].up = rig.farm.workers["w2"].up = False
    rig.home.drop("a-000001")
    rig.run(lambda: rig.store.jobs)
    rig.home.zips["queue"].clear()
    for worker in rig.farm.workers.values():
        worker.up = True
    assert rig.ends("a-000001") == [FAILED]
    assert not rig.farm.starts
    check_moves(rig.store.told)


def test_a_time_limit_is_kept() -> None:
    rig = Rig()
    rig.home.drop("a-000001", spec(time_limit=30))
    rig.farm.plans["a-000001"] = Plan(seconds=1000)
    assert rig.ends("a-000001") == [FAILED]
    assert rig.job("a-000001").reason == "ran into its time limit"


def test_large_zips_and_results_hold_no_one_up() -> None:
    rig = Rig(
        workers=[Worker(name="w1", slots=2)],
        policy=replace(POLICY, bulk_limit=20),
        orders=replace(Rig().orders, bulk_limit=20),
    )
    rig.home.drop("large-00001", size=1000)
    rig.home.drop("small-00001", size=10)
    assert rig.ends("large-00001", "small-00001") == [DONE, DONE]
    assert any(order.deadline is None and order.launches for order in rig.farm.orders)
    assert any(order.deadline is None and not order.launches for order in rig.farm.orders)
    assert not rig.farm.collisions


def test_that_results_were_large_says_nothing_of_the_next_try() -> None:
    rig = Rig(
        workers=[Worker(name="w1")],
        policy=replace(POLICY, bulk_limit=20),
        orders=replace(Rig().orders, bulk_limit=20),
    )
    rig.home.drop("large-00001", spec(retries=1), size=10)
    rig.farm.plans["large-00001"] = Plan(exit_code=1)
    assert rig.ends("large-00001") == [FAILED]
    attempt = rig.job("large-00001").attempts[1].id
    looks = [
        order
        for order in rig.farm.orders
        if not order.launches and any(follow.attempt == attempt for follow in order.follows)
    ]
    assert looks[0].deadline is not None
    assert any(order.deadline is None for order in looks)


def test_jobs_come_after_others() -> None:
    rig = Rig()
    rig.home.drop("a-000001", spec("a"))
    rig.home.drop("b-000001", spec("b", after=("a-000001",)))
    rig.home.drop("c-000001", spec("c", after=("b-000001",)))
    rig.farm.plans["b-000001"] = Plan(exit_code=1)
    ends = rig.ends("a-000001", "b-000001", "c-000001")
    assert ends == [DONE, FAILED, JobState.DEP_FAILED]
    assert rig.farm.starts[1].at > rig.farm.starts[0].at


def test_upkeep_does_not_wait_for_ever() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.farm.fault = lambda _: "cut"
    rig.home.drop("a-000001")
    for _ in range(700):
        rig.tick()
        rig.clock.advance(1)
    assert rig.upkeeps >= 2


def test_policy_settings_are_sound() -> None:
    assert PolicySettings().grace > timedelta(0)


def test_a_refusal_while_an_earlier_launch_goes_on_takes_nothing_back() -> None:
    # The worker unpacks, its report is lost, and a stranger's zip takes the room meanwhile.
    rig = Rig()
    rig.home.drop("a-000001")
    rig.farm.fault = first_launch("slow")  # type: ignore[assignment]
    rig.run(lambda: any(order.launches for order in rig.farm.orders))
    worker = next(rig.farm.workers[o.host] for o in rig.farm.orders if o.launches)
    rig.seconds(2)
    worker.zips["theirs"] = ""
    rig.run(lambda: rig.farm.starts, within=60)
    worker.zips.pop("theirs")
    assert rig.ends("a-000001") == [DONE]
    rig.seconds(60)
    assert [start.worker for start in rig.farm.starts] == [worker.name]


def test_a_repeated_discard_takes_no_newer_results() -> None:
    rig = Rig(workers=[Worker(name="w1")])
    rig.home.drop("a-000001")
    rig.farm.plans["a-000001"] = [Plan(seconds=5000), Plan(seconds=3)]
    rig.run(lambda: rig.farm.starts)
    hit: list[str] = []

    def fault(order: Order) -> str:
        if order.discards and not hit:
            hit.append(order.id)
            return "lost"
        return ""

    rig.farm.fault = fault
    rig.mailbox.leave(do="requeue", jobs=["a-000001"], abandon=True)
    assert rig.ends("a-000001") == [DONE]
    assert hit
    assert len(rig.job("a-000001").attempts[-1].results) == 1
