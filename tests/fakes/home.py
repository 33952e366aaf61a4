"""The files at home, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from hopper.dispatch.ports import Arrival, Refusal, ZipGone
from hopper.errors import HopperError
from hopper.model.attempt import ResultFile
from hopper.model.job import Job, JobSpec
from hopper.model.orders import Collected
from hopper.model.states import JobState

FOLDERS = {
    JobState.PENDING: "queue",
    JobState.SUBMITTED: "running",
    JobState.RUNNING: "running",
    JobState.SETTLING: "running",
    JobState.COMPLETED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "failed",
    JobState.DEP_FAILED: "failed",
}


class FakeHome:
    """Zips by folder and name. ``full`` refuses what needs room, ``free`` is what is left."""

    def __init__(self) -> None:
        self.zips: dict[str, set[str]] = {
            name: set() for name in ("queue", "running", "done", "failed")
        }
        self.hidden: set[str] = set()
        self.reasons: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        """What came in, by path."""
        self.results: dict[str, bytes] = {}
        """What is home, by name."""
        self.waiting: list[Arrival | Refusal] = []
        self.unsettled: float | None = None
        self.full = False
        self.free = 10**12

    def drop(
        self, job_id: str, spec: JobSpec | None = None, *, size: int = 100, sha256: str = "ab"
    ) -> str:
        """Drop a zip that has settled and is fit; it is found at the next look."""
        self.waiting.append(
            Arrival(
                job_id=job_id,
                spec=spec or JobSpec(name=job_id),
                zip_name=f"{job_id}.zip",
                source_name=f"{job_id}.zip",
                size=size,
                sha256=sha256,
                unpacked_size=size,
            )
        )
        return job_id

    def refuse(self, job_id: str, reason: str) -> None:
        """Drop a zip that is not fit."""
        zip_name = f"{job_id}.zip"
        self.waiting.append(Refusal(job_id=job_id, name=job_id, zip_name=zip_name, reason=reason))

    def hand_in(self, job_id: str) -> None:
        self.hidden.add(job_id)

    def arrivals(self, known: Collection[str]) -> Sequence[Arrival | Refusal]:
        arrived = [item for item in self.waiting if item.job_id not in known]
        self.waiting.clear()
        for item in arrived:
            folder = "queue" if isinstance(item, Arrival) else "failed"
            self.zips[folder].add(item.zip_name)
        return arrived

    def arriving(self) -> float | None:
        return self.unsettled

    def accept(self, job_id: str) -> None:
        if job_id in self.hidden:
            self.hidden.remove(job_id)
            self.zips["queue"].add(f"{job_id}.zip")

    def place(self, job: Job) -> None:
        target = FOLDERS[job.state]
        found = [name for name, zips in self.zips.items() if job.zip_name in zips]
        if not found:
            raise ZipGone(f"the zip {job.zip_name} is gone")
        if found == [target]:
            return
        if self.full:
            raise HopperError("no room at home")
        for name in found:
            self.zips[name].remove(job.zip_name)
        self.zips[target].add(job.zip_name)

    def path(self, job: Job) -> Path:
        return Path("/home") / FOLDERS[job.state] / job.zip_name

    def incoming(self) -> Path:
        return Path("/home/inbox/.incoming")

    def land(self, job: Job, files: Sequence[Collected]) -> tuple[ResultFile, ...]:
        if self.full:
            raise HopperError("no room at home")
        landed = []
        for file in files:
            content = self.files[file.path]
            if file.kind == "log":
                continue
            tail = file.name.removeprefix(job.remote_name or job.id)
            name = f"{job.id}.zip" if file.kind == "tar" else f"{job.id}{tail}"
            stem, number = name, 0
            while self.results.get(name, content) != content:
                number += 1
                name = f"{stem.removesuffix('.zip')}.{number}.zip"
            self.results[name] = content
            landed.append(
                ResultFile(
                    name=name,
                    size=file.size,
                    sha256=file.sha256,
                    remote_name=file.name if file.kind == "result" else "",
                )
            )
        return tuple(landed)

    def write_reason(self, job: Job) -> None:
        self.reasons[job.id] = job.reason

    def free_bytes(self) -> int:
        return self.free

    # --- for the farm, which reads zips and writes what comes in

    def has_zip(self, path: str) -> bool:
        folder, name = Path(path).parts[-2:]
        return name in self.zips.get(folder, set())

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content
