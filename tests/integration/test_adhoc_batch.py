"""The playbooks that people run by hand on batch systems."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.integration.test_adhoc import Desk, Played
from tests.rigs import gridengine, slurm
from tests.rigs.lsf_standin import rig as lsf
from tests.rigs.pbs_standin import rig as pbs

pytestmark = pytest.mark.ansible

ATTEMPT = "a123456789"
ENGINES: dict[str, tuple[Callable[[], str | None], Callable[[Path], AbstractContextManager[Any]]]]
ENGINES = {
    "slurm": (slurm.missing, lambda folder: slurm.Slurm.start(1, folder)),
    "gridengine": (gridengine.missing, gridengine.GridEngine.start),
    "pbs": (pbs.missing, pbs.PbsStandIn.start),
    "lsf": (lsf.missing, lsf.LsfStandIn.start),
}
ODD = 'a\'b "$(id)" `id` \\ *~ü\nEOF'


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    host = {"ansible_connection": "local", "ansible_python_interpreter": "/nowhere/python"}
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"hopper_backends": {"hosts": {"w": host, "gone": gone}}}))
    return Desk(folder=tmp_path)


def play(desk: Desk, playbook: str, *words: str, limit: str = "w", **variables: Any) -> Played:
    """Play on the local backend, with the short names of the role's variables."""
    given = {f"batch_submit_{key}": value for key, value in variables.items()}
    return desk.play(playbook, *words, limit=limit, **{"batch_submit_backend": "local", **given})


def job_of(seen: Played) -> dict[str, Any]:
    [job] = seen.result["jobs"]
    return dict(job)


def test_the_whole_way_by_hand(desk: Desk, eventually: Eventually) -> None:
    (desk.folder / "my work").mkdir()
    task: dict[str, Any] = {
        "command": 'printf "%s|" "$OF"; pwd; echo wrong >&2; exit 3',
        "name": ODD,
        "working_dir": "~/my work",
        "env": {"OF": ODD},
    }
    planned = play(desk, "submit", "--check", **task)
    assert (planned.code, planned.result["changed"]) == (0, True)
    assert "exit 3" in planned.result["script"]
    assert not (desk.folder / ".hopper" / planned.result["attempt"]).exists()

    first = play(desk, "submit", **task)
    assert (first.result["changed"], first.result["verdict"]) == (True, "now")
    attempt = first.result["attempt"]
    assert attempt == planned.result["attempt"]
    again = play(desk, "submit", **task)
    assert (again.result["changed"], again.result["verdict"]) == (False, "again")
    assert (again.result["attempt"], again.result["native_id"]) == (
        attempt,
        first.result["native_id"],
    )
    assert not play(desk, "submit", "--check", **task).result["changed"]

    exited = desk.folder / ".hopper" / attempt / "exit"
    eventually(exited.exists, what="the job's end")
    seen = play(desk, "poll", attempt=attempt)
    assert (seen.code, seen.result["changed"], seen.result["over"]) == (0, False, True)
    job = job_of(seen)
    assert (job["phase"], job["exit_code"], job["attempt"]) == ("ended", 3, attempt)
    assert "exit code 3" in seen.output

    log = play(desk, "fetch_logs", attempt=attempt)
    assert log.result["changed"]
    text = (desk.folder / "logs" / f"{attempt}.out").read_text()
    assert text == f"{ODD}|{desk.folder / 'my work'}\n"
    assert not play(desk, "fetch_logs", attempt=attempt).result["changed"]
    play(desk, "fetch_logs", attempt=attempt, stream="err", log_dest="mine.err")
    assert (desk.folder / "mine.err").read_text() == "wrong\n"

    over = play(desk, "batch_cancel", attempt=attempt)
    assert (over.code, over.result["changed"], over.result["over"]) == (0, False, True)
    other = play(desk, "submit", "--check", **{**task, "cpus": 2})
    assert other.result["attempt"] != attempt


def test_a_running_job_is_cancelled_and_seen_to_end(desk: Desk) -> None:
    started = play(desk, "submit", command="sleep 600", attempt=ATTEMPT, time_limit="")
    try:
        assert started.result["attempt"] == ATTEMPT
        assert job_of(play(desk, "poll", attempt=ATTEMPT))["phase"] == "running"
        planned = play(desk, "batch_cancel", "--check", attempts=[ATTEMPT])
        assert planned.result["changed"]
        assert not planned.result["over"]
    finally:
        ended = play(desk, "batch_cancel", attempts=[ATTEMPT], grace=1)
    assert (ended.code, ended.result["changed"], ended.result["over"]) == (0, True, True)
    assert job_of(ended)["how"] == "cancelled"
    assert not play(desk, "batch_cancel", attempts=[ATTEMPT]).result["changed"]


def test_an_attempt_that_is_cancelled_first_never_runs(desk: Desk) -> None:
    early = play(desk, "batch_cancel", attempt=ATTEMPT)
    assert (early.code, early.result["over"]) == (0, True)
    play(desk, "submit", command="echo ran >>~/ran", attempt=ATTEMPT)
    assert not (desk.folder / "ran").exists()


def test_what_nobody_knows_is_told(desk: Desk) -> None:
    for playbook in ("poll", "fetch_logs"):
        seen = play(desk, playbook, attempt=ATTEMPT)
        assert seen.code == 2
        assert "knows no" in seen.result["msg"]
        assert not (desk.folder / "logs").exists()


def test_a_host_out_of_reach_is_unreachable(desk: Desk) -> None:
    for playbook in ("submit", "poll", "batch_cancel", "fetch_logs"):
        variables: Any = {
            "attempt": ATTEMPT,
            **({"command": "true"} if playbook == "submit" else {}),
        }
        seen = play(desk, playbook, limit="gone", **variables)
        assert seen.code == 4, playbook


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "batch_submit_command"),
        ({"command": "true", "backend": "cray"}, "there is no backend type 'cray'"),
        ({"command": "true", "attempt": "A B"}, "no attempt id"),
        ({"command": "true", "memory": "much"}, "'much' is not an amount of memory"),
        ({"command": "true", "time_limit": "long"}, "'long' is not a time limit"),
        ({"command": "true", "cpus": 0}, "cpus: 0 is too few"),
        ({"command": "true", "env": {"A;B": "1"}}, "no name for an environment variable"),
        ({"command": "true", "backend": "slurm", "partition": "a b"}, "the partition 'a b'"),
    ],
)
def test_what_cannot_be_submitted_is_told(desk: Desk, variables: Any, said: str) -> None:
    seen = play(desk, "submit", **variables)
    assert seen.code == 2
    assert said in seen.output
    assert not (desk.folder / ".hopper").exists()


def test_jobs_must_be_named(desk: Desk) -> None:
    assert "no job is asked for" in play(desk, "poll").result["msg"]


def test_become_is_refused_plainly(desk: Desk) -> None:
    seen = play(desk, "submit", "--become", command="true")
    assert seen.code == 2
    assert "become is not supported" in seen.result["msg"]


@pytest.mark.parametrize("playbook", ["submit", "poll", "batch_cancel", "fetch_logs"])
def test_the_playbooks_take_other_hosts(project: Path, playbook: str) -> None:
    text = (project / "playbooks" / f"{playbook}.yml").read_text()
    assert "{{ hopper_hosts | default('hopper_" in text


# On batch systems


STAND_INS = [pytest.param(name, marks=pytest.mark.soak) for name in ("lsf", "pbs")]


@pytest.fixture(scope="module", params=["gridengine", "slurm", *STAND_INS])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Any]]:
    """A login node of each kind, with what it is called."""
    missing, start = ENGINES[request.param]
    if reason := missing():
        pytest.skip(f"{request.param}: {reason}")
    with start(tmp_path_factory.mktemp(request.param)) as rig:
        yield request.param, rig


@pytest.fixture
def sockets() -> Iterator[str]:
    """A folder with a path that is short enough for ssh's sockets."""
    with tempfile.TemporaryDirectory(prefix="hop-") as folder:
        yield folder


@pytest.mark.rig
def test_a_job_on_a_batch_system_is_submitted_followed_and_cancelled(
    engine: tuple[str, Any], tmp_path: Path, sockets: str, eventually: Eventually
) -> None:
    kind, rig = engine
    host = {
        **rig.ssh_facts.inventory_vars(),
        "ansible_control_path_dir": sockets,
        "batch_submit_backend": kind,
    }
    inventory = {"hopper_backends": {"hosts": {"w": host}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    desk = Desk(folder=tmp_path)

    def on(playbook: str, *words: str, **variables: Any) -> Played:
        given = {f"batch_submit_{key}": value for key, value in variables.items()}
        return desk.play(playbook, *words, **given)

    task = {
        "command": "printf '%s' \"$OF\"; sleep 600",
        "env": {"OF": ODD},
        "memory": "100M",
        "time_limit": "20m",
    }
    planned = on("submit", "--check", **task)
    assert planned.result["changed"], planned.output
    first = on("submit", **task)
    assert first.code == 0, first.output
    ids = {"attempt": first.result["attempt"]}
    again = on("submit", **task)
    assert (again.result["changed"], again.result["native_id"]) == (
        False,
        first.result["native_id"],
    )
    eventually(lambda: job_of(on("poll", **ids))["phase"] == "running", within=90, what="its start")
    by_native = on("poll", native_ids=first.result["native_id"])
    assert job_of(by_native)["phase"] == "running", by_native.output
    log = tmp_path / "logs" / f"{ids['attempt']}.out"
    eventually(lambda: on("fetch_logs", **ids).result["size"], within=90, what="its output")
    on("fetch_logs", **ids)
    assert log.read_text() == ODD
    ended = on("batch_cancel", **ids)
    assert (ended.code, ended.result["over"]) == (0, True), ended.output
    refused = on("submit", **{**task, "partition": "nosuch"})
    assert refused.code == 2
    assert "refused: " in refused.result["msg"]
