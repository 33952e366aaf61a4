from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.rigs.lsf_standin.rig import LsfStandIn, missing

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"stand-in for LSF: {missing()}"),
]


@pytest.fixture(scope="module")
def lsf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LsfStandIn]:
    with LsfStandIn.start(tmp_path_factory.mktemp("lsf")) as rig:
        yield rig


def submit(lsf: LsfStandIn, options: str, script: bytes) -> str:
    done = lsf.ssh(f"cd {lsf.home_there} && bsub {options}", stdin=script)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode()
    assert said.endswith(" is submitted to default queue <normal>.\n")
    return said.partition("<")[2].partition(">")[0]


def stat(lsf: LsfStandIn, native: str) -> str:
    done = lsf.ssh(f"bjobs -a -w {native}")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()[1].split()[2]


def test_a_job_runs_as_its_directives_say(lsf: LsfStandIn, eventually: Eventually) -> None:
    script = b"#!/bin/bash\n#BSUB -J abc\n#BSUB -o out.%J -e err.%J\necho $LSB_JOBID; exit 7\n"
    native = submit(lsf, "-n 2", script)
    eventually(lambda: stat(lsf, native) == "EXIT")
    report = (lsf.home / f"out.{native}").read_text()
    assert report.startswith(f"Sender: OpenLava System <openlava@lsf1>\nSubject: Job {native}: ")
    assert report.endswith(f"The output (if any) follows:\n\n{native}\n\n")
    assert (lsf.home / f"err.{native}").read_text() == ""
    said = lsf.ssh(f"bjobs -UF {native}").stdout.decode()
    assert f"Job <{native}>, Job Name <abc>, " in said
    assert "Exited with exit code 7. " in said


def test_the_long_form_is_folded(lsf: LsfStandIn) -> None:
    native = submit(lsf, f"-H -J {'x' * 60}", b"true")
    lines = lsf.ssh(f"bjobs -l {native}").stdout.decode().splitlines()
    assert len(lines[1]) == 79
    assert lines[2].startswith(" " * 21)
    assert stat(lsf, native) == "PSUSP"


def test_killed_jobs(lsf: LsfStandIn, eventually: Eventually) -> None:
    native = submit(lsf, "sleep 777", b"")
    eventually(lambda: stat(lsf, native) == "RUN")
    assert lsf.ssh(f"bkill {native}").stdout.decode() == f"Job <{native}> is being terminated\n"
    eventually(lambda: stat(lsf, native) == "EXIT")
    assert "Exited with exit code 130. " in lsf.ssh(f"bjobs -UF {native}").stdout.decode()
    again = lsf.ssh(f"bkill {native} 99999")
    assert again.returncode == 255
    assert again.stderr.decode().splitlines() == [
        f"Job <{native}>: Job has already finished",
        "Job <99999>: No matching job found",
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("bsub -q nosuch true", "nosuch: No such queue. Job not submitted."),
        ("bsub -R 'rusage[' true", "Bad resource requirement syntax. Job not submitted."),
        ("bsub -W abc true", "abc: Bad RUNLIMIT specification. Job not submitted."),
        ("bsub -n 99 true", "Too many processors requested. Job not submitted."),
        ("bsub", "No command is specified. Job not submitted."),
        ("bjobs 99999", "Job <99999> is not found"),
    ],
)
def test_refusals(lsf: LsfStandIn, command: str, words: str) -> None:
    done = lsf.ssh(command)
    assert done.returncode == 255
    assert done.stderr.decode() == f"{words}\n"


def test_a_server_that_is_away(lsf: LsfStandIn) -> None:
    before = lsf.jobs()
    lsf.stop_controller()
    for command in ("bsub true", "bjobs", "bkill 1", "bhosts"):
        done = lsf.ssh(command)
        assert done.returncode == 255
        assert b"LIM is down; try later" in done.stderr
    lsf.start_controller()
    assert lsf.jobs() == before


def test_spectrum_speaks_json(tmp_path: Path, eventually: Eventually) -> None:
    with LsfStandIn.start(tmp_path, dialect="spectrum") as spectrum:
        native = submit(spectrum, "-rn -J abc", b"exit 3")
        eventually(lambda: stat(spectrum, native) == "EXIT")
        asked = f"bjobs -a -o 'jobid stat exit_code' -json {native} 99999"
        answer = json.loads(spectrum.ssh(asked).stdout)
        assert answer["RECORDS"] == [
            {"JOBID": native, "STAT": "EXIT", "EXIT_CODE": "3"},
            {"JOBID": "99999", "ERROR": "Job <99999> is not found"},
        ]
