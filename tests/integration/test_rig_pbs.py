from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.rigs._farm import procs
from tests.rigs.pbs_standin.rig import PbsStandIn, missing

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"stand-in for PBS: {missing()}"),
]


@pytest.fixture(scope="module")
def pbs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PbsStandIn]:
    with PbsStandIn.start(tmp_path_factory.mktemp("pbs")) as rig:
        yield rig


def submit(pbs: PbsStandIn, options: str, script: bytes) -> str:
    done = pbs.ssh(f"cd '{pbs.home_there}' && qsub {options}", stdin=script)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def full(pbs: PbsStandIn, native: str) -> dict[str, Any]:
    done = pbs.ssh(f"qstat -x -f -F json {native}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["Jobs"][native]
    return found


def ended(pbs: PbsStandIn, native: str) -> bool:
    return bool(full(pbs, native)["job_state"] == "F")


def test_a_job_runs_as_its_directives_say(pbs: PbsStandIn, eventually: Eventually) -> None:
    script = (
        b"#!/bin/bash\n#PBS -N abc -j oe\n#PBS -o out.txt\necho $PBS_JOBID; echo x >&2; exit 7\n"
    )
    native = submit(pbs, "-l select=1:ncpus=2:mem=1gb -l walltime=00:01:00", script)
    eventually(lambda: ended(pbs, native))
    job = full(pbs, native)
    assert (job["Job_Name"], job["Exit_status"], job["substate"]) == ("abc", 7, 93)
    assert job["Resource_List"]["walltime"] == "00:01:00"
    assert (pbs.home / "out.txt").read_text() == f"{native}\nx\n"
    assert pbs.ssh(f"qstat {native}").returncode == 35


def test_run_limits_and_deletions(pbs: PbsStandIn, eventually: Eventually) -> None:
    late = submit(pbs, "-l walltime=1", b"sleep 777")
    killed = submit(pbs, "-l walltime=100", b"sleep 777")
    eventually(lambda: full(pbs, killed)["job_state"] == "R")
    assert pbs.ssh(f"qdel {killed}").returncode == 0
    eventually(lambda: ended(pbs, late) and ended(pbs, killed))
    assert full(pbs, killed)["Exit_status"] == 271
    assert full(pbs, late)["Exit_status"] == -29
    waits = submit(pbs, "-l select=1:ncpus=99", b"true")
    assert "Can Never Run" in full(pbs, waits)["comment"]
    assert pbs.ssh(f"qdel {waits}").returncode == 0
    assert ended(pbs, waits)
    assert "Exit_status" not in full(pbs, waits)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("qsub -q nosuch", 170, "Unknown queue"),
        ("qsub -q closed", 173, "Queue is not enabled"),
        ("qsub -l nosuch=1", 187, "Unknown resource Resource_List.nosuch"),
        ("qsub -l select=1:ncpus=x", 166, "Illegal attribute or resource value select.ncpus"),
        ("qsub -q short -l walltime=1:00:00", 188, "violates queue"),
        ("qstat -f -F json 99999", 153, "qstat: Unknown Job Id 99999.pbs1"),
        ("qdel 99999", 153, "qdel: Unknown Job Id 99999.pbs1"),
        ("pbsnodes nosuch", 1, "Unknown node"),
    ],
)
def test_refusals(pbs: PbsStandIn, command: str, code: int, words: str) -> None:
    done = pbs.ssh(command, stdin=b"true")
    assert done.returncode == code
    assert words in done.stderr.decode()


def test_known_and_unknown_ids_and_forgotten_ones(pbs: PbsStandIn, eventually: Eventually) -> None:
    native = submit(pbs, "", b"true")
    eventually(lambda: ended(pbs, native))
    done = pbs.ssh(f"qstat -x -f -F json {native} 99999")
    assert done.returncode == 153
    assert set(json.loads(done.stdout)["Jobs"]) == {native}
    pbs.forget(int(native.partition(".")[0]))
    done = pbs.ssh(f"qstat -x -f -F json {native}")
    assert done.returncode == 153
    assert "Jobs" not in json.loads(done.stdout)


def test_a_server_that_is_away(pbs: PbsStandIn) -> None:
    before = pbs.jobs()
    pbs.stop_controller()
    for command, code in (("qsub", 162), ("qstat", 255), ("qdel 1", 162), ("pbsnodes -a", 1)):
        done = pbs.ssh(command, stdin=b"true")
        assert done.returncode == code
        assert b"Connection refused" in done.stderr
    pbs.start_controller()
    assert pbs.jobs() == before


def test_torque_knows_no_json(tmp_path: Path) -> None:
    with PbsStandIn.start(tmp_path, dialect="torque") as torque:
        native = submit(torque, "-h", b"true")
        assert torque.ssh("qstat -f -F json").returncode == 2
        said = torque.ssh(f"qstat -f {native}").stdout.decode()
        assert said.startswith(f"Job Id: {native}\n    Job_Name = STDIN\n")
        assert "    job_state = H\n" in said


def test_without_namespaces(tmp_path: Path, eventually: Eventually) -> None:
    with PbsStandIn.start(tmp_path / "a folder", mode="loopback") as plain:
        native = submit(plain, "-N abc", b"echo here")
        eventually(lambda: ended(plain, native))
        assert (plain.home / "abc.o1").read_text() == "here\n"
        submit(plain, "", b"sleep 777")
        eventually(lambda: "sleep 777" in plain.farm.processes("w1").values())
        inside = plain.farm.processes("w1")
    eventually(lambda: not any(procs.started(pid) for pid in inside))
