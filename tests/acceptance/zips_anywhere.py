"""Zips that are handed in for a backend, and what is to come of them wherever that is."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

Hopper = Callable[..., str]
"""Runs a hopper command in its folder, and returns what it printed."""
NASTY = 'a\'b "c" $(id) `id` \\ *'


def make(folder: Path, name: str, script: str, job_file: str = "", size: int = 0) -> str:
    """Write a zip of a job and return its name."""
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.writestr("run_job.sh", script)
        archive.writestr("hopper-job.yaml", job_file)
        if size:
            archive.writestr("payload.bin", os.urandom(size))
    return f"{name}.zip"


def hand_in(folder: Path, hopper: Hopper, backend: str) -> dict[str, str]:
    """Hand zips in; return the jobs' ids by name."""
    (folder / "say.py").write_text("print('said', flush=True); open('out.txt', 'w').write('42')\n")
    plain = "mkdir results; printf '%s' \"$TOKEN\" > results/answer.txt; echo out; echo err >&2\n"
    own = 'printf "%s\\n" "$@" > args.txt; zip -q "$3/$1.metrics.zip" args.txt\n'
    own += 'cd "$5" && wc -c payload.bin\n'
    zips = [
        make(folder, "plain", plain, f"env:\n  TOKEN: {json.dumps(NASTY)}\n"),
        make(folder, "own", own, size=6_000_000),
        make(folder, "bad", "mkdir results; echo 1 > results/left; exit 7\n", "retries: 0"),
        make(folder, "after", "exit 0\n", "after: bad"),
    ]
    hopper("submit", "--backend", backend, *zips)
    command = ["--result", "out.txt", "--", "python3", "say.py"]
    hopper("submit", "--backend", backend, "--name", "command", "--time-limit", "10m", *command)
    return {job["name"]: job["id"] for job in json.loads(hopper("jobs", "--all", "--json"))}


def check(folder: Path, hopper: Hopper, jobs: dict[str, str], backend: str) -> None:
    """See that all has come of it that was to."""
    shown = {job["name"]: job for job in json.loads(hopper("jobs", "--all", "--json"))}
    assert {name: job["state"] for name, job in shown.items()} == {
        "plain": "completed",
        "own": "completed",
        "bad": "failed",
        "after": "dep_failed",
        "command": "completed",
    }
    assert {job["backend"] for job in shown.values()} == {backend}
    assert (shown["bad"]["exit_code"], shown["bad"]["attempts"]) == (7, 1)

    def result(name: str, tail: str, member: str) -> str:
        with zipfile.ZipFile(folder / f"state/inbox/{jobs[name]}{tail}.zip") as archive:
            return archive.read(member).decode()

    assert result("plain", "", "results/answer.txt") == NASTY
    assert result("bad", "", "results/left") == "1\n"
    assert result("command", "", "out.txt") == "42"
    said = result("own", ".metrics", "args.txt").splitlines()
    assert (said[0], said[3]) == (jobs["own"], f"{jobs['own']}.zip")
    assert said[4].endswith(f"/{jobs['own']}/job")
    assert sorted(hopper("logs", jobs["plain"]).split()) == ["err", "out"]
    assert hopper("logs", jobs["own"]) == "6000000 payload.bin\n"
    assert hopper("logs", jobs["command"]) == "said\n"
    places = {
        name: next(
            place
            for place in ("queue", "running", "done", "failed")
            if (folder / "state" / place / f"{job}.zip").exists()
        )
        for name, job in jobs.items()
    }
    assert places == {
        "plain": "done",
        "own": "done",
        "command": "done",
        "bad": "failed",
        "after": "failed",
    }
