"""A dispatcher that is killed at random times while workers die and lines are cut."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.acceptance.lab import Lab, kill
from tests.conftest import Eventually
from tests.rigs.farm import Farm

pytestmark = [pytest.mark.rig, pytest.mark.ansible, pytest.mark.soak]

JOBS = 60
MINUTES = float(os.environ.get("HOPPER_STORM_MINUTES", "4"))
SCRIPT = "sleep $(( $$ % 3 )); mkdir -p results; echo $HOPPER_JOB_ID > results/answer.txt\n"


def storm(lab: Lab, chance: random.Random, *, workers_die: bool) -> None:
    """Kill the dispatcher and hurt the workers until the time is up."""
    farm = lab.farm
    harms = [(farm.cut, farm.mend), (farm.freeze, farm.thaw), (_leave, _leave)]
    if workers_die:
        harms.append((farm.kill, farm.restart))
    until = time.monotonic() + MINUTES * 60
    dropped = 0
    while time.monotonic() < until:
        more = min(chance.randint(0, 6), JOBS - dropped)
        _drop(lab, range(dropped, dropped + more), retries=9 if workers_die else 0)
        dropped += more
        dispatcher = lab.start("--quiet")
        hurt = chance.choice(farm.workers).name
        harm, heal = chance.choice(harms)
        _pause(chance, 2.5)
        harm(hurt)
        _pause(chance, 4.0)
        kill(dispatcher)
        heal(hurt)
    _drop(lab, range(dropped, JOBS), retries=9 if workers_die else 0)


def _drop(lab: Lab, numbers: range, *, retries: int) -> None:
    for number in numbers:
        lab.drop(f"job{number}", SCRIPT, spec={"retries": retries})


def _leave(_name: str) -> None:
    """Do the worker no harm."""


def _pause(chance: random.Random, longest: float) -> None:
    """Let it run for a random time: the one thing here that has no condition to wait for."""
    deadline = time.monotonic() + chance.uniform(0.1, longest)
    while time.monotonic() < deadline:
        os.sched_yield()
        time.sleep(0.01)


@pytest.mark.parametrize("workers_die", [False, True], ids=["lines", "lines and machines"])
def test_a_storm_loses_no_job_and_runs_none_twice(
    netns_farm: Farm, tmp_path: Path, eventually: Eventually, *, workers_die: bool
) -> None:
    seed = int(os.environ.get("HOPPER_STORM_SEED", str(time.time_ns() % 10**6)))
    print(f"HOPPER_STORM_SEED={seed}")
    lab = Lab(netns_farm, tmp_path, eventually)
    lab.set_up(group_vars={"hopper_slots": 2})
    try:
        storm(lab, random.Random(seed), workers_die=workers_die)  # noqa: S311 - no secret
        lab.run("dispatch", "--until-idle", "--quiet", seconds=300)
        jobs = lab.jobs()
        assert len(jobs) == JOBS
        assert {job["state"] for job in jobs.values()} == {"completed"}
        for name, job in jobs.items():
            homes = list((lab.state / "inbox").glob(f"{job['id']}*.zip"))
            assert len(homes) >= 1, name
            if not workers_die:
                assert len(homes) == 1, name
        lab.check_none_lost_none_twice(once=not workers_die)
        assert not lab.run("db", "check").count("damage")
    finally:
        lab.close()
