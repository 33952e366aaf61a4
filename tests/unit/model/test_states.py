from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from hopper.errors import IllegalMove
from hopper.model.job import Job, JobSpec
from hopper.model.states import JobState, check_move

NOW = datetime(2026, 5, 1, tzinfo=UTC)
S = JobState
LEGAL = {
    (S.PENDING, S.SUBMITTED),
    (S.PENDING, S.COMPLETED),
    (S.PENDING, S.FAILED),
    (S.PENDING, S.CANCELLED),
    (S.PENDING, S.DEP_FAILED),
    (S.SUBMITTED, S.PENDING),
    (S.SUBMITTED, S.RUNNING),
    (S.SUBMITTED, S.SETTLING),
    (S.SUBMITTED, S.FAILED),
    (S.SUBMITTED, S.CANCELLED),
    (S.RUNNING, S.SETTLING),
    (S.RUNNING, S.PENDING),
    (S.RUNNING, S.FAILED),
    (S.RUNNING, S.CANCELLED),
    (S.SETTLING, S.COMPLETED),
    (S.SETTLING, S.FAILED),
    (S.SETTLING, S.CANCELLED),
    (S.SETTLING, S.PENDING),
    (S.COMPLETED, S.PENDING),
    (S.FAILED, S.PENDING),
    (S.CANCELLED, S.PENDING),
    (S.DEP_FAILED, S.PENDING),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobState, JobState)))
def test_each_move(before: JobState, after: JobState) -> None:
    job = Job(id="a-000001", spec=JobSpec(name="a"), state=before, submitted_at=NOW)
    if (before, after) in LEGAL:
        moved = job.moved(after, at=NOW, reason="so")
        assert (moved.state, moved.state_since, moved.reason) == (after, NOW, "so")
        return
    with pytest.raises(IllegalMove, match=f"{before} and cannot become {after}") as raised:
        check_move(job.id, before, after)
    assert (raised.value.from_state, raised.value.to_state) == (before, after)


def test_only_a_new_attempt_leads_out_of_an_end() -> None:
    ends = {state for state in JobState if state.terminal}
    assert ends == {S.COMPLETED, S.FAILED, S.CANCELLED, S.DEP_FAILED}
    assert not any(state.on_worker for state in ends)
    assert {state for state in JobState if state.on_worker} == {S.SUBMITTED, S.RUNNING, S.SETTLING}
