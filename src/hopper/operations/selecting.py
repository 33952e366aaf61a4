"""Which jobs something can be done to, for those who select jobs by a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hopper.model.job import Job, Origin
from hopper.model.states import JobState

FAILED = frozenset({JobState.FAILED, JobState.DEP_FAILED})
Fits = Callable[[Job], bool]


def can_be_cancelled(job: Job) -> bool:
    """Return True for a job that is to be ended and is not being ended yet."""
    return not job.state.terminal and not job.cancel_requested and job.origin is not Origin.EXTERNAL


def can_be_requeued(job: Job) -> bool:
    """Return True for one that has ended, and can run."""
    # A zip without a digest was refused: there is no sound one of it.
    can_run = job.task is not None or bool(job.zip_sha256)
    return job.state.terminal and job.origin is not Origin.EXTERNAL and can_run


def can_be_abandoned(job: Job) -> bool:
    """Return True for one that can be requeued even where its worker is not heard of."""
    return can_be_requeued(job) or (job.state.on_worker and job.origin is not Origin.EXTERNAL)


def can_be_held(job: Job) -> bool:
    """Return True for one that waits and is not held."""
    return job.state is JobState.PENDING and not job.held


def is_held(job: Job) -> bool:
    """Return True for one that waits for its release."""
    return job.held and not job.state.terminal


def has_not_ended(job: Job) -> bool:
    """Return True for one whose priority may count."""
    return not job.state.terminal


FITS: Mapping[str, Fits] = {
    "cancel": can_be_cancelled,
    "requeue": can_be_requeued,
    "hold": can_be_held,
    "release": is_held,
    "priority": has_not_ended,
}
"""By what is to be done."""


def selected(
    jobs: Iterable[Job], fits: Fits, *, failed: bool = False, tags: Iterable[str] = ()
) -> list[str]:
    """Return the ids of the jobs that it can be done to, of those that a rule selects."""
    wanted = frozenset(tags)
    return [
        job.id
        for job in jobs
        if fits(job)
        and (not failed or job.state in FAILED)
        and wanted <= job.spec.requirements.tags
    ]
