from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.rigs._farm import procs
from tests.rigs.gridengine import GridEngine, RigError, missing

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"Grid Engine: {missing()}"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GridEngine]:
    with GridEngine.start(tmp_path_factory.mktemp("gridengine")) as rig:
        yield rig


def out(engine: GridEngine, command: str) -> str:
    done = engine.ssh(command)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def states(engine: GridEngine) -> dict[str, str]:
    return {job.id: job.state for job in engine.jobs()}


def test_a_job_of_a_normal_user_ends_and_is_accounted_for(
    engine: GridEngine, eventually: Eventually
) -> None:
    native = out(engine, "echo 'echo $HOME; exit 7' | qsub -terse -N abc")
    assert native in states(engine)
    eventually(lambda: states(engine)[native] == "exit 7")
    found = next(job for job in engine.jobs() if job.id == native)
    assert (found.name, found.user) == ("abc", engine.ssh_facts.user)
    assert (engine.node.home / f"abc.o{native}").read_text() == "/home/hopw\n"


def test_arrays_and_run_limits(engine: GridEngine, eventually: Eventually) -> None:
    array = out(engine, "echo true | qsub -terse -t 1-2").partition(".")[0]
    late = out(engine, "echo 'sleep 777' | qsub -terse -l h_rt=0:0:1")
    wanted = {f"{array}.1": "exit 0", f"{array}.2": "exit 0", late: "failed 37"}
    eventually(lambda: wanted.items() <= states(engine).items())


def test_login_shells_and_others_reach_the_cluster(engine: GridEngine) -> None:
    for command in ("qconf -sql", "bash -lc 'qconf -sql'", "sh -c 'qconf -sql'"):
        assert out(engine, command).split() == ["main.q", "short.q"]


def test_a_master_that_was_away_knows_its_jobs(engine: GridEngine) -> None:
    engine.disable()
    native = out(engine, "echo true | qsub -terse -q main.q")
    before = states(engine)
    assert before[native] == "qw"
    engine.stop_master()
    with pytest.raises(RigError, match="qstat"):
        engine.jobs()
    engine.start_master()
    assert states(engine) == before
    engine.enable()


def test_two_side_by_side_and_nothing_left(
    engine: GridEngine, tmp_path: Path, eventually: Eventually
) -> None:
    with GridEngine.start(tmp_path) as other:
        assert out(other, "echo 'sleep 777' | qsub -terse") == "1"
        tag = other.node.farm.plan.tag
        inside = other.node.farm.processes("w1")
        assert any("sge_qmaster" in command for command in inside.values())
        assert set(states(other)) == {"1"}
    eventually(lambda: not any(procs.started(pid) for pid in inside))
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
    assert f"hf{tag}" not in links.stdout
    assert out(engine, "qconf -sql")
