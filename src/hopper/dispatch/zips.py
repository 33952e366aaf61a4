"""Keeps the zips at home where the states of their jobs say."""

from __future__ import annotations

from enum import Enum, auto

from hopper.dispatch.book import Book
from hopper.dispatch.ports import Home, TaskZips, ZipGone
from hopper.errors import HopperError
from hopper.model.job import Job, Origin
from hopper.model.states import JobState


class Placed(Enum):
    """What came of bringing a zip to its place."""

    THERE = auto()
    GONE = auto()
    """It is in none of the folders."""
    LATER = auto()
    """The system refused; it will be tried again."""


class Zips:
    """Brings zips to their places, and remembers those that could not be brought there."""

    def __init__(self, home: Home, task_zips: TaskZips) -> None:
        self._home = home
        self._task_zips = task_zips
        self._left: set[str] = set()

    def place(self, job: Job, *, explain: bool = True) -> tuple[Placed, str]:
        """Bring a job's zip to its place; return what came of it, and why.

        ``explain`` has the reason written beside the zip of a job that failed.
        """
        if job.task is not None and not job.backend and job.state is not JobState.SUBMITTED:
            self._task_zips.drop(job)
        if job.origin is not Origin.ZIP or not job.zip_name:
            return Placed.THERE, ""
        try:
            self._home.place(job)
            if explain and job.state is JobState.FAILED:
                self._home.write_reason(job)
        except ZipGone as error:
            self._left.discard(job.id)
            return Placed.GONE, str(error)
        except HopperError as error:
            self._left.add(job.id)
            return Placed.LATER, str(error)
        self._left.discard(job.id)
        return Placed.THERE, ""

    def left(self, book: Book) -> list[Job]:
        """Return the jobs whose zips are to be tried again."""
        self._left &= book.jobs.keys()
        return [book.jobs[job_id] for job_id in sorted(self._left)]
