from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.rigs._farm import procs
from tests.rigs.slurm import NativeJob, RigError, Slurm, missing

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"Slurm: {missing()}"),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with Slurm.start(2, tmp_path_factory.mktemp("slurm")) as rig:
        yield rig


def out(slurm: Slurm, command: str) -> str:
    done = slurm.ssh(command)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def job(slurm: Slurm, native_id: str) -> NativeJob:
    return next(job for job in slurm.jobs() if job.id == native_id)


def test_a_job_of_a_normal_user_ends_and_is_accounted_for(
    slurm: Slurm, eventually: Eventually
) -> None:
    native = out(slurm, "sbatch --parsable -J 'a b' --comment 'c, d' --wrap 'echo $HOME; exit 7'")
    eventually(lambda: job(slurm, native).state == "FAILED")
    assert job(slurm, native).name == "a b"
    assert job(slurm, native).comment == "c, d"
    assert (slurm.node.home / f"slurm-{native}.out").read_text() == "/home/hopw\n"
    asked = f"sacct -n -X -P -o User,State,ExitCode -j {native}"
    eventually(lambda: out(slurm, asked) == "hopw|FAILED|7:0")


def test_login_shells_and_others_reach_the_cluster(slurm: Slurm) -> None:
    for command in ("sinfo -h -o %P", "bash -lc 'sinfo -h -o %P'", "sh -c 'sinfo -h -o %P'"):
        assert out(slurm, command).split() == ["normal*", "short"]


@pytest.mark.soak
def test_a_run_limit_that_is_over(slurm: Slurm, eventually: Eventually) -> None:
    native = out(slurm, "sbatch --parsable -t 5 --wrap 'sleep 777'")
    eventually(lambda: job(slurm, native).state == "RUNNING")
    slurm.end_now(native)
    eventually(lambda: job(slurm, native).state == "TIMEOUT", within=60)


def test_a_node_that_fails(slurm: Slurm, eventually: Eventually) -> None:
    native = out(slurm, "sbatch --parsable --no-requeue -w n1 --wrap 'sleep 777'")
    eventually(lambda: job(slurm, native).state == "RUNNING")
    slurm.node_down("n1")
    eventually(lambda: job(slurm, native).state == "NODE_FAIL")
    slurm.node_up("n1")
    eventually(lambda: out(slurm, "sinfo -h -n n1 -p short -o %t") == "idle")


def test_a_controller_that_was_away_knows_its_jobs(slurm: Slurm) -> None:
    before = {found.id for found in slurm.jobs()} | {out(slurm, "sbatch --parsable --wrap true")}
    slurm.stop_controller()
    assert slurm.ssh("timeout 1 squeue").returncode != 0
    slurm.start_controller()
    assert {found.id for found in slurm.jobs()} == before


def test_munge_broken_and_mended(slurm: Slurm) -> None:
    slurm.break_munge()
    done = slurm.ssh("timeout 5 squeue")
    assert done.returncode != 0
    assert b"munge" in done.stderr
    slurm.mend_munge()
    assert out(slurm, "squeue -h -t all")


def test_gpus_are_given_away(slurm: Slurm, eventually: Eventually) -> None:
    native = out(slurm, "sbatch --parsable --gres=gpu:2 --wrap 'echo $SLURM_JOB_GPUS'")
    eventually(lambda: job(slurm, native).state == "COMPLETED")
    assert (slurm.node.home / f"slurm-{native}.out").read_text() == "0,1\n"
    assert slurm.ssh("sbatch --gres=gpu:3 --wrap true").returncode == 1


def test_limits_and_an_account(tmp_path: Path, eventually: Eventually) -> None:
    with Slurm.start(1, tmp_path, enforce_limits=True) as strict:
        strict.limit_submits(1)
        refused = {
            "sbatch -c 64 --wrap true": b"More processors requested",
            "sbatch -p short -t 2:00:00 --wrap true": b"Requested time limit is invalid",
            "sbatch -A nosuch --wrap true": b"Invalid account",
            "sbatch -a 1-9 --wrap true": b"AssocMaxSubmitJobLimit",
        }
        for command, words in refused.items():
            done = strict.ssh(command)
            assert done.returncode == 1
            assert words in done.stderr
        hungry = "head -c 300M /dev/zero | sort"  # which keeps the one line that this is
        native = out(strict, f"sbatch --parsable --mem=50 --wrap '{hungry}; sleep 777'")
        eventually(lambda: job(strict, native).state in {"FAILED", "OUT_OF_MEMORY"})


def test_without_accounting_and_in_another_timezone(tmp_path: Path) -> None:
    with Slurm.start(1, tmp_path, accounting="none", timezone="Asia/Kolkata") as bare:
        assert b"accounting" in bare.ssh("sacct").stderr
        assert out(bare, "date +%z") == "+0530"
        assert len(bare.jobs()) == 0
        bare.stop_controller()
        with pytest.raises(RigError, match="squeue"):
            bare.jobs()


def test_two_side_by_side_and_nothing_left(
    slurm: Slurm, tmp_path: Path, eventually: Eventually
) -> None:
    with Slurm.start(1, tmp_path, accounting="none") as other:
        out(other, "sbatch --wrap 'sleep 777'")
        tag = other.node.farm.plan.tag
        inside = other.node.farm.processes("w1")
        assert any("slurmctld" in command for command in inside.values())
        assert [found.id for found in other.jobs()] == ["1"]
    eventually(lambda: not any(procs.started(pid) for pid in inside))
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
    assert f"hf{tag}" not in links.stdout
    assert out(slurm, "sinfo -h")
