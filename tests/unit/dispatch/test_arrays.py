"""Which jobs make job arrays, how these are handed in, and what becomes of their members."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.backends.systems import Systems
from hopper.config.backends import Backend, Ssh
from hopper.dispatch.arrays import placements
from hopper.dispatch.batch_orders import BatchOrderDesk
from hopper.dispatch.batch_submitted import take_in_submissions
from hopper.dispatch.book import Book
from hopper.dispatch.decisions import BatchPlacement, BatchVisit
from hopper.dispatch.desk import Desk
from hopper.dispatch.intents import record
from hopper.dispatch.policy import decide
from hopper.dispatch.ports import OrderSettings
from hopper.dispatch.settings import PolicySettings
from hopper.model.attempt import Attempt, Outcome, Remains
from hopper.model.backend import BatchTarget
from hopper.model.batch import BatchOrder, BatchReport, Said, SubmitResult, Submitted
from hopper.model.event import EventKind
from hopper.model.job import Job
from hopper.model.run import Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, RetryRule, Task
from tests.unit.dispatch.situations import NOW, attempt, over
from tests.unit.dispatch.test_submissions import batch_job, snapshot

TEMPLATES = Path(__file__).parents[3] / "roles" / "batch_submit" / "templates"
TARGET = BatchTarget(
    name="cl", kind="slurm", host="cl", max_concurrent=900, array_limit=4, arrays=True
)
GROUP = "g000000001"
FOUND = Said(code=0, stdout="12\n", stderr="")


def run(name: str = "r", array: str = "") -> Run:
    return Run(id=name, workflow="wf", backend="cl", created_at=NOW, array=array)


def pending(number: int, resources: BatchResources = BatchResources(), **parts: Any) -> Job:  # noqa: B008 # frozen
    task = Task(id=f"t{number}", command=f"echo {number}", resources=resources)
    return batch_job(f"p{number:02}-000000", **{"run": "r", "task": task, **parts})


def sizes(jobs: list[Job], target: BatchTarget = TARGET, **runs: str) -> list[int]:
    known = {name: run(name, array) for name, array in {"r": "", **runs}.items()}
    return [len(found.jobs) for found in placements(jobs, target, known)]


# Which


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("rs"), st.integers(0, 1)), max_size=30),
    st.integers(0, 5),
)
def test_each_job_goes_once_and_members_are_equal(
    wanted: list[tuple[int, str, int]], limit: int
) -> None:
    jobs = [
        pending(number, BatchResources(cpus=cpus + 1), run=name, priority=rank)
        for number, (cpus, name, rank) in enumerate(wanted)
    ]
    target = replace(TARGET, array_limit=limit)
    found = list(placements(jobs, target, {name: run(name) for name in "rs"}))
    assert sorted(job.id for item in found for job in item.jobs) == [job.id for job in jobs]
    assert all(len(item.jobs) <= max(1, limit) for item in found)
    kinds = [
        {(job.run, job.spec.priority, job.task and job.task.resources) for job in item.jobs}
        for item in found
    ]
    assert all(len(kind) == 1 for kind in kinds)
    if limit:
        short = Counter(str(kind) for kind, item in zip(kinds, found, strict=True)
                        if len(item.jobs) < limit)  # fmt: skip
        assert all(number == 1 for number in short.values()), "no more arrays than are needed"


def test_who_may_be_a_member() -> None:
    two = [pending(1), pending(2)]
    assert sizes(two) == [2]
    assert sizes(two, replace(TARGET, arrays=False)) == [1, 1]
    assert sizes(two, replace(TARGET, arrays=False), r="auto") == [2], "the run has the last word"
    assert sizes(two, r="never") == [1, 1]
    assert sizes(two, replace(TARGET, array_limit=0), r="auto") == [1, 1]
    assert sizes([pending(1, run=""), pending(2, run="")]) == [1, 1]
    assert sizes([pending(1, task=None), pending(2, task=None)]) == [1, 1]
    inputs = Task(id="x", command="x", inputs=("/a:a",))
    assert sizes([pending(1, task=inputs), *two]) == [1, 2]


def test_a_job_that_is_given_more_after_a_failure_goes_by_itself() -> None:
    rule = RetryRule(memory=2)
    tasks = [Task(id=f"t{number}", command="x", retry=rule) for number in range(3)]
    died = over("b000000001", "cl", outcome=Outcome.OUT_OF_MEMORY)
    grown = batch_job("p00-000000", JobState.PENDING, died, run="r", task=tasks[0])
    assert sizes([grown, pending(1, task=tasks[1]), pending(2, task=tasks[2])]) == [1, 2]


def test_the_policy_makes_arrays_of_what_it_submits() -> None:
    jobs = [pending(number) for number in range(6)]
    found = decide(snapshot(jobs, [run()], TARGET), NOW)
    placed = [item for item in found if isinstance(item, BatchPlacement)]
    assert [len(item.jobs) for item in placed] == [4, 2]
    [visit] = [item for item in found if isinstance(item, BatchVisit)]
    assert sorted(visit.submits) == [job.id for job in jobs]


def test_the_intent_tells_array_and_index() -> None:
    jobs = [pending(1), pending(2), pending(3)]
    desk = Desk(book=Book(jobs), settings=PolicySettings(), now=NOW)
    ids = (f"x{number:09}" for number in count())
    record(desk, BatchPlacement(job=jobs[0], backend="cl", mates=(jobs[1],)), lambda: next(ids))
    record(desk, BatchPlacement(job=jobs[2], backend="cl"), lambda: next(ids))
    made = [newest(desk.job(job.id)) for job in jobs]
    assert [(item.array, item.array_index) for item in made] == [
        ("x000000000", 1), ("x000000000", 2), ("", 0),
    ]  # fmt: skip
    assert len({item.id for item in made} | {"x000000000"}) == 4


# Handing in


@pytest.fixture
def systems(tmp_path: Path) -> Systems:
    config = Backend(name="cl", type="slurm", ssh=Ssh(host="h"), array="auto", login_shell=True)
    return Systems([config], TEMPLATES, tmp_path / "scripts")


def member(number: int, native: str = "", **parts: Any) -> Job:
    place = {"array": GROUP, "array_index": number, "native_id": native}
    held = attempt(f"m{number:09}", "cl", **{**place, **parts.pop("attempt", {})})
    task = Task(id=f"t{number}", command=f"echo {number}")
    return batch_job(
        f"m{number:02}-000000", JobState.SUBMITTED, held, **{"run": "r", "task": task, **parts}
    )


def newest(job: Job) -> Attempt:
    assert job.attempt is not None
    return job.attempt


def written(systems: Systems, jobs: list[Job], **visit: Any) -> BatchOrder:
    desk = BatchOrderDesk(OrderSettings(command="true"), systems, Path("/in"))
    order, _, troubles = desk.write(
        "o", BatchVisit(backend="cl", **visit), systems.targets()["cl"], Book(jobs, runs=[run()]),
        now=NOW, home_full=False,
    )  # fmt: skip
    assert [trouble for trouble in troubles if "NUL" not in trouble[1]] == []
    return order


def test_an_array_is_one_submission_under_its_own_id(systems: Systems, tmp_path: Path) -> None:
    jobs = [member(2), member(5), member(3)]
    order = written(systems, jobs, submits=tuple(job.id for job in jobs))
    [array] = order.submissions
    assert array.attempt == GROUP
    assert f"a={GROUP}" in array.lookup
    assert "#SBATCH --array=1-5\n" in array.script, "indices stay what they were"
    assert array.script.startswith("#!/bin/bash -l\n")
    assert [index for index, _ in array.tasks] == [2, 3, 5]
    scripts = dict(array.tasks)
    assert "echo 5" in scripts[5]
    assert "#SBATCH" not in scripts[5]
    assert f"index 5 of the job array {GROUP}" in scripts[5]
    assert (tmp_path / "scripts" / "m000000005.sh").read_text() == scripts[5]
    assert (tmp_path / "scripts" / f"{GROUP}.sh").read_text() == array.script


def test_a_member_that_cannot_be_written_does_not_keep_the_others(systems: Systems) -> None:
    odd = member(1, task=Task(id="x", command="a\0b"))
    jobs = [odd, member(2)]
    [array] = written(systems, jobs, submits=tuple(job.id for job in jobs)).submissions
    assert [index for index, _ in array.tasks] == [2]


def test_members_are_cancelled_in_one_command(systems: Systems) -> None:
    lone = batch_job(
        "x-000001", JobState.RUNNING, attempt("b000000001", "cl", native_id="7"),
        cancel_requested=True,
    )  # fmt: skip
    over_now = member(3, "12_3", attempt={"ending": Outcome.COMPLETED}, cancel_requested=True)
    jobs = [member(1, "12_1", cancel_requested=True), lone,
            member(2, "12_2", cancel_requested=True), over_now]  # fmt: skip
    order = written(systems, jobs, cancels=tuple(job.id for job in jobs))
    assert [(item.attempt, item.command, item.others) for item in order.cancels] == [
        ("m000000001", "scancel 12_1 12_2", ("m000000002",)),
        ("b000000001", "scancel 7", ()),
    ]


def test_a_member_is_withdrawn_by_what_is_known_of_its_array(systems: Systems) -> None:
    jobs = [member(1, cancel_requested=True)]
    [withdrawal] = written(systems, jobs, cancels=(jobs[0].id,)).withdrawals
    assert (withdrawal.attempt, withdrawal.array) == ("m000000001", GROUP)
    assert f"a={GROUP}" in withdrawal.lookup


def test_a_member_is_followed_with_the_arrays_log(systems: Systems) -> None:
    lone = batch_job("x-000001", JobState.RUNNING, attempt("b000000001", "cl", native_id="7"))
    jobs = [member(4, "12_4"), lone]
    order = written(systems, jobs, follows=tuple(job.id for job in jobs))
    assert [item.array_log for item in order.follows] == [f"{GROUP}/log.4", ""]


def test_a_member_is_cleaned_out_of_its_array(systems: Systems) -> None:
    gone = replace(newest(member(4)), outcome=Outcome.COMPLETED, remains=Remains.UNWANTED)
    lone = over("b000000001", "cl", remains=Remains.UNWANTED)
    jobs = [batch_job("m04-000000", JobState.COMPLETED, gone),
            batch_job("x-000001", JobState.COMPLETED, lone)]  # fmt: skip
    cleans = tuple((job.id, newest(job).id) for job in jobs)
    order = written(systems, jobs, cleans=cleans)
    assert order.cleans == ("b000000001",)
    assert order.array_cleans == (("m000000004", GROUP, 4),)


# What becomes of it


def told(
    systems: Systems, jobs: list[Job], result: SubmitResult | None = None, **report: Any
) -> Desk:
    desk = Desk(book=Book(jobs), settings=PolicySettings(), now=NOW)
    results = (result,) if result is not None else ()
    order = report.pop("order", BatchOrder(id="o", host="cl", backend="cl"))
    take_in_submissions(
        desk,
        order,
        BatchReport(order="o", host="cl", at=NOW.timestamp(), submitted=results, **report),
        systems,
    )
    return desk


def result(said: Said = FOUND, verdict: Submitted = Submitted.NOW, of: str = GROUP) -> SubmitResult:
    return SubmitResult(attempt=of, verdict=verdict, said=said)


def natives(desk: Desk, jobs: list[Job]) -> list[str]:
    return [newest(desk.job(job.id)).native_id for job in jobs]


@pytest.mark.parametrize("verdict", [Submitted.NOW, Submitted.AGAIN, Submitted.FOUND])
def test_each_member_gets_its_own_native_id(systems: Systems, verdict: Submitted) -> None:
    other = member(1, attempt={"array": "g000000002"})
    jobs = [member(2), member(7, "12_7"), replace(other, id="x-000001")]
    desk = told(systems, jobs, result(verdict=verdict))
    assert natives(desk, jobs) == ["12_2", "12_7", ""]
    told_of = [event.job for event in desk.events if event.kind is EventKind.SUBMITTED_AS]
    assert told_of == [jobs[0].id], "what is known already is not told again"


def test_an_array_that_is_under_way_concludes_nothing(systems: Systems) -> None:
    jobs = [member(1), member(2)]
    for said, troubles in ((FOUND, 1), (Said(code=0, stdout="", stderr=""), 0)):
        desk = told(systems, jobs, result(said, Submitted.UNDERWAY))
        assert not desk.jobs
        assert len(desk.events) == troubles
    down = Said(code=1, stdout="", stderr="sbatch: error: Unable to contact slurm controller")
    assert not told(systems, jobs, result(down)).jobs


@pytest.mark.parametrize("verdict", [Submitted.NOW, Submitted.REFUSED])
def test_members_of_an_array_that_is_refused_go_one_by_one(
    systems: Systems, verdict: Submitted
) -> None:
    words = "sbatch: error: Batch job submission failed: Invalid job array specification"
    jobs = [member(1), member(2)]
    desk = told(systems, jobs, result(Said(code=1, stdout="", stderr=words), verdict))
    changed = [desk.job(job.id) for job in jobs]
    assert [job.state for job in changed] == [JobState.SUBMITTED] * 2
    assert [newest(job).array for job in changed] == ["", ""]
    [event] = desk.events
    assert (event.kind, event.job) == (EventKind.TROUBLE, None)
    assert "2 jobs go one by one" in event.reason
    order = written(systems, changed, submits=tuple(job.id for job in jobs))
    assert [item.attempt for item in order.submissions] == ["m000000001", "m000000002"]
    assert not any(item.tasks for item in order.submissions)


def test_a_withdrawn_member_is_cancelled_and_no_other(systems: Systems) -> None:
    jobs = [member(1, cancel_requested=True), member(2)]
    desk = told(systems, jobs, withdrawn=("m000000001",))
    assert [desk.job(job.id).state for job in jobs] == [JobState.CANCELLED, JobState.SUBMITTED]
    desk = told(systems, jobs, result(verdict=Submitted.AGAIN, of="m000000001"))
    assert natives(desk, jobs) == ["12_1", ""], "its array had got through: now it has an id"


def test_a_cancel_of_several_concerns_each(systems: Systems) -> None:
    jobs = [member(1, "12_1", cancel_requested=True), member(2, "12_2", cancel_requested=True)]
    order = written(systems, jobs, cancels=tuple(job.id for job in jobs))
    no = Said(code=1, stdout="", stderr="no such job\n")
    desk = told(systems, jobs, order=order, cancelled=(("m000000001", no),))
    assert [event.job for event in desk.events] == [job.id for job in jobs]
