"""The jobs of the dispatch figures: a zip with a payload that does not compress, and its check."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Without arguments the result is packed beside the script; with those of the launch template
# (job id, inbox, outbox, zip name, extract folder) it goes to the outbox under the job's id.
RUN_JOB = """\
set -e
result=$PWD/result.zip
if [ "$#" -ge 3 ]; then result=$3/$1.zip; fi
sha256sum payload.bin > sum.txt
zip -q "$result.part" sum.txt
mv "$result.part" "$result"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchJob:
    """One job: its zip, and the SHA-256 of the payload, which its result must hold."""

    name: str
    zip: Path
    sha256: str

    def verified(self, result: Path) -> bool:
        """Whether the zip `result` holds the sum that a worker took of this job's payload."""
        try:
            with zipfile.ZipFile(result) as archive:
                names = [name for name in archive.namelist() if name.endswith("sum.txt")]
                return bool(names) and archive.read(names[0]).decode().split()[0] == self.sha256
        except (OSError, zipfile.BadZipFile):
            return False


def make_jobs(
    count: int, folder: Path, *, size: int = 100_000, script: str = RUN_JOB
) -> list[BenchJob]:
    """Write `count` zips with `size` random bytes each, all different, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_make_job(f"job{number}", folder, size, script) for number in range(1, count + 1)]


def _make_job(name: str, folder: Path, size: int, script: str) -> BenchJob:
    payload = os.urandom(size)
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run_job.sh", script)
        archive.writestr("payload.bin", payload)
    return BenchJob(name=name, zip=path, sha256=hashlib.sha256(payload).hexdigest())


def count_verified(jobs: Sequence[BenchJob], results: Path) -> int:
    """How many of the jobs have their right result as `results`/NAME.zip."""
    return sum(job.verified(results / f"{job.name}.zip") for job in jobs)
