"""Runs on real Slurm and Grid Engine, and on stand-ins of PBS and LSF, through a real sshd."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.acceptance import study, zips_anywhere
from tests.acceptance.cluster_lab import ClusterLab, backend, task
from tests.conftest import Eventually
from tests.rigs import gridengine, slurm
from tests.rigs.lsf_standin.rig import LsfStandIn
from tests.rigs.lsf_standin.rig import missing as lsf_missing
from tests.rigs.pbs_standin.rig import PbsStandIn
from tests.rigs.pbs_standin.rig import missing as pbs_missing

pytestmark = [pytest.mark.rig, pytest.mark.xdist_group("clusters")]
HOSTILE = 'a\'b "c" $(id) `id` \\ * ü\nEOF'


class Cluster(Protocol):
    """What the tests need of a rig."""

    def stop_controller(self) -> None: ...
    def start_controller(self) -> None: ...


class Engine:
    """A running batch system and how hopper reaches it."""

    def __init__(self, kind: str, rig: Any) -> None:
        self.kind, self.rig = kind, rig

    @property
    def backend(self) -> dict[str, Any]:
        partition = {} if self.kind == "slurm" else {"default_partition": ""}
        return backend("cl", self.kind, self.rig.ssh_facts.backend(), **partition)

    def attempts(self) -> list[str]:
        """The names of all native jobs there ever were."""
        return [job.name for job in self.rig.jobs()]


def _start(kind: str, folder: Path) -> Any:
    if kind == "slurm":
        return slurm.Slurm.start(2, folder)
    if kind == "gridengine":
        return gridengine.GridEngine.start(folder)
    return (PbsStandIn if kind == "pbs" else LsfStandIn).start(folder)


MISSING = {
    "slurm": slurm.missing,
    "gridengine": gridengine.missing,
    "pbs": pbs_missing,
    "lsf": lsf_missing,
}


def first(*kinds: str) -> pytest.MarkDecorator:
    """What takes long is tried on these first; the others' turn comes in the soak."""
    soak = pytest.mark.soak
    names = [name if name in kinds else pytest.param(name, marks=soak) for name in MISSING]
    return pytest.mark.parametrize("engine", names, indirect=True)


@pytest.fixture(scope="module", params=list(MISSING))
def engine(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Engine]:
    if reason := MISSING[request.param]():
        pytest.skip(f"{request.param}: {reason}")
    with _start(request.param, tmp_path_factory.mktemp(request.param)) as rig:
        yield Engine(request.param, rig)


@pytest.fixture
def lab(engine: Engine, tmp_path: Path, eventually: Eventually) -> Iterator[ClusterLab]:
    lab = ClusterLab(tmp_path / "hopper", [engine.backend], eventually)
    yield lab
    lab.close()


@first("slurm")
def test_a_workflow_of_a_repository_runs_as_anywhere(engine: Engine, lab: ClusterLab) -> None:
    def shell(command: str) -> None:
        done = engine.rig.ssh(command)
        assert done.returncode == 0, done.stderr

    before = len(engine.attempts())
    repository = f"/tmp/hopper-study-{lab.folder.parent.name}"
    study.make(shell, repository)
    lab.configure(**study.source(repository, "cl"))
    run = lab.hopper("workflow", "run", "lab:flows/study.json").strip()
    lab.dispatch()
    study.check(lab.hopper, run, lab.folder / "state" / "inbox")
    assert len(engine.attempts()) - before == study.SUBMITTED


def test_a_refused_submission_tells_the_schedulers_own_words(
    engine: Engine, lab: ClusterLab
) -> None:
    lab.start_run([task("lost", "true", partition="nosuchqueue")], "cl")
    lab.dispatch()
    seen = lab.tasks()["lost"]
    assert seen["state"] == "failed"
    assert "refused" in seen["reason"]
    assert "nosuchqueue" in seen["reason"] or "queue" in seen["reason"].lower()


def test_a_cancel_is_verified(engine: Engine, lab: ClusterLab) -> None:
    lab.start_run([task("long", "sleep 600")], "cl")
    with lab.dispatching():
        lab.eventually(lambda: lab.states()["long"] == "running", within=120)
        lab.hopper("cancel", lab.tasks()["long"]["id"])
        lab.eventually(lambda: lab.states()["long"] == "cancelled", within=120)


@pytest.mark.parametrize("engine", ["gridengine"], indirect=True)
def test_what_cannot_be_started_is_taken_out_of_the_queue(engine: Engine, lab: ClusterLab) -> None:
    """Grid Engine keeps it in error for ever; hopper cancels it and tells the words."""
    engine.rig.disable()
    lab.start_run([task("lost", "true")], "cl")
    try:
        with lab.dispatching():
            lab.eventually(lambda: lab.tasks()["lost"]["native_id"], within=120)
            assert engine.rig.ssh("rm -r .hopper/*").returncode == 0
            engine.rig.enable()
            lab.eventually(lambda: lab.states()["lost"] == "failed", within=120)
    finally:
        engine.rig.enable()
    job = lab.tasks()["lost"]
    assert "could not start it: in error (Eqw): can't" in job["reason"], job["reason"]
    live = [native.state for native in engine.rig.jobs() if native.id == job["native_id"]]
    assert live != ["Eqw"]


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["gridengine"], indirect=True)
def test_what_has_not_started_is_cancelled(engine: Engine, lab: ClusterLab) -> None:
    """Grid Engine's accounting never tells of such a job."""
    engine.rig.disable()
    lab.start_run([task("waiting", "true")], "cl")
    try:
        with lab.dispatching():
            lab.eventually(lambda: lab.tasks()["waiting"]["native_id"], within=120)
            lab.hopper("cancel", lab.tasks()["waiting"]["id"])
            lab.eventually(lambda: lab.states()["waiting"] == "cancelled", within=120)
    finally:
        engine.rig.enable()


@first("gridengine")
def test_a_controller_that_is_away_ends_nothing(engine: Engine, lab: ClusterLab) -> None:
    release = "/tmp/hopper-release-" + lab.folder.parent.name
    lab.start_run([task("patient", f"until [ -e '{release}' ]; do sleep 0.2; done")], "cl")
    with lab.dispatching():
        lab.eventually(lambda: lab.states()["patient"] == "running", within=120)
        told = _troubles(lab)
        with _away(engine):
            lab.eventually(lambda: _troubles(lab) > told, within=120, what="a look meanwhile")
            assert lab.states()["patient"] in {"running", "settling"}
        assert engine.rig.ssh(f"touch '{release}'").returncode == 0
        lab.eventually(lambda: lab.states()["patient"] == "completed", within=120)


def _troubles(lab: ClusterLab) -> int:
    """How many events so far tell of trouble."""
    events = lab.hopper("events", "--limit", "0", "--json").splitlines()
    return sum(json.loads(event)["kind"] == "trouble" for event in events)


@contextmanager
def _away(engine: Engine) -> Iterator[None]:
    """Have no controller for as long as the block lasts."""
    rig, part = engine.rig, "master" if engine.kind == "gridengine" else "controller"
    getattr(rig, f"stop_{part}")()
    try:
        yield
    finally:
        getattr(rig, f"start_{part}")()


@first("slurm")
def test_equal_tasks_go_as_a_job_array_and_stay_jobs_of_their_own(
    engine: Engine, lab: ClusterLab
) -> None:
    before = {_base(job.id) for job in engine.rig.jobs()}
    run = lab.start_run(
        [
            task("good", 'echo "$HOPPER_TASK_ID"; echo mine > "$HOPPER_OUTPUT_DIR/own.txt"'),
            task("bad", "echo wrong >&2; exit 3"),
            task("again", "exit 4", retries=1),
            task("long", "sleep 600"),
            task("other", "true", memory="50M"),
        ],
        "cl",
        array="auto",
    )
    with lab.dispatching():
        lab.eventually(lambda: lab.states()["long"] == "running", within=120)
        job = lab.tasks()["long"]
        there = json.loads(lab.hopper("backend", "jobs", "cl", "--json"))
        assert there
        assert all(one["job"] or one["array"] for one in there), "none of them is somebody else's"
        lab.hopper("cancel", job["id"])
        ended = {"good": "completed", "bad": "failed", "again": "failed", "long": "cancelled",
                 "other": "completed"}  # fmt: skip
        lab.eventually(lambda: lab.states() == ended, within=120)
    seen = lab.tasks()
    assert {name: job["exit_code"] for name, job in seen.items() if name != "long"} == {
        "good": 0, "bad": 3, "again": 4, "other": 0,
    }  # fmt: skip
    members = [seen[name] for name in ("good", "bad", "long")]
    assert len({job["array"]["id"] for job in members}) == 1
    assert len({job["native_id"] for job in members}) == 3
    assert [seen["again"]["array"], seen["other"]["array"]] == [None, None]
    assert (lab.home(run, "good") / "stdout.log").read_text() == "good\n"
    assert (lab.home(run, "good") / "own.txt").read_text() == "mine\n"
    assert (lab.home(run, "bad") / "stderr.log").read_text() == "wrong\n"
    said = "index {index} of the job array {id}".format(**seen["good"]["array"])
    assert said in lab.hopper("show", seen["good"]["id"])
    assert said.removeprefix("i") in lab.hopper("run", "script", run, "good")
    made = {_base(job.id) for job in engine.rig.jobs()} - before
    assert len(made) == 3, "the array, the other, and the second try of one member"


def _base(native: object) -> str:
    """Return what the members of a job array have in common."""
    return re.split(r"[_.[]", str(native))[0]


@first("slurm", "gridengine")
@pytest.mark.parametrize(
    "after",
    [0.4, pytest.param(0.9, marks=pytest.mark.soak), pytest.param(1.4, marks=pytest.mark.soak)],
)
def test_a_killed_dispatcher_submits_each_task_once(
    engine: Engine, lab: ClusterLab, after: float
) -> None:
    """Killed at some moment between the intents and the record of what was submitted."""
    before = set(engine.attempts())
    count = 6
    lab.start_run([task(f"t{number}", "true") for number in range(count)], "cl")
    _dispatch_and_kill(lab, after)
    lab.dispatch()
    assert set(lab.states().values()) == {"completed"}
    made = [name for name in engine.attempts() if name not in before]
    assert len(made) == len(set(made)) == count


@pytest.mark.parametrize("engine", ["slurm", "gridengine"], indirect=True)
@pytest.mark.parametrize(
    "after",
    [0.5, pytest.param(1.0, marks=pytest.mark.soak), pytest.param(1.5, marks=pytest.mark.soak)],
)
def test_a_killed_dispatcher_submits_a_job_array_once(
    engine: Engine, lab: ClusterLab, after: float
) -> None:
    before = len(engine.attempts())
    names = [f"t{number}" for number in range(5)]
    tasks = [task(name, f"echo {name} >> ~/ran-$HOPPER_RUN_ID") for name in names]
    run = lab.start_run(tasks, "cl", array="auto")
    _dispatch_and_kill(lab, after)
    lab.dispatch()
    assert set(lab.states().values()) == {"completed"}
    assert sorted(engine.rig.ssh(f"cat ran-{run}").stdout.decode().split()) == names
    assert len(engine.attempts()) - before == len(names)


def _dispatch_and_kill(lab: ClusterLab, after: float) -> None:
    """Kill a dispatcher so many seconds after it has recorded its first intents."""
    with (lab.folder / "dispatch.out").open("ab") as output:
        process = subprocess.Popen(
            ["hopper", "dispatch"],
            cwd=lab.folder, env=lab.environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    scripts = lab.folder / "state" / "db" / "scripts"
    lab.eventually(scripts.exists, what="the intents")
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=after)
    process.send_signal(signal.SIGKILL)
    process.wait()


@first("slurm")
def test_zips_go_to_a_cluster_as_to_workers(engine: Engine, lab: ClusterLab) -> None:
    before = len(engine.attempts())
    jobs = zips_anywhere.hand_in(lab.folder, lab.hopper, "cl")
    lab.dispatch()
    zips_anywhere.check(lab.folder, lab.hopper, jobs, "cl")
    assert len(engine.attempts()) - before == 4


NATIVELY = {
    "slurm": "sbatch --parsable -J elsewhere --wrap 'sleep 300'",
    "gridengine": "qsub -terse -b y -N elsewhere sleep 300",
    "pbs": "echo sleep 300 | qsub -N elsewhere",
    "lsf": "bsub -J elsewhere sleep 300",
}
ENDING = {"slurm": "scancel", "lsf": "bkill"}


@pytest.mark.soak
def test_jobs_of_others_are_kept_until_they_are_long_gone(engine: Engine, lab: ClusterLab) -> None:
    def seen(option: str) -> list[dict[str, Any]]:
        found = json.loads(lab.hopper("backend", "jobs", "cl", option, "--json"))
        return [job for job in found if job["native_id"].split(".")[0] == native]

    said = engine.rig.ssh(NATIVELY[engine.kind])
    assert said.returncode == 0, said.stderr
    [native] = re.findall(rb"\d+", said.stdout)[:1]
    native = native.decode()
    lab.start_run([task("ours", "true")], "cl")
    lab.dispatch()
    [job] = seen("--seen")
    assert (job["name"], seen("--history")) == ("elsewhere", [])
    assert engine.rig.ssh(f"{ENDING.get(engine.kind, 'qdel')} {native}").returncode == 0
    lab.start_run([task("later", "true")], "cl")
    lab.dispatch()
    [job] = seen("--history")
    assert (job["name"], seen("--seen")) == ("elsewhere", [])
    assert job["phase"] in {"unknown", "ended"}, "Slurm tells for a while how a job has ended"
