"""What others need for the same jobs on the same farm: an ssh loop, GNU parallel, and the floor.

    python -m bench.baselines 50 [--json FILE] [--only serial]

One worker, one zip: out, unpacked with unzip, run, result back and verified. All methods use the
farm's ssh options. Cold opens connections as it goes; warm finds a ControlMaster to each worker.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.farm_jobs import BenchJob, count_verified, make_jobs
from bench.farm_meter import Connections, Figure, Meter, table
from tests.rigs.farm import Farm, FarmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REMOTE = (
    "set -e; dir=$(mktemp -d); cat > $dir/job.zip; cd $dir; unzip -q job.zip; "
    "sh run_job.sh >&2; cat result.zip; cd /; rm -rf $dir"
)
SECONDS = 600.0


class Link:
    """ssh to a farm's workers, cold or over masters. `config` is what `ssh -F` takes."""

    def __init__(self, farm: Farm, connections: Connections, folder: Path) -> None:
        self.farm = farm
        self.connections = connections
        self.config = folder / f"ssh_{connections}"
        self.names = [worker.name for worker in farm.workers]
        self.masters: list[subprocess.Popen[bytes]] = []
        # Options in front win: ssh takes the first value that it finds.
        warm = f'ControlMaster auto\nControlPath "{folder}/%n"\nControlPersist no\n'
        text = farm.ssh_config.read_text(encoding="utf-8")
        head = warm if connections == "warm" else "ControlMaster no\n"
        self.config.write_text(head + text, encoding="utf-8")

    def ssh(self, *arguments: str) -> list[str]:
        """The command line of ssh."""
        return ["ssh", "-F", str(self.config), *arguments]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold a master to each worker when warm."""
        try:
            if self.connections == "warm":
                self._warm()
            yield
        finally:
            for master in self.masters:
                master.terminate()
            for master in self.masters:
                master.wait()
            self.masters.clear()

    def _warm(self) -> None:
        # A master answers its first session only when it is up, so one word from each is enough.
        command = "echo up; exec cat"
        for name in self.names:
            master = subprocess.Popen(
                self.ssh("-o", "ControlMaster=yes", name, command),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            self.masters.append(master)
        for master in self.masters:
            if master.stdout is None or master.stdout.readline() != b"up\n":
                message = "no master connection: see the farm's sshd.log files"
                raise FarmError(message)


def serial(link: Link, jobs: Sequence[BenchJob], results: Path) -> None:
    """The loop that people write: scp, ssh, scp, one job after the other."""
    scp = ["scp", "-q", "-F", str(link.config)]
    for name, job in zip(link.names, jobs, strict=True):
        run = f"mkdir {job.name} && cd {job.name} && unzip -q ../{job.name}.zip && sh run_job.sh"
        steps = (
            [*scp, str(job.zip), f"{name}:{job.name}.zip"],
            link.ssh(name, run),
            [*scp, f"{name}:{job.name}/result.zip", str(results / f"{job.name}.zip")],
            link.ssh(name, f"rm -rf {job.name} {job.name}.zip"),
        )
        for step in steps:
            subprocess.run(step, stdin=subprocess.DEVNULL, check=True, timeout=SECONDS)


def parallel(link: Link, jobs: Sequence[BenchJob], results: Path, *, logins: int) -> None:
    """GNU parallel, one job at a time on each of the first `logins` workers.

    It has no limit over all logins: fewer at a time means fewer workers, who get several jobs.
    """
    run = "mkdir {/.} && cd {/.} && unzip -q ../{/} && sh run_job.sh && mv result.zip ../{/.}.out"
    run += " && cd .. && rm -r {/.}"
    logged = [argument for name in link.names[:logins] for argument in ("-S", f"1/{name}")]
    subprocess.run(
        ["parallel", "--will-cite", "-j1", *logged, "--ssh", shlex.join(link.ssh()),
         "--transferfile", "{}", "--return", "{/.}.out", "--cleanup", run,
         ":::", *(f"./{job.zip.name}" for job in jobs)],
        cwd=jobs[0].zip.parent, stdin=subprocess.DEVNULL, check=True, timeout=SECONDS,
    )  # fmt: skip
    for job in jobs:
        (job.zip.parent / f"{job.name}.out").rename(results / f"{job.name}.zip")


def floor(link: Link, jobs: Sequence[BenchJob], results: Path) -> None:
    """One ssh exec a worker, all at once: the zip on its stdin, the result on its stdout."""
    running = []
    for name, job in zip(link.names, jobs, strict=True):
        with job.zip.open("rb") as source, (results / f"{job.name}.zip").open("wb") as target:
            running.append(subprocess.Popen(link.ssh(name, REMOTE), stdin=source, stdout=target))
    for process in running:
        if process.wait(timeout=SECONDS):
            raise subprocess.CalledProcessError(process.returncode, process.args)


def measure(
    name: str, method: Callable[[Link, Sequence[BenchJob], Path], None], link: Link, folder: Path
) -> Figure:
    """Run one method on as many new jobs as the farm has workers. Needs an empty farm."""
    link.farm.reset()
    scratch = Path(tempfile.mkdtemp(dir=folder))
    jobs = make_jobs(len(link.names), scratch / "jobs")
    results = scratch / "results"
    results.mkdir()
    with link.open():
        meter = Meter([master.pid for master in link.masters]).start()
        method(link, jobs, results)
        wall, controller, machine = meter.stop()
    verified = count_verified(jobs, results)
    shutil.rmtree(scratch)
    return Figure(
        method=name, connections=link.connections, workers=len(jobs), jobs=len(jobs),
        verified=verified, seconds=wall, controller_cpu=controller, machine_cpu=machine,
    )  # fmt: skip


def _better_parallel(link: Link, folder: Path) -> Figure:
    cores = os.cpu_count() or 1
    tries = sorted({min(2 * cores, len(link.names)), len(link.names)})
    figures = [
        measure(f"GNU parallel, {logins} at a time", partial(parallel, logins=logins), link, folder)
        for logins in tries
    ]
    return max(figures, key=lambda figure: figure.rate)


METHODS: dict[str, Callable[[Link, Path], Figure]] = {
    "serial": partial(measure, "scp+ssh loop", serial),
    "parallel": _better_parallel,
    "floor": partial(measure, "floor: one ssh exec", floor),
}


def baselines(farm: Farm, folder: Path, only: Sequence[str] = tuple(METHODS)) -> list[Figure]:
    """Measure the methods named in `only`, cold and warm. `folder` is for files; keep it short.

    A method whose program is missing is left out. Raises FarmError when a master cannot be made,
    CalledProcessError when a command fails.
    """
    figures = []
    for connections in ("cold", "warm"):
        for name in only:
            if name == "parallel" and not (shutil.which("parallel") and shutil.which("rsync")):
                print("GNU parallel needs parallel and rsync: left out", file=sys.stderr)
                continue
            figures.append(METHODS[name](Link(farm, connections, folder), folder))
            print(table(figures[-1:]), file=sys.stderr)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.baselines", description=__doc__)
    parser.add_argument("workers", type=int, metavar="N", nargs="?", default=50)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--only", choices=tuple(METHODS), action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopb") as name:
        folder = Path(name)
        with Farm.start(options.workers, folder / "farm") as farm:
            figures = baselines(farm, folder, options.only or tuple(METHODS))
    print(table(figures))
    if options.json:
        text = json.dumps([figure.as_json() for figure in figures], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(figure.verified == figure.jobs for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
