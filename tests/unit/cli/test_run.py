"""Runs by their commands: what is shown of them, what is changed, and their texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hopper.backends.systems import script_path
from hopper.bootstrap import visiting
from hopper.bootstrap.backends import SCRIPTS
from hopper.cli import run_watch
from hopper.cli.run_progress import Progress, bar, changes, progress
from hopper.dispatch.changes import Changes
from hopper.dispatch.run_views import GroupView, view_of
from hopper.model.attempt import Attempt, Outcome, TakenFrom
from hopper.model.job import Job, Origin
from hopper.model.places import task_folder
from hopper.model.run import GitVersion, Run
from hopper.model.states import JobState
from hopper.model.task import BatchResources, Task, Usage
from hopper.operations import log_reading
from hopper.store.state import StateStore
from tests.unit.cli.conftest import NOW, Desk, ago, attempt, ended, job
from tests.unit.cli.node import Node, configure

RUN = Run(
    id="flow-aaaaaa",
    workflow="flow",
    backend="here",
    created_at=ago(minutes=20),
    user="ann",
    git=GitVersion(repo="git@x:y.git", branch="main", sha="c" * 40),
    warnings=("odd \x1b[31m thing",),
)


def task(task_id: str, state: JobState = JobState.PENDING, **facts: Any) -> Job:
    made = job(f"{task_id.replace('.', '-')}-1aaaaa", state, name=task_id, **facts)
    own = facts.get("task") or Task(
        id=task_id, command="echo", resources=BatchResources(partition="big", cpus=2)
    )
    return replace(made, origin=Origin.RUN, backend="here", run=RUN.id, task=own, zip_name="")


def used(task_id: str, seconds: float = 3600, **facts: Any) -> Job:
    usage = Usage(
        cpu_seconds=seconds, elapsed_seconds=seconds, cpus=2, peak_memory=3_000_000, node="n1"
    )
    values = {"native_id": "77", "node": "n1", "usage": usage, **facts}
    return task(task_id, JobState.COMPLETED, attempts=(ended("here", **values),))


def failed(task_id: str, **facts: Any) -> Job:
    over = ended("here", Outcome.FAILED, **facts)
    return task(task_id, JobState.FAILED, attempts=(over,), reason="exit code 3")


@pytest.fixture
def node(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path)
    monkeypatch.setattr(visiting, "Visitor", made)
    monkeypatch.setattr(log_reading, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(run_watch, "LOOK_EVERY", 0.0)
    configure(desk, tmp_path)
    return made


def has(desk: Desk, *jobs: Job, runs: tuple[Run, ...] = (RUN,)) -> None:
    with StateStore.open(desk.config.paths.db) as store:
        store.commit(Changes(jobs=jobs, runs=runs))


def home(desk: Desk, of: Job, attempt_id: str, files: Mapping[str, str], aside: str = "") -> Path:
    """Put what an attempt left to where it comes home."""
    folder = task_folder(desk.config.paths.inbox, of)
    folder = folder.with_name(folder.name + aside)
    folder.mkdir(parents=True)
    for name, content in {".hopper-attempt": f"{attempt_id}\n", **files}.items():
        (folder / name).write_text(content)
    return folder


# --- shown


def test_the_list(desk: Desk, node: Node) -> None:
    del node
    other = replace(RUN, id="other-bbbbbb", workflow="other", created_at=ago(minutes=5))
    has(desk, used("a"), failed("b"), runs=(RUN, other))
    rows = [line.split("\t") for line in desk.run("run", "list").stdout.splitlines()]
    age = rows[0].pop(6)
    assert rows[0] == ["flow-aaaaaa", "failed", "flow", "here", "1/2", "1", "ann"]
    # The clock goes on while tests run.
    assert 20 <= int(age.removesuffix("m")) < 60
    assert [one["id"] for one in desk.json("run", "list", "--workflow", "other")] == [other.id]
    assert desk.json("run", "list", "--active") == []
    assert len(desk.json("run", "list", "--limit", "1")) == 1


def test_a_run_and_its_tasks(desk: Desk, node: Node) -> None:
    del node
    waits = attempt("here", native_id="78", waits_for="Priority", started_at=None)
    has(desk, used("fit.1"), failed("fit.2"), task("q", JobState.SUBMITTED, attempts=(waits,)))
    shown = desk.json("run", "show", "flow")
    assert (shown["state"], shown["tasks"], shown["git"]["sha"]) == ("running", 3, "c" * 40)
    assert shown["groups"]["fit"] == {"completed": 1, "failed": 1}
    first = shown["items"][0]
    assert (first["cpu_efficiency"], first["cpu_hours"], first["node"]) == (0.5, 2.0, "n1")
    assert shown["items"][2]["waits_for"] == "Priority"
    lines = desk.run("run", "show", "flow").stdout
    assert "\x1b" not in lines
    rows = [line.split("\t") for line in lines.splitlines() if "\t" in line]
    assert [row[0] for row in rows] == ["q", "fit.1", "fit.2"], "those under way come first"
    assert rows[0][7] == "Priority"
    assert rows[1][1:7] == ["completed", "77", "n1", "1h", "50%", "3.0 MB"]
    only = desk.run("run", "show", "flow", "--failed").stdout.splitlines()
    assert [line.split("\t")[0] for line in only if "\t" in line] == ["fit.2"]


def test_what_is_left_by_what_it_took_before(desk: Desk, node: Node) -> None:
    del node
    old = replace(used("fit.1", 100), id="fit-1-old", run="flow-000000")
    has(desk, old, task("fit.1"), task("fit.2"))
    assert desk.json("run", "show", "flow")["eta_seconds"] == 100
    one = replace(RUN, max_concurrent=1)
    has(desk, runs=(one,))
    assert desk.json("run", "show", "flow")["eta_seconds"] == 200


def test_the_cost_where_prices_are_known(desk: Desk, node: Node) -> None:
    prices = [
        {
            "instance_type": "c5.xlarge",
            "vCPU": 4,
            "pricing": {"us-east-1": {"linux": {"ondemand": "0.20"}}},
        }
    ]
    (desk.folder / "prices.json").write_text(json.dumps(prices))
    pricing = {"partitions": {"big": "c5.xlarge"}, "file": "prices.json"}
    configure(desk, node.folder, pricing=pricing)
    source = TakenFrom(job="old-2bbbbb", attempt="z000000001")
    has(desk, used("a"), used("b"), failed("c"), used("d", taken_from=source))
    cost = desk.json("run", "show", "flow")["cost"]
    assert (cost["usd"], cost["costed"], cost["uncosted"]) == (0.2, 2, 0)
    assert "$0.20 (2/2 tasks, ondemand in us-east-1)" in desk.run("run", "show", "flow").stdout


def test_which_run_is_meant(desk: Desk, node: Node) -> None:
    del node
    newer = replace(RUN, id="flow-bbbbbb", created_at=ago(minutes=1))
    has(desk, used("a"), runs=(RUN, newer))
    assert desk.json("run", "show", "flow")["id"] == newer.id, "the workflow's newest"
    assert desk.json("run", "show", "flow-a")["id"] == RUN.id
    assert "flow-bbbbbb, flow-aaaaaa" in desk.refused("run", "show", "flow-")
    assert "may be" in desk.refused("run", "delete", "flow", "--yes"), "which is not meant to guess"
    assert "no run 'gone'" in desk.refused("run", "show", "gone")


def test_the_manifest(desk: Desk, node: Node) -> None:
    del node
    result = desk.result("out.txt")
    has(desk, used("a", results=(result,)))
    manifest = json.loads(desk.run("run", "manifest", "flow").stdout)
    [whole] = manifest["tasks"]
    assert whole["attempts"][0]["results"][0]["sha256"] == result.sha256
    assert (manifest["git"]["sha"], whole["task"]["command"]) == ("c" * 40, "echo")


# --- watched


def test_watch_tells_how_a_run_has_ended(desk: Desk, node: Node) -> None:
    del node
    has(desk, used("a.1"), failed("b"))
    done = desk.run("run", "watch", "flow", code=1)
    assert done.stdout.splitlines() == [
        "a\t1/1\t1 completed",
        "tasks\t0/1\t1 failed",
        "flow-aaaaaa: failed",
    ]
    assert "b failed: exit code 3" in done.stderr
    has(desk, used("b"))
    assert desk.run("run", "watch", "flow").stdout.endswith("flow-aaaaaa: completed\n")


def test_watch_tells_of_generated_tasks_that_were_refused(desk: Desk, node: Node) -> None:
    del node
    has(
        desk, used("a"), runs=(replace(RUN, warnings=("a: the tasks that it wrote were refused",)),)
    )
    done = desk.run("run", "watch", "flow")
    assert done.stderr == "hopper: a: the tasks that it wrote were refused\n"


def test_watch_gives_up_in_time(desk: Desk, node: Node) -> None:
    del node
    has(desk, task("a"))
    done = desk.run("run", "watch", "flow", "--timeout", "0.1s", code=124)
    assert "no dispatcher runs" in done.stderr
    assert "still pending" in done.stdout


def test_a_bar_has_the_shares_of_its_group() -> None:
    counts = {JobState.COMPLETED: 1, JobState.FAILED: 1, JobState.RUNNING: 1, JobState.PENDING: 1}
    drawn = bar(GroupView(name="x", counts=counts), 8)
    assert drawn.plain == "━━━━━━──"
    assert [str(span.style) for span in drawn.spans] == ["green", "red", "blue", "dim"]
    assert bar(GroupView(name="x", counts={}), 4).plain == "────"


def test_the_bars_fit_the_terminal() -> None:
    jobs = [task(f"g{number:02}.x") for number in range(30)] + [task(f"{'long' * 20}.x")]
    look = Progress(view=view_of(RUN, jobs), at=NOW)
    out = Console(width=80, height=12, record=True, force_terminal=True)
    out.print(progress(look, 80, 12))
    lines = out.export_text().splitlines()
    assert len(lines) <= 12
    assert all(len(line) <= 80 for line in lines)
    assert "and 24 more groups" in lines[-1]


def test_only_groups_that_changed_are_told() -> None:
    before = view_of(RUN, [task("a.1"), task("b.1")])
    now = view_of(RUN, [task("a.1"), used("b.1")])
    assert list(changes(before, now)) == ["b\t1/1\t1 completed"]
    assert list(changes(now, now)) == []


# --- changed


def test_cancel_rerun_and_delete(desk: Desk, node: Node) -> None:
    del node
    has(desk, used("a"), failed("b"), task("c"))
    assert desk.json("run", "cancel", "flow")["done"] == {"c-1aaaaa": "cancelled"}
    assert "have ended" in desk.run("run", "cancel", "flow").stdout
    answer = desk.json("run", "rerun", "flow", "--failed")
    assert answer["done"] == {"b-1aaaaa": "pending", "c-1aaaaa": "pending"}
    assert desk.jobs()["a-1aaaaa"].state is JobState.COMPLETED
    assert "cancel it first" in desk.refused("run", "delete", "flow", "--yes")
    desk.run("run", "cancel", "flow")
    folder = home(desk, desk.jobs()["a-1aaaaa"], "a000000001", {"x": "y"})
    assert "say --yes" in desk.refused("run", "delete", "flow")
    desk.run("run", "delete", "flow", "--yes")
    assert (desk.jobs(), folder.exists()) == ({}, True)


def test_delete_with_what_came_home(desk: Desk, node: Node) -> None:
    del node
    has(desk, used("a"))
    folder = home(desk, desk.jobs()["a-1aaaaa"], "a000000001", {"x": "y"})
    answer = desk.json("run", "delete", "flow", "--results", "--yes")
    assert answer["results"] == str(folder.parent)
    assert not folder.parent.exists()


def test_a_run_of_the_history_is_shown_and_deleted_and_not_changed(desk: Desk, node: Node) -> None:
    del node
    has(desk, used("a", array="r000000001"))
    path, whole = (
        script_path(desk.config.paths.db / SCRIPTS, name) for name in ("a000000001", "r000000001")
    )
    path.parent.mkdir()
    path.write_text("#")
    whole.write_text("#")
    folder = home(desk, desk.jobs()["a-1aaaaa"], "a000000001", {"x": "y"})
    log = desk.log("a-1aaaaa", "a000000001", b"words")
    with StateStore.open(desk.config.paths.db) as store:
        store.maintain(NOW + timedelta(days=40), keep=timedelta(days=30))
    assert desk.json("run", "list") == []
    assert [one["counts"] for one in desk.json("run", "list", "--all")] == [{"completed": 1}]
    for reference in ("flow", "flow-aaaaaa", "flow-a"):
        shown = desk.json("run", "show", reference)
        assert [item["job"] for item in shown["items"]] == ["a-1aaaaa"]
    assert desk.run("run", "watch", "flow").stdout.endswith("flow-aaaaaa: completed\n")
    for act in ("cancel", "rerun"):
        assert "has left for the history" in desk.refused("run", act, "flow")
    assert path.exists()
    answer = desk.json("run", "delete", "flow", "--results", "--yes")
    assert answer["jobs"] == ["a-1aaaaa"]
    assert not any(one.exists() for one in (path, whole, folder, log))
    assert "no run" in desk.refused("run", "show", "flow")
    assert desk.json("jobs", "--all") == []


def test_who_took_a_result_says_so(desk: Desk, node: Node) -> None:
    del node
    source = TakenFrom(job="old-2bbbbb", run="flow-oooooo", attempt="z000000001")
    copy = used("b", taken_from=source, usage=Usage(), native_id="", started_at=None)
    has(desk, used("a"), replace(copy, reason="its result is that of old-2bbbbb of flow-oooooo"))
    shown = desk.json("run", "show", "flow")
    assert shown["taken"] == 1
    assert [item["taken_from"] for item in shown["items"]] == [
        None,
        {"job": "old-2bbbbb", "attempt": "z000000001", "run": "flow-oooooo"},
    ]
    text = desk.run("run", "show", "flow").stdout
    assert "2 completed (1 by results of equal tasks)" in text
    assert "its result is that of old-2bbbbb" in text
    text = desk.run("show", "b-1aaaaa").stdout
    assert "which ran nowhere" in text
    assert "old-2bbbbb of flow-oooooo, attempt z000000001" in text
    assert "ran nowhere" in desk.refused("run", "script", "flow", "b", code=1)


def test_nothing_failed_nothing_to_rerun(desk: Desk, node: Node) -> None:
    del node
    has(desk, used("a"))
    assert "no failed task" in desk.refused("run", "rerun", "flow", "--failed")


# --- texts


def test_logs_at_home_of_each_attempt(desk: Desk, node: Node) -> None:
    first = ended("here", Outcome.FAILED, id="a000000001", log_bytes=4, error_bytes=4)
    second = ended("here", number=2, id="a000000002", log_bytes=4, error_bytes=4)
    both = task("t", JobState.COMPLETED, attempts=(first, second))
    has(desk, both)
    home(desk, both, "a000000001", {"stdout.log": "one\n", "stderr.log": "bad\n"}, aside=".try1")
    home(desk, both, "a000000002", {"stdout.log": "two\n", "stderr.log": "wel\n"})
    logs = ("run", "logs", "flow", "t")
    assert desk.run(*logs).stdout == "two\n"
    assert desk.run(*logs, "--error").stdout == "wel\n"
    assert desk.run(*logs, "--attempt", "1").stdout == "one\n"
    assert desk.run("logs", "t-1aaaaa", "--error", "--attempt", "1").stdout == "bad\n"
    assert node.orders == [], "what is at home is not asked for"


def live(desk: Desk, **facts: Any) -> None:
    own = Task(id="t", command="echo", working_dir="~/w", **facts)
    began = attempt("here", id="a000000001", native_id="7")
    has(desk, task("t", JobState.RUNNING, task=own, attempts=(began,)))


def test_logs_of_a_task_that_runs_are_read_there(desk: Desk, node: Node) -> None:
    live(desk)
    node.logs = {"out": b"1\n2\n3\n", "err": b"e\n"}
    assert desk.run("run", "logs", "flow", "t").stdout == "1\n2\n3\n"
    assert desk.run("run", "logs", "flow", "t", "--error").stdout == "e\n"
    assert desk.run("run", "logs", "flow", "t", "--tail", "1").stdout == "3\n"
    assert node.closed == len(node.orders)
    assert desk.run("logs", "t-1aaaaa").stdout == "1\n2\n3\n"


def test_the_tasks_own_files_are_read(desk: Desk, node: Node) -> None:
    live(desk, output_file="out", error_file="logs/e.txt")
    node.logs = {"./out": b"own\n", "logs/e.txt": b"mine\n"}
    assert desk.run("run", "logs", "flow", "t").stdout == "own\n"
    assert desk.run("run", "logs", "flow", "t", "--error").stdout == "mine\n"
    assert [order.log.working_dir for order in node.orders if order.log] == ["~/w", "~/w"]


def test_a_backend_out_of_reach_is_said(desk: Desk, node: Node) -> None:
    live(desk)
    node.error = "timed out"
    assert "no contact with here: timed out" in desk.refused("run", "logs", "flow", "t", code=1)


def test_a_zip_job_has_one_log(desk: Desk) -> None:
    desk.has(job("a-1aaaaa", JobState.RUNNING, attempts=(attempt("w"),)))
    assert "in its log" in desk.refused("logs", "a-1aaaaa", "--error")


def kept(desk: Desk, attempt_id: str, text: str) -> None:
    folder = desk.config.paths.db / "scripts"
    folder.mkdir(exist_ok=True)
    (folder / f"{attempt_id}.sh").write_text(text)


def test_scripts_before_and_after(desk: Desk, node: Node) -> None:
    del node
    first: Attempt = ended("here", Outcome.FAILED, id="a000000001")
    both = task("t", JobState.FAILED, attempts=(first, ended("here", number=2, id="a000000002")))
    has(desk, both, task("new"))
    script = ("run", "script", "flow")
    before = desk.run(*script, "new")
    assert "attempt000" in before.stdout
    assert "was not submitted yet" in before.stderr
    assert "not kept" in desk.refused(*script, "t", code=1)
    kept(desk, "a000000002", "second\n")
    kept(desk, "a000000001", "first\n")
    assert desk.run(*script, "t").stdout == "second\n"
    assert desk.run(*script, "t", "--attempt", "1").stdout == "first\n"
    assert "attempt000" in desk.run(*script, "t", "--new").stdout
    assert "no attempt 3" in desk.refused(*script, "t", "--attempt", "3")
    assert "no task 'x'" in desk.refused(*script, "x")


# --- as jobs


def test_tasks_among_the_jobs(desk: Desk, node: Node) -> None:
    del node
    has(desk, used("a"), failed("b"))
    desk.has(job("zip-1aaaaa", attempts=()))
    rows = {line.split("\t")[0]: line.split("\t") for line in desk.run("jobs").stdout.splitlines()}
    assert rows["a-1aaaaa"][1:4] == ["completed", RUN.id, "here"]
    assert rows["zip-1aaaaa"][2:4] == ["-", "-"]
    assert [one["task"] for one in desk.json("jobs", "--run", RUN.id)] == ["a", "b"]
    assert len(desk.json("jobs", "--backend", "here")) == 2
    shown = desk.run("show", "a-1aaaaa").stdout
    assert "50% of its CPU time, 2.00 CPU hours, 3.0 MB of memory at most" in shown
    assert desk.json("show", "a-1aaaaa")["usage"]["cpu_hours"] == 2.0
