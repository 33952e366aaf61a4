"""status, jobs, show, explain, results, events, wait: what people and scripts are shown."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from hopper.cli.choosing import complete_job
from hopper.cli.main import hopper
from hopper.cli.status_view import renderable
from hopper.model.attempt import Outcome, Remains
from hopper.model.event import Event, EventKind
from hopper.model.job import Origin
from hopper.model.states import JobState
from hopper.operations.glance import Glance
from hopper.store.lock import StateLock
from hopper.store.state import StateStore
from tests.unit.cli.conftest import Desk, ago, attempt, ended, job

HOSTILE = "bad\x1b]0;owned\x07\nname"


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """Jobs in many states on two workers, one of which is lost."""
    desk.worker("node1", slots=2)
    desk.worker("node2", {"no_contact_since": ago(hours=2), "contact_error": "refused"})
    desk.has(
        job("prep-1aaaaa", JobState.COMPLETED, attempts=(ended("node1"),)),
        job("train-2aaaaa", JobState.RUNNING, attempts=(attempt("node1"),), tags=("gpu",)),
        job("lost-3aaaaa", JobState.RUNNING, attempts=(attempt("node2"),)),
        job("next-4aaaaa", priority=3),
        job("later-5aaaaa", after=("next-4aaaaa",)),
        job("held-6aaaaa", held=True),
        job(
            "bad-7aaaaa",
            JobState.FAILED,
            reason="exit code 3",
            attempts=(ended("node1", Outcome.FAILED),),
            submitted_at=ago(days=3),
        ),
        job("ext-8aaaaa", JobState.RUNNING, attempts=(attempt("node1"),), origin=Origin.EXTERNAL),
    )
    return desk


# --- status


def test_status_in_a_pipe(busy: Desk) -> None:
    lines = [line.split("\t") for line in busy.run("status").stdout.splitlines()]
    assert ["dispatcher", "not running"] in lines
    assert ["count", "running", "3"] in lines
    jobs = {line[1]: line for line in lines if line[0] == "job"}
    assert jobs["lost-3aaaaa"][2:4] == ["running", "node2"]
    assert jobs["lost-3aaaaa"][5].startswith("no contact for 2h")
    assert jobs["ext-8aaaaa"][5] == "external"
    assert jobs["held-6aaaaa"][2] == "held"
    assert "prep-1aaaaa" not in jobs
    workers = {line[1]: line for line in lines if line[0] == "worker"}
    assert workers["node1"][2:4] == ["busy", "2/2"]
    assert workers["node2"][2] == "unreachable"
    assert workers["node2"][6].endswith("refused")


def test_status_as_json(busy: Desk) -> None:
    document = busy.json("status")
    assert document["counts"] == {"completed": 1, "running": 3, "pending": 3, "failed": 1}
    assert document["held"] == 1
    assert document["dispatcher"] is None
    lost = next(item for item in document["on_workers"] if item["id"] == "lost-3aaaaa")
    assert datetime.fromisoformat(lost["no_contact_since"]) == ago(hours=2)
    assert [item["id"] for item in document["pending"]] == [
        "next-4aaaaa",
        "later-5aaaaa",
        "held-6aaaaa",
    ]
    assert [item["state"] for item in document["workers"]] == ["busy", "unreachable"]


def test_status_names_the_dispatcher_and_the_pause(busy: Desk) -> None:
    busy.has(settings={"paused": True})
    with StateLock.acquire(busy.config.paths.db, command="hopper dispatch"):
        document = busy.json("status")
    assert document["dispatcher"]["pid"] > 0
    assert document["paused"] is True


def test_another_command_is_no_dispatcher(busy: Desk) -> None:
    with StateLock.acquire(busy.config.paths.db, command="hopper db compact"):
        assert busy.json("status")["dispatcher"] is None


def test_status_says_when_the_inventory_cannot_be_read(busy: Desk) -> None:
    busy.inventory_error = "inventory.yml is gone"
    assert "inventory\tinventory.yml is gone" in busy.run("status").stdout
    document = busy.json("status")
    assert document["inventory_error"] == "inventory.yml is gone"
    assert {item["state"] for item in document["workers"]} == {
        "not in the inventory",
        "unreachable",
    }


def test_status_of_nothing(desk: Desk) -> None:
    assert desk.run("status").stdout == "dispatcher\tnot running\n"


def test_the_screen_fits_eighty_columns(busy: Desk) -> None:
    busy.has(job("a" * 40 + "-9aaaaa"), job("x-9bbbbb", name=HOSTILE))
    busy.worker("quite-a-long-worker-name-node3", {"unready": "missing: " + "inbox " * 20})
    with StateStore.open(busy.config.paths.db, readonly=True) as store:
        screen = Glance(busy.config, store).screen(4)
    console = Console(width=80, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(renderable(screen))
    text = captured.get()
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "and 4 more; see 'hopper jobs'" in text
    assert "2 slots" not in text
    assert "1 held" in text
    assert "\x1b]0;" not in text


def test_watch_and_json_do_not_go_together(desk: Desk) -> None:
    desk.refused("status", "--watch", "--json")


# --- jobs


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--state", "failed"], ["bad-7aaaaa"]),
        (["--state", "failed", "--state", "completed"], ["bad-7aaaaa", "prep-1aaaaa"]),
        (["--tag", "gpu"], ["train-2aaaaa"]),
        (["--worker", "node2"], ["lost-3aaaaa"]),
        (["--name", "*e*t*"], ["ext-8aaaaa", "next-4aaaaa"]),
        (["--state", "failed", "--since", "2d"], []),
        (["--limit", "1"], ["train-2aaaaa"]),
    ],
)
def test_jobs_are_filtered(busy: Desk, options: list[str], ids: list[str]) -> None:
    found = [item["id"] for item in busy.json("jobs", *options)]
    assert sorted(found) == sorted(ids)


def test_jobs_are_listed_newest_last(busy: Desk) -> None:
    lines = busy.run("jobs").stdout.splitlines()
    assert len(lines) == 8
    assert lines[0].split("\t")[:3] == ["bad-7aaaaa", "failed", "node1"]
    assert lines[0].split("\t")[3:] == ["3d", "exit code 3"]


def test_jobs_takes_no_nonsense(desk: Desk) -> None:
    assert "is no time" in desk.refused("jobs", "--since", "yesterdayish")
    desk.refused("jobs", "--state", "odd")


def test_hostile_names_reach_no_terminal(desk: Desk) -> None:
    desk.has(job("x-1aaaaa", JobState.FAILED, name=HOSTILE, reason=HOSTILE))
    for words in (["jobs"], ["show", "x-1aaaaa"], ["explain", "x-1aaaaa"], ["status"]):
        said = desk.run(*words).stdout
        assert "\x1b" not in said
        assert "\x07" not in said


# --- show, explain, results


def test_show(desk: Desk) -> None:
    result = desk.result("train-1aaaaa.zip")
    first = ended("node1", Outcome.FAILED, reason="exit code 3", remains=Remains.KEPT)
    second = ended("node2", id="b000000002", number=2, results=(result,), remains=Remains.GONE)
    desk.has(
        job("train-1aaaaa", JobState.COMPLETED, attempts=(first, second), tags=("gpu",), priority=4)
    )
    log = desk.log("train-1aaaaa", second.id, b"well\n")
    text = desk.run("show", "train").stdout
    for part in ("train-1aaaaa", "completed", "gpu", "attempt 2", "exit code 3", str(log)):
        assert part in text
    document = desk.json("show", "train-1aaaaa")
    assert document["result_paths"] == [str(desk.config.paths.inbox / "train-1aaaaa.zip")]
    assert document["logs"] == {second.id: str(log)}
    assert document["attempts"][0]["outcome"] == "failed"


def test_a_job_is_found_by_id_start_or_name(busy: Desk) -> None:
    for reference in ("prep-1aaaaa", "prep-1", "prep"):
        assert busy.json("show", reference)["id"] == "prep-1aaaaa"
    assert "no job 'nothing'" in busy.refused("show", "nothing")


def test_of_several_the_whole_id_is_asked_for(desk: Desk) -> None:
    desk.has(job("a-1aaaaa"), job("a-1bbbbb"))
    assert "give the whole id" in desk.refused("show", "a-1")


def test_explain_tells_the_end_of_the_log(busy: Desk) -> None:
    failed = busy.jobs()["bad-7aaaaa"]
    assert failed.attempt is not None
    busy.log(failed.id, failed.attempt.id, b"".join(b"line %d\n" % n for n in range(20)))
    document = busy.json("explain", "bad")
    assert document["headline"] == "bad-7aaaaa failed on node1: exit code 3."
    assert document["log_end"] == [f"line {n}" for n in range(10, 20)]
    text = busy.run("explain", "bad").stdout
    assert "  | line 19\n" in text
    assert "  hopper requeue bad-7aaaaa\n" in text


def test_explain_without_a_dispatcher(busy: Desk) -> None:
    document = busy.json("explain", "next")
    assert "No dispatcher runs." in document["headline"]
    assert document["position"] == 0


def test_results(desk: Desk, tmp_path: Path) -> None:
    results = (desk.result("a-1aaaaa.zip", b"one"), desk.result("a-1aaaaa.log.zip", b"two"))
    desk.has(job("a-1aaaaa", JobState.COMPLETED, attempts=(ended("node1", results=results),)))
    paths = [str(desk.config.paths.inbox / result.name) for result in results]
    assert desk.run("results", "a").stdout.splitlines() == paths
    target = tmp_path / "copies"
    desk.run("results", "a", "--copy-to", str(target))
    assert (target / "a-1aaaaa.zip").read_bytes() == b"one"
    assert sorted(path.name for path in target.iterdir()) == ["a-1aaaaa.log.zip", "a-1aaaaa.zip"]
    assert "is there already" in desk.refused("results", "a", "--copy-to", str(target), code=1)
    Path(paths[0]).unlink()
    done = desk.run("results", "a", code=1)
    assert "is no longer there" in done.stderr


def test_results_of_a_job_without(busy: Desk) -> None:
    assert "come home when it has ended" in busy.refused("results", "train", code=1)
    assert "has no results" in busy.refused("results", "prep", code=1)


# --- events


@pytest.fixture
def told(desk: Desk) -> Desk:
    desk.has(
        job("a-1aaaaa"),
        events=(
            Event(kind=EventKind.DISPATCH_STARTED, at=ago(days=2)),
            Event(kind=EventKind.JOB_SUBMITTED, at=ago(hours=1), job="a-1aaaaa", reason=HOSTILE),
            Event(kind=EventKind.WORKER_REACHED, at=ago(minutes=1), worker="node1"),
        ),
    )
    return desk


def test_events(told: Desk) -> None:
    lines = told.run("events").stdout.splitlines()
    assert len(lines) == 3
    assert "contact again with node1" in lines[2]
    assert "\x1b" not in lines[1]


def test_events_are_filtered(told: Desk) -> None:
    def kinds(*options: str) -> list[str]:
        lines = told.run("events", "--json", *options).stdout.splitlines()
        return [json.loads(line)["kind"] for line in lines]

    assert kinds("--job", "a") == ["job_submitted"]
    assert kinds("--since", "2h") == ["job_submitted", "worker_reached"]
    assert kinds("--since", ago(minutes=5).isoformat()) == ["worker_reached"]
    assert kinds("--limit", "1") == ["worker_reached"]
    assert kinds("--since", "2h", "--limit", "1") == ["worker_reached"]
    assert kinds("--limit", "0") == ["dispatch_started", "job_submitted", "worker_reached"]


def test_events_of_a_job_that_never_was(told: Desk) -> None:
    told.refused("events", "--job", "nothing")


# --- wait


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["prep"], 0),
        (["prep", "bad"], 1),
        (["--any", "train", "prep"], 0),
        (["--any", "bad", "train"], 1),
    ],
)
def test_wait_tells_how_it_went(busy: Desk, names: list[str], code: int) -> None:
    busy.run("wait", *names, code=code)


def test_wait_gives_up(busy: Desk) -> None:
    done = busy.run("wait", "train", "prep", "--timeout", "0", code=124)
    assert "prep-1aaaaa: completed" in done.stdout
    assert "1 of them have not ended in time" in done.stderr
    document = busy.json("wait", "train", "--timeout", "0", code=124)
    assert document["open"] == ["train-2aaaaa"]
    assert document["timed_out"]


# --- completion


def test_ids_are_completed(busy: Desk) -> None:
    root = hopper.make_context(
        "hopper", ["--config", str(busy.folder / "hopper.yaml")], resilient_parsing=True
    )
    parameter = hopper.params[0]
    offered = complete_job(root, parameter, "l")
    assert [(item.value, item.help) for item in offered] == [
        ("later-5aaaaa", "pending"),
        ("lost-3aaaaa", "running"),
    ]
    (busy.folder / "hopper.yaml").unlink()
    assert complete_job(root, parameter, "l") == []
