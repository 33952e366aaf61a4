"""Slurm: its commands, run by a real sh against stand-ins that print what they were asked."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from hopper.backends.base import BackendSettings
from hopper.backends.slurm import Slurm
from hopper.errors import HopperError
from hopper.model.batch import Said
from hopper.model.task import BatchResources
from tests.unit.backends import captured
from tests.unit.backends.slurm_answers import (
    NOW,
    SLURM,
    US,
    by_id,
    followed,
    queue_lines,
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def sh(text: str, **environment: str) -> Said:
    done = subprocess.run(
        ["sh", "-c", text],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Said(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_only_what_is_not_alive_is_asked_of_the_accounting(programs: Path) -> None:
    lines = queue_lines()
    (programs / "lines").write_text("\n".join(lines) + "\n")
    put(programs, "squeue", f'echo "$*" >>{programs}/asked; cat {programs}/lines')
    put(
        programs,
        "sacct",
        f'echo "$*" >>{programs}/asked\n[ "$SLURM_TIME_FORMAT" = %s ] || exit 3\n'
        "echo '3|FAILED|7:0|||||||||||' | tr '|' '\\037'",
    )
    jobs = followed("1", "3", "14", "6_1", "99", "bad id", "")
    (query,) = SLURM.queries(jobs, now=NOW, others=False)
    reading = SLURM.read({query.name: sh(query.shell)}, jobs)
    assert reading.queue_seen
    assert reading.accounting_seen
    assert not reading.trouble
    assert by_id(reading)["3"].exit_code == 7
    asked = (programs / "asked").read_text().splitlines()
    assert asked[0].startswith("-h -a -r -o %i\x1f%T\x1f")
    assert "-t all -u " in asked[0]
    assert asked[1].endswith("-j 3,99")
    put(programs, "squeue", "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    (programs / "asked").unlink()
    reading = SLURM.read({query.name: sh(query.shell)}, jobs)
    assert not reading.queue_seen
    assert by_id(reading)["3"].exit_code == 7
    assert (programs / "asked").read_text().endswith("-j 1,3,14,6_1,99\n")
    put(programs, "squeue", ":")
    put(programs, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    reading = SLURM.read({query.name: sh(query.shell)}, jobs)
    assert reading.queue_seen
    assert not reading.accounting


def test_ten_thousand_jobs_fit_the_shell_and_are_all_read(programs: Path) -> None:
    line = f"{{}}{US}RUNNING{US}a{US}m{US}2{US}1{US}2{US}3{US}w1{US}/{US}None{US}x\n"
    ids = [str(10_000_000 + number) for number in range(10_000)]
    (programs / "lines").write_text("".join(line.format(native) for native in ids[:-2]))
    put(programs, "squeue", f"cat {programs}/lines")
    put(programs, "sacct", f'for i do :; done; echo "$i" >>{programs}/asked')
    jobs = followed(*ids)
    queries = SLURM.queries(jobs, now=NOW, others=False)
    assert max(len(query.shell) for query in queries) < 120_000
    reading = SLURM.read({query.name: sh(query.shell) for query in queries}, jobs)
    assert len(reading.jobs) == 9_998
    assert reading.queue_seen
    assert reading.accounting_seen
    assert (programs / "asked").read_text() == ",".join(ids[-2:]) + "\n"
    part = SLURM.read({queries[0].name: sh(queries[0].shell)}, jobs)
    assert not part.queue_seen


def test_the_lookup(programs: Path) -> None:
    lookup = SLURM.lookup_command("abcdefghij")
    put(
        programs,
        "squeue",
        "printf '1|x|y\\n2|x|n.abcdefghijk\\n5|x|n.abcdefghij\\n'|tr '|' '\\037'",
    )
    put(programs, "sacct", "exit 1")
    assert SLURM.native_id(sh(lookup)) == "5"
    put(programs, "squeue", "printf '6|abcdefghij|y\\n' | tr '|' '\\037'")
    assert SLURM.native_id(sh(lookup)) == "6"
    put(programs, "squeue", "printf '6_2|abcdefghij|y\\n6_3|abcdefghij|y\\n' | tr '|' '\\037'")
    assert sh(lookup).stdout == "6\n", "the id of an array, not of its member"
    put(programs, "squeue", ":")
    assert sh(lookup).code != 0, "what cannot be told is not nothing"
    put(programs, "sacct", "printf '7|abcdefghij|y\\n' | tr '|' '\\037'")
    assert SLURM.native_id(sh(lookup)) == "7"
    put(programs, "sacct", ":")
    assert sh(lookup) == Said(code=0, stdout="", stderr="")
    put(programs, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert sh(lookup) == Said(code=0, stdout="", stderr="")
    put(programs, "squeue", "exit 1")
    assert sh(lookup).code != 0


def test_directives_of_an_array() -> None:
    lines = SLURM.array_directives("wf", "abcdefghij", BatchResources(), "~/.hopper/x/log", 9)
    assert {
        "#SBATCH --job-name=wf.abcdefghij",
        "#SBATCH --comment=abcdefghij",
        "#SBATCH --array=1-9",
        "#SBATCH --output=.hopper/x/log.%a.out",
    } <= set(lines)


def test_the_submission(programs: Path, tmp_path: Path) -> None:
    put(programs, "sbatch", 'pwd >&2; cat "$2" >&2; echo "12;cluster"')
    script = tmp_path / "a b'c.sh"
    script.write_text("text")
    said = sh(SLURM.submit_command(), hopper_script=str(script), HOME=str(tmp_path))
    assert said.stderr == f"{tmp_path}\ntext"
    assert SLURM.native_id(said) == "12"


@pytest.mark.parametrize("name", captured.names("slurm", "^(enforce_)?sbatch_"))
def test_every_captured_submission(name: str) -> None:
    _, said = captured.slurm(name)
    native, refusal = SLURM.native_id(said), SLURM.refusal(said)
    if said.code == 0:
        assert native.isdigit()
        assert not refusal
    elif name == "sbatch_err_nofile":
        assert not native
    else:
        assert not native
        assert refusal
        assert "\n" not in refusal
        assert refusal.split()[-1].strip(".") in said.stderr


@pytest.mark.parametrize(
    "stderr",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect)",
        'sbatch: error: Munge encode failed: Failed to access "/run/munge": No such file',
        "sbatch: error: Batch job submission failed: Protocol authentication error",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "sh: 1: sbatch: not found",
        "",
    ],
)
def test_what_may_have_got_through_is_no_refusal(stderr: str) -> None:
    assert not SLURM.refusal(Said(code=1, stdout="", stderr=stderr))
    words = "sbatch: error: Batch job submission failed: Invalid qos specification"
    assert not SLURM.refusal(Said(code=124, stdout="", stderr=words))


def test_directives() -> None:
    slurm = Slurm(
        BackendSettings(
            name="c",
            kind="slurm",
            account="lab",
            default_partition="normal",
            partitions={"normal": "cpu", "big": "bigmem"},
        )
    )
    resources = BatchResources(
        cpus=3, memory=10**9, time_limit=timedelta(hours=30, seconds=0.5), gpus=2
    )
    assert slurm.directives("fit a.1", "abcdefghij", resources, "~/.hopper/x/log") == [
        "#SBATCH --job-name=fit_a.1.abcdefghij",
        "#SBATCH --comment=abcdefghij",
        "#SBATCH --output=.hopper/x/log.out",
        "#SBATCH --error=.hopper/x/log.err",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=3",
        "#SBATCH --mem=954M",
        "#SBATCH --time=30:00:01",
        "#SBATCH --partition=cpu",
        "#SBATCH --account=lab",
        "#SBATCH --gres=gpu:2",
        "#SBATCH --no-requeue",
    ]
    free = BatchResources(memory=None, time_limit=None, partition="big", gres="gpu:a100:1", gpus=4)
    lines = slurm.directives("x", "abcdefghij", free, "/x/log")
    assert "#SBATCH --partition=bigmem" in lines
    assert "#SBATCH --gres=gpu:a100:1" in lines
    assert not any("--mem" in line or "--time" in line for line in lines)
    assert slurm.directives("", "abcdefghij", BatchResources(gpus=1), "/x")[0].endswith(
        "=job.abcdefghij"
    )
    with pytest.raises(HopperError, match="partition"):
        slurm.directives("x", "abcdefghij", BatchResources(partition="a b"), "/x")


def test_cancel() -> None:
    assert SLURM.cancel_command(["1", "6_3", "x; id"]) == "scancel 1 6_3"
