"""Looking at workers and changing them while a dispatcher talks to them."""

from __future__ import annotations

import itertools

import pytest

from tests.acceptance.lab import Lab

pytestmark = [pytest.mark.rig, pytest.mark.ansible]


def test_workers_are_looked_at_beside_the_dispatcher(lab: Lab) -> None:
    names = [worker.name for worker in lab.farm.workers]
    with lab.dispatching():
        for name in names:
            lab.drop(f"on-{name}", "while [ ! -e ~/go ]; do sleep 0.1; done\n")
        lab.wait_for_all("running")
        looks = lab.json("workers", "check")
        assert [(look["worker"], look["ready"]) for look in looks] == [(n, True) for n in names]
        assert all(look["zips"] for look in looks), "each has its job's zip"
        assert [worker["state"] for worker in lab.json("workers", "list")] == ["busy"] * len(names)
        assert "hopper dispatch" in lab.run("db", "compact", code=1)
        checks = {check["subject"]: check for check in lab.json("doctor")["checks"]}
        assert checks["dispatch"]["said"].startswith("runs, pid ")
        for worker in lab.farm.workers:
            (worker.home / "go").touch()
        lab.wait_for_all("completed")
    lab.check_none_lost_none_twice()


def test_drain_pause_and_resume_reach_the_dispatcher(lab: Lab) -> None:
    first, *others = [worker.name for worker in lab.farm.workers]
    with lab.dispatching():
        lab.run("workers", "drain", *others)
        numbers = itertools.count()

        def places_of_three() -> set[str]:
            names = [f"job{next(numbers)}" for _ in range(3)]
            for name in names:
                lab.drop(name, "true\n")
            for name in names:
                lab.wait_for(name, "completed")
            jobs = lab.jobs()
            return {jobs[name]["worker"] for name in names}

        lab.eventually(lambda: places_of_three() == {first}, what="the drained get nothing")

        lab.run("workers", "pause")
        lab.run("workers", "resume", *others)
        lab.drop("late", "true\n")
        lab.wait_for("late", "pending")
        assert lab.json("status")["paused"] is True
        lab.run("workers", "resume")
        lab.wait_for("late", "completed")
    lab.check_none_lost_none_twice()
