"""Reading one poll of many live jobs of each batch system: `python bench/poll.py [N] [--json]`.

The answers are the recorded ones of tests/data with N jobs in them. Each system is read in a
process of its own, so that the memory is its own. What a tick makes of it: bench/runs.py.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hopper.backends.base import BackendSettings
from hopper.backends.registry import backend as make
from hopper.backends.slurm_reading import QUEUE_FIELDS
from hopper.backends.words import SEPARATOR
from hopper.model.batch import Said
from hopper.model.native import BatchReading, Followed

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
AIM_SECONDS, AIM_MB = 1.0, 200


def slurm(ids: list[str]) -> str:
    """Return what squeue says of running jobs."""
    facts = ["RUNNING", "alice", "normal", "4", "1795239775", "1795239776", "1795243376", "n1"]
    fields = [*facts, "/home/alice/sims", "None", "sims.fit.a.abcdefghij"]
    assert len(fields) + 1 == len(QUEUE_FIELDS)
    lines = [SEPARATOR.join([native, *fields]) for native in ids]
    return "\n".join([*lines, "=hopper-queue 0", ""])


def pbs(ids: list[str]) -> str:
    """Return what qstat says of running jobs."""
    recorded = json.loads((DATA / "pbs" / "38-qstat-f-json-running.stdout").read_text())
    [job] = recorded["Jobs"].values()
    answer = {**recorded, "Jobs": dict.fromkeys(ids, job)}
    return json.dumps(answer, indent="\t", separators=(",", ":\t")) + "\n=hopper-json 0\n"


def lsf(ids: list[str]) -> str:
    """Return what OpenLava's bjobs says of running jobs."""
    recorded = (DATA / "lsf" / "112-bjobs-UF.stdout").read_text().lstrip("\n")
    rule = "-" * 78
    jobs = f"\n{rule}\n\n".join(recorded.replace("Job <320>", f"Job <{native}>") for native in ids)
    return f"\n{jobs}\n=hopper-text 0 {int(NOW.timestamp())}\n"


def gridengine(ids: list[str]) -> str:
    """Return what qstat says of running jobs."""
    recorded = (DATA / "gridengine" / "qstat_u_all_xml.txt").read_text()
    blocks = re.compile(r" *<job_list .*?</job_list>\n", re.DOTALL)
    running, *others = blocks.findall(recorded[recorded.index("<?xml") : recorded.rindex("rc=")])
    head, rest = recorded.split(running)
    for other in others:
        rest = rest.replace(other, "")
    number = "<JB_job_number>1<"
    jobs = "".join(running.replace(number, f"<JB_job_number>{native}<") for native in ids)
    text = head[head.index("<?xml") :] + jobs + rest[: rest.rindex("rc=")]
    return f"{text}=hopper-queue 0\n"


KINDS: dict[str, tuple[Callable[[list[str]], str], str]] = {
    "slurm": (slurm, "{}"),
    "pbs": (pbs, "{}.pbs1"),
    "lsf": (lsf, "{}"),
    "gridengine": (gridengine, "{}"),
}


def answers(kind: str, count: int) -> tuple[list[Followed], dict[str, Said]]:
    """Return the jobs that are asked about, and what the batch system says."""
    text, form = KINDS[kind]
    jobs = [
        Followed(attempt=f"a{number:09}", native_id=form.format(1000 + number), submitted_at=NOW)
        for number in range(count)
    ]
    asked = make(BackendSettings(name="b", kind=kind)).queries(jobs, now=NOW, others=False)
    said = {}
    for query in asked:
        # A portion is asked with the ids in its shell text; Slurm and Grid Engine show all.
        named = [job.native_id for job in jobs if kind in {"slurm", "gridengine"}] or [
            job.native_id for job in jobs if job.native_id in query.shell
        ]
        said[query.name] = Said(code=0, stdout=text(named), stderr="")
    return jobs, said


def read(kind: str, count: int) -> dict[str, float]:
    """Return the seconds to read a poll, and the memory in MB of all of this process."""
    jobs, said = answers(kind, count)
    backend = make(BackendSettings(name="b", kind=kind))
    size = sum(len(words.stdout) for words in said.values())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found: BatchReading = backend.read(said, jobs)
    seconds = time.perf_counter() - start
    assert len(found.jobs) == count, (len(found.jobs), found.trouble)
    assert not found.trouble, found.trouble
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "answer_mb": size / 1e6,
        "memory_mb": memory / 1024,
        "before_mb": before / 1024,
    }


def apart(kind: str, count: int) -> dict[str, float]:
    """Read a poll in a process of its own."""
    command = [sys.executable, __file__, str(count), "--only", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", type=int, metavar="N", nargs="?", default=10_000)
    parser.add_argument("--only", choices=list(KINDS), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(read(options.only, options.jobs)))
        return
    figures = {kind: apart(kind, options.jobs) for kind in KINDS}
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{options.jobs} running jobs (aim {AIM_SECONDS:g} s, {AIM_MB} MB)")
    for kind, found in figures.items():
        print(
            f"  {kind:12} {found['seconds']:6.2f} s to read {found['answer_mb']:5.1f} MB,"
            f" {found['memory_mb']:5.0f} MB in all"
        )


if __name__ == "__main__":
    main()
