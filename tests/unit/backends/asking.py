"""Runs what a backend asks by a real sh, with stand-ins for the programs of a batch system."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hopper.backends.base import Followed
from hopper.model.batch import Said
from hopper.model.native import BatchReading, NativeSighting

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)


class Programs:
    """A folder of stand-ins that goes before all other programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "programs"
        self.folder.mkdir()

    def put(self, name: str, text: str) -> None:
        """Make a program of these lines of sh; ``$here`` is a folder for what it keeps."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nhere={self.folder}\n{text}\n")
        path.chmod(0o755)

    def keep(self, name: str, text: str) -> None:
        """Put a file beside the programs."""
        (self.folder / name).write_text(text)

    def kept(self, name: str) -> str:
        """Return a file that a program wrote, and forget it."""
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text

    def sh(self, text: str, **environment: str) -> Said:
        """Run shell text."""
        path = f"{self.folder}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", text],
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Said(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def followed(*ids: str) -> list[Followed]:
    """Return attempts with these native ids."""
    return [
        Followed(attempt=f"a{number:09d}", native_id=native, submitted_at=NOW)
        for number, native in enumerate(ids)
    ]


def by_id(reading: BatchReading) -> dict[str, NativeSighting]:
    """Return the jobs by native id; no job is there twice."""
    assert len({job.native_id for job in reading.jobs}) == len(reading.jobs)
    return {job.native_id: job for job in reading.jobs}


def forms(jobs: Sequence[NativeSighting]) -> dict[str, str]:
    """Return the phases by native id, as words."""
    return {job.native_id: job.phase.value for job in jobs}
