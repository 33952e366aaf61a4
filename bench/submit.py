"""Many short tasks to a real Slurm over ssh: `python bench/submit.py [N]`.

How long until all are submitted and until all are shown completed, beside what people do by
hand on the login node or over ssh: a loop of sbatch there, one ssh a job, and a job array.
Needs the rig of tests/rigs/slurm.py (root, slurm-wlm).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.acceptance.cluster_lab import ClusterLab, backend, task
from tests.rigs.slurm import Slurm, missing

SECONDS = 300.0


def eventually(condition: Callable[[], Any], *, within: float = SECONDS, what: str = "") -> Any:
    """Wait for a condition."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)
    return value


def ended(slurm: Slurm, count: int) -> bool:
    """Tell whether so many native jobs have ended."""
    jobs = slurm.jobs()
    return len(jobs) >= count and all(job.state == "COMPLETED" for job in jobs)


def by_hand(slurm: Slurm, count: int) -> dict[str, float]:
    """Return the seconds a job of what people do by hand, submissions only."""
    loop = f"for i in $(seq {count}); do sbatch -o /dev/null --wrap true; done >/dev/null"
    array = f"sbatch -o /dev/null -a 1-{count} --wrap true >/dev/null"
    times = {}
    for name, commands in (
        ("a loop of sbatch in one ssh", [loop]),
        ("one ssh a job", ["sbatch -o /dev/null --wrap true >/dev/null"] * min(count, 50)),
        ("a job array", [array]),
    ):
        started = time.monotonic()
        for command in commands:
            assert slurm.ssh(command).returncode == 0
        many = len(commands) if len(commands) > 1 else count
        times[name] = (time.monotonic() - started) / many
        eventually(lambda: all(job.state == "COMPLETED" for job in slurm.jobs()))
    return times


def hopper(slurm: Slurm, count: int, folder: Path, array: str) -> dict[str, float]:
    """Return hopper's seconds: to submit all, to show all completed, and Slurm's own end.

    ``array``: ``auto`` for job arrays, ``never`` for a submission a task.
    """
    lab = ClusterLab(
        folder, [backend("cl", "slurm", slurm.ssh_facts.backend(), max_concurrent=10_000)],
        eventually,
    )  # fmt: skip
    before = len(slurm.jobs())
    with lab.dispatching():
        eventually(lambda: lab.hopper("events", "--limit", "0").count("dispatch started"))
        started = time.monotonic()
        tasks = [task(f"t{number}", "true") for number in range(count)]
        lab.start_run(tasks, "cl", array=array)
        events = folder / "state" / "hopper.log"
        eventually(lambda: events.read_text().count('"submitted_as"') >= count)
        submitted = time.monotonic() - started
        slurm_end = shown = 0.0
        while not shown:
            if not slurm_end and ended(slurm, before + count):
                slurm_end = time.monotonic() - started
            if events.read_text().count('"to": "completed"') >= count:
                shown = time.monotonic() - started
            if time.monotonic() - started > SECONDS:
                raise TimeoutError("they do not end")
            time.sleep(0.05)
        slurm_end = slurm_end or shown
    lab.close()
    return {"submitted": submitted, "shown": shown, "slurm_end": slurm_end}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", type=int, metavar="N", nargs="?", default=200)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if reason := missing():
        print(f"no Slurm here: {reason}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="hops") as name:
        folder = Path(name)
        with Slurm.start(4, folder / "rig") as slurm:
            hand = by_hand(slurm, options.tasks)
            ours = {
                name: hopper(slurm, options.tasks, folder / array, array)
                for name, array in (("hopper", "never"), ("hopper, array: auto", "auto"))
            }
    figures = {"tasks": options.tasks, "cpus": os.cpu_count(), "by_hand": hand, **ours}
    if options.json:
        print(json.dumps(figures, indent=1))
        return 0
    for what, seconds in hand.items():
        print(f"{what:30} {seconds * 1000:7.1f} ms a job to submit")
    for what, times in ours.items():
        print(f"{what:30} {times['submitted'] / options.tasks * 1000:7.1f} ms a job to submit")
        print(f"{'':30} {times['shown']:7.1f} s until all are shown completed")
        late = times["shown"] - times["slurm_end"]
        print(f"{'':30} {late:7.1f} s of these after Slurm's own end")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}") from error
