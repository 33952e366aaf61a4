"""What goes wrong on a real Slurm: limits, time and memory, nodes, munge, no accounting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cluster_lab import ClusterLab, backend, task
from tests.conftest import Eventually
from tests.rigs.slurm import RigError, Slurm, missing

pytestmark = [pytest.mark.rig, pytest.mark.soak, pytest.mark.xdist_group("clusters")]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if reason := missing():
        pytest.skip(f"slurm: {reason}")
    with Slurm.start(2, tmp_path_factory.mktemp("slurm"), enforce_limits=True) as rig:
        yield rig


@pytest.fixture
def lab(slurm: Slurm, tmp_path: Path, eventually: Eventually) -> Iterator[ClusterLab]:
    lab = _lab(slurm, tmp_path, eventually)
    yield lab
    lab.close()


def _lab(slurm: Slurm, folder: Path, eventually: Eventually) -> ClusterLab:
    backends = [backend("cl", "slurm", slurm.ssh_facts.backend())]
    return ClusterLab(folder / "hopper", backends, eventually)


def test_a_limit_on_jobs_makes_them_wait(slurm: Slurm, lab: ClusterLab) -> None:
    slurm.limit_submits(2)
    try:
        lab.start_run([task(f"t{number}", "true") for number in range(6)], "cl")
        lab.dispatch()
    finally:
        slurm.limit_submits(-1)
    assert set(lab.states().values()) == {"completed"}
    assert any("no more jobs for now" in reason for reason in _reasons(lab, "launch_voided"))


def test_time_and_memory_that_ran_out_are_told_and_tried_again_with_more(
    slurm: Slurm, lab: ClusterLab
) -> None:
    hungry = "python3 -c 'import time; x = bytearray(60 << 20); time.sleep(600)'"
    lab.start_run(
        [
            task("slow", first_time(lab, "slow", "sleep 600"), time_limit="0:05:00",
                 retries=1, retry={"on": ["timeout"], "time": "x2"}),
            task("hungry", first_time(lab, "hungry", hungry), memory="20M",
                 retries=1, retry={"on": ["oom"], "memory": "x2"}),
            task("too.slow", "sleep 600", time_limit="0:05:00"),
        ],
        "cl",
    )  # fmt: skip
    over: set[str] = set()
    with lab.dispatching():

        def ended() -> bool:
            for job in slurm.jobs():
                if job.state == "RUNNING" and "slow" in job.name and job.id not in over:
                    # Not within the second in which it began.
                    with suppress(RigError):
                        slurm.end_now(job.id)
                        over.add(job.id)
            return all(state in {"completed", "failed"} for state in lab.states().values())

        lab.eventually(ended, within=150)
    tasks = lab.tasks()
    assert lab.states() == {"slow": "completed", "hungry": "completed", "too.slow": "failed"}
    assert "time" in tasks["too.slow"]["reason"]
    first, second = _attempts(lab, "hungry")
    assert first["outcome"] != "completed"
    assert "memory" in first["reason"]
    assert second["outcome"] == "completed"


def test_a_node_that_fails_costs_the_attempt_and_not_the_job(slurm: Slurm, lab: ClusterLab) -> None:
    command = first_time(lab, "t", "sleep 600")
    lab.start_run([task("t", command, retries=1, retry={"on": ["node_fail"]})], "cl")
    with lab.dispatching():
        lab.eventually(lambda: lab.states()["t"] == "running", within=120)
        node = lab.eventually(lambda: _attempts(lab, "t")[-1]["node"], within=120)
        slurm.node_down(node)
        try:
            lab.eventually(lambda: lab.states()["t"] == "completed", within=90)
        finally:
            slurm.node_up(node)
    first, second = _attempts(lab, "t")
    assert "node" in first["reason"]
    assert second["outcome"] == "completed"


def test_a_broken_munge_ends_nothing(slurm: Slurm, lab: ClusterLab) -> None:
    release = "/tmp/hopper-release-" + lab.folder.parent.name
    lab.start_run([task("patient", f"until [ -e '{release}' ]; do sleep 0.2; done")], "cl")
    with lab.dispatching():
        lab.eventually(lambda: lab.states()["patient"] == "running", within=120)
        before = len(_reasons(lab))
        slurm.break_munge()
        try:
            lab.eventually(lambda: len(_reasons(lab)) > before, within=120, what="its trouble")
            assert lab.states()["patient"] in {"running", "settling"}
        finally:
            slurm.mend_munge()
        assert slurm.ssh(f"touch '{release}'").returncode == 0
        lab.eventually(lambda: lab.states()["patient"] == "completed", within=120)


def test_without_accounting_the_outcomes_are_there(tmp_path: Path, eventually: Eventually) -> None:
    if reason := missing("none"):
        pytest.skip(f"slurm: {reason}")
    with Slurm.start(1, tmp_path / "rig", accounting="none") as slurm:
        lab = _lab(slurm, tmp_path, eventually)
        lab.start_run(
            [
                task("good", "true"),
                task("bad", "exit 3"),
                task("killed", "kill -9 $$"),
                task("after", "true", deps=["good"]),
            ],
            "cl",
        )
        lab.dispatch()
        assert lab.states() == {
            "good": "completed",
            "bad": "failed",
            "killed": "failed",
            "after": "completed",
        }
        assert lab.tasks()["bad"]["exit_code"] == 3
        lab.close()


def first_time(lab: ClusterLab, name: str, command: str) -> str:
    """Return a command that is carried out once, and not when it is tried again."""
    return f"mkdir '/tmp/hopper-{lab.folder.parent.name}-{name}' 2>/dev/null || exit 0; {command}"


def _reasons(lab: ClusterLab, kind: str = "trouble") -> list[str]:
    """Return the reasons that the events of a kind tell."""
    events = map(json.loads, lab.hopper("events", "--limit", "0", "--json").splitlines())
    return [str(event["reason"]) for event in events if event["kind"] == kind]


def _attempts(lab: ClusterLab, name: str) -> list[dict[str, Any]]:
    """Return the attempts of a task's job."""
    job = json.loads(lab.hopper("show", lab.tasks()[name]["id"], "--json"))
    attempts: list[dict[str, Any]] = job["attempts"]
    return attempts
