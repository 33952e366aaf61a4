"""Which tasks are equal, so that one may take the other's result. Pure.

Two tasks are equal when their own definitions are (``Task.cache_key``), they are for the same
backend, and what they come after was made by the very same attempts: where a task before was run
anew, those after it are run anew too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from hopper.model.job import Job
from hopper.model.states import JobState

FORM = "hopper result 1"
"""Another one makes all older results unequal."""


def result_key(job: Job, jobs: Mapping[str, Job]) -> str:
    """Return the key of a job's result, once all that it comes after has completed.

    Empty for one whose results are not to be kept or taken.
    """
    if job.task is None or not job.task.cache_key:
        return ""
    before = []
    for other_id in job.spec.after:
        other = jobs.get(other_id)
        attempt = other.attempt if other is not None else None
        if attempt is None:
            return ""
        before.append(attempt.made_by)
    parts = [FORM, job.task.cache_key, job.backend, sorted(before)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def to_be_kept(job: Job) -> bool:
    """Return True for a job that has completed by itself, and whose result equal tasks may take."""
    attempt = job.attempt
    return (
        job.state is JobState.COMPLETED
        and attempt is not None
        and bool(attempt.result_key)
        and attempt.taken_from is None
    )
