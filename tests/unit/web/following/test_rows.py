from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopper.model.attempt import TakenFrom
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState
from hopper.store.values import to_json
from hopper.web.following.rows import UNREADABLE, Home, JobRow, external_row, job_row
from tests.unit.web.following.states import T0, a_job, a_task, somebodys

HOUR = 3600.0
START = T0.timestamp()


def row(job: Job, home: Home | None = None) -> JobRow:
    return job_row(to_json(job), home or Home())


def test_a_task_of_a_run() -> None:
    job = a_task("j1", run="r1", task="fit.a.b", state=JobState.COMPLETED)
    found = row(job, Home(workflow="sweep", backend="cl", user="ada"))
    assert (found.task, found.group, found.run) == ("fit.a.b", "fit", "r1")
    assert (found.workflow, found.user, found.backend) == ("sweep", "ada", "cl")
    assert (found.cpus, found.memory, found.gpus, found.partition) == (4, 1 << 30, 1, "long")
    assert found.time_limit == HOUR
    assert found.utilization == 0.5
    assert found.cpu_hours(0.0) == 4.0
    assert found.over
    assert (found.submitted_at, found.started_at) == (T0, T0)
    assert found.ended_at == T0 + timedelta(hours=1)


def test_hours_grow_while_it_runs() -> None:
    found = row(a_job("j1", state=JobState.RUNNING, worker="box"))
    assert found.running_cpus
    assert found.cpu_hours(START + 2 * HOUR) == 2.0
    assert found.place == "box"
    waiting = row(a_job("j1"))
    assert waiting.cpu_hours(START) is None


def test_hours_of_an_attempt_without_an_end_do_not_grow_for_ever() -> None:
    job = a_job("j1", state=JobState.RUNNING, worker="box")
    lost = replace(job, state=JobState.FAILED)
    assert row(lost).cpu_hours(START + HOUR) is None


def test_what_was_taken_costs_nothing() -> None:
    job = a_job("j1", state=JobState.COMPLETED, worker="box")
    taken = replace(job.attempts[0], taken_from=TakenFrom(job="j0", attempt="a0"))
    found = row(replace(job, attempts=(taken,)))
    assert found.taken
    assert found.cpu_hours(0.0) is None


def test_earlier_workers_are_known() -> None:
    job = a_job("j1", state=JobState.RUNNING, worker="box")
    first = replace(job.attempts[0], id="a0", worker="old-box", ended_at=T0)
    found = row(replace(job, attempts=(first, first, *job.attempts)))
    assert (found.worker, found.earlier, found.attempts) == ("box", ("old-box",), 3)


def test_why_it_waits_is_told_only_while_it_does() -> None:
    job = a_job("j1", state=JobState.SUBMITTED, worker="cl")
    waiting = replace(job, attempts=(replace(job.attempts[0], waits_for="Priority"),))
    assert row(waiting).waits_for == "Priority"
    assert not row(replace(waiting, state=JobState.RUNNING)).waits_for


def test_names_that_are_no_text_can_be_sent() -> None:
    job = replace(a_job("j1"), spec=JobSpec(name="na\udc80me"))
    assert row(job).name.encode() == b"na?me"


def test_jobs_of_others() -> None:
    found = external_row(to_json(somebodys(7)))
    assert (found.id, found.state, found.origin, found.user) == (
        "cl/7",
        "running",
        "cluster",
        "eve",
    )
    gone = external_row(to_json(somebodys(7, gone=True)))
    assert gone.state == "gone"
    assert gone.over
    assert gone.ended_at == T0 + timedelta(hours=2)


FIELDS = [*to_json(a_task("j1", run="r1", task="t", state=JobState.COMPLETED))]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=4))
def test_odd_documents_raise_nothing_else(odd: dict[str, object]) -> None:
    document = {**to_json(a_task("j1", run="r1", task="t", state=JobState.COMPLETED)), **odd}
    for make in (job_row, external_row):
        try:
            found = make(json.loads(json.dumps(document)))
        except UNREADABLE:
            continue
        assert isinstance(found.cpu_hours(START), float | None)


def test_a_document_without_an_id_is_none() -> None:
    with pytest.raises(KeyError):
        job_row({})
