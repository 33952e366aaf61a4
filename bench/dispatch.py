"""The whole way of a job, beside what people use today: `python bench/dispatch.py N`.

N workers of the test farm, one 100 kB zip each: out, unpacked, run, result back and verified.
Hopper is measured as a fresh `hopper dispatch --until-idle`, which starts all that it needs, and
running: a dispatcher that is up gets the zips into its queue folder. Both with no connection up
(cold) and with all up (warm). Beside it a serial scp+ssh loop, GNU parallel and the floor of
one exec a worker, from `bench/baselines.py`, with the same ssh options in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.baselines import METHODS, baselines
from bench.farm_jobs import make_jobs
from bench.farm_meter import Figure, Meter, machine_cpu, process_cpu, table
from tests.rigs.farm import Farm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.farm_jobs import BenchJob
    from bench.farm_meter import Connections

HOPPER = [sys.executable, "-m", "hopper"]
SECONDS = 600.0
QUIET_CPU = 0.1
"""CPU seconds in a second that a machine with nothing to do stays below."""
QUIET_PATIENCE = 30.0
"""Seconds that it is waited for, where something else may never be quiet."""
CONFIG = """\
inventory: inventory.yml
poll: {interval_seconds: 10, settle_seconds: 0}
dispatch: {ssh_options: "-o KexAlgorithms=curve25519-sha256", threads: 32}
"""


class Bench:
    """A hopper folder on a farm, with ssh connections of its own."""

    def __init__(self, farm: Farm, folder: Path) -> None:
        self.farm = farm
        self.folder = folder
        # Short, for the control sockets.
        self.sockets = Path(tempfile.mkdtemp(prefix="hopb"))
        folder.mkdir()
        (folder / "hopper.yaml").write_text(CONFIG, encoding="utf-8")
        farm.inventory(folder / "inventory.yml")
        for worker in farm.workers:
            self.farm.ssh(worker.name, f"mkdir -p '{worker.inbox}' '{worker.outbox}'")
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.sockets)}

    @property
    def state(self) -> Path:
        """Where the default paths of the config are."""
        return self.folder / "state"

    def prepare(self, name: str) -> list[BenchJob]:
        """Make a job for each worker, and a fresh queue and inbox."""
        jobs = make_jobs(len(self.farm.workers), self.folder / name)
        for folder in ("queue", "inbox"):
            shutil.rmtree(self.state / folder, ignore_errors=True)
            (self.state / folder).mkdir(parents=True)
        return jobs

    def drop(self, jobs: list[BenchJob]) -> None:
        """Put the zips into the queue, whole at once."""
        for job in jobs:
            os.link(job.zip, self.state / "queue" / job.zip.name)

    def verified(self, jobs: list[BenchJob]) -> int:
        """How many of the jobs have their right result in the inbox."""
        inbox = self.state / "inbox"
        return sum(any(map(job.verified, inbox.glob(f"{job.name}-*.zip"))) for job in jobs)

    def wait_for_results(self, count: int) -> None:
        """Wait until so many results are at home."""
        deadline = time.monotonic() + SECONDS
        while len([*(self.state / "inbox").glob("*.zip")]) < count:
            if time.monotonic() > deadline:
                message = "the results did not come home"
                raise TimeoutError(message)
            time.sleep(0.02)

    def masters(self) -> list[int]:
        """The ssh masters that hold our connections."""
        pids = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                if line.startswith("ssh: ") and str(self.sockets) in line:
                    pids.append(int(entry.name))
        return pids

    def run(self, name: str, connections: Connections) -> Figure:
        """Measure one whole `hopper dispatch --until-idle`."""
        jobs = self.prepare(name)
        self.drop(jobs)
        before = self.masters()
        meter = Meter(before).start()
        subprocess.run(
            [*HOPPER, "dispatch", "--until-idle", "--quiet"],
            cwd=self.folder, env=self.environment, check=True, timeout=SECONDS,
        )  # fmt: skip
        seconds, controller, machine = meter.stop()
        controller += sum(process_cpu(pid) for pid in self.masters() if pid not in before)
        return self._figure(f"hopper {name}", connections, jobs, (seconds, controller, machine))

    def running(self, connections: Connections) -> Figure:
        """Measure a dispatcher that is up, from zips in the queue to the last result at home."""
        jobs = self.prepare(f"running-{connections}")
        with self._dispatcher(connections) as dispatcher:
            if connections == "cold":
                self.disconnect()
            masters = self.masters()
            before = _tree_cpu(dispatcher.pid)
            meter = Meter(masters).start()
            self.drop(jobs)
            self.wait_for_results(len(jobs) + 1)
            seconds, controller, machine = meter.stop()
            controller += _tree_cpu(dispatcher.pid) - before
            controller += sum(process_cpu(pid) for pid in self.masters() if pid not in masters)
        return self._figure("hopper running", connections, jobs, (seconds, controller, machine))

    @contextmanager
    def _dispatcher(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [*HOPPER, "dispatch", "--quiet"], cwd=self.folder, env=self.environment
        )
        try:
            # One job through, so that it is up and its sweep with it, and all workers looked at.
            warm_up = make_jobs(1, self.folder / f"first-{name}")
            self.drop(warm_up)
            self.wait_for_results(1)
            _wait_until_quiet()
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)

    def _figure(
        self,
        method: str,
        connections: Connections,
        jobs: list[BenchJob],
        cost: tuple[float, float, float],
    ) -> Figure:
        seconds, controller, machine = cost
        return Figure(
            method=method,
            connections=connections,
            workers=len(self.farm.workers),
            jobs=len(jobs),
            verified=self.verified(jobs),
            seconds=seconds,
            controller_cpu=controller,
            machine_cpu=machine,
        )

    def disconnect(self) -> None:
        """End all connections, and wait until they are gone."""
        deadline = time.monotonic() + 30
        while (masters := self.masters()) and time.monotonic() < deadline:
            for pid in masters:
                with suppress(ProcessLookupError):
                    os.kill(pid, 15)
            time.sleep(0.05)
        # The workers' ends of them are taken down too.
        _wait_until_quiet()

    def close(self) -> None:
        """Let the connections go."""
        self.disconnect()
        shutil.rmtree(self.sockets, ignore_errors=True)


def _descendants(pid: int) -> list[int]:
    """The pids below a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text(encoding="ascii").split():
                found += [int(child), *_descendants(int(child))]
    return found


def _tree_cpu(pid: int) -> float:
    """CPU seconds of a process, those below it, and the children that they have waited for."""
    ticks = 0
    for each in (pid, *_descendants(pid)):
        with suppress(OSError):
            text = Path(f"/proc/{each}/stat").read_text(encoding="utf-8", errors="replace")
            ticks += sum(map(int, text.rsplit(")", 1)[1].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait_until_quiet() -> None:
    """Wait until the machine has had next to nothing to do for a second."""
    deadline = time.monotonic() + QUIET_PATIENCE
    used = machine_cpu()
    while time.monotonic() < deadline:
        time.sleep(1)
        before, used = used, machine_cpu()
        if used - before < QUIET_CPU:
            return


def hopper_figures(farm: Farm, folder: Path) -> list[Figure]:
    """Hopper's figures on a farm."""
    bench = Bench(farm, folder / "hopper")
    try:
        cold = bench.run("cold", "cold")
        warm = bench.run("warm", "warm")
        return [cold, warm, bench.running("cold"), bench.running("warm")]
    finally:
        bench.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workers", type=int, metavar="N", nargs="?", default=50)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--only-hopper", action="store_true", help="leave the others out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopb") as name:
        folder = Path(name)
        with Farm.start(options.workers, folder / "farm") as farm:
            figures = hopper_figures(farm, folder)
            if not options.only_hopper:
                farm.reset()
                figures = [*baselines(farm, folder, tuple(METHODS)), *figures]
    print(table(figures))
    if options.json:
        text = json.dumps([figure.as_json() for figure in figures], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(figure.verified == figure.jobs for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
