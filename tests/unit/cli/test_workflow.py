"""Workflows by their commands: found, fetched, checked, made into runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hopper.bootstrap import visiting
from hopper.store.state import StateStore
from tests.unit.cli.conftest import Desk
from tests.unit.cli.node import Node, configure

TASKS = [
    {"id": "a.1", "command": "echo 1", "environment": "lab", "time_limit": "90m"},
    {"id": "a.2", "command": "echo 2\necho 3", "memory": "500M"},
    {"id": "end", "command": "echo end", "deps": ["a.*"], "environment": "none"},
]


@pytest.fixture
def node(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    home = tmp_path / "node"
    home.mkdir()
    made = Node(home)
    monkeypatch.setattr(visiting, "Visitor", made)
    (home / "tasks.json").write_text(json.dumps({"description": "small", "tasks": TASKS}))
    (home / "src/sub").mkdir(parents=True)
    (home / "src/sub/x.json").write_text(json.dumps({"tasks": TASKS, "max_concurrent": 5}))
    (home / "src/sub/readme.txt").write_text("no")
    flows = [
        {"name": "flow", "backend": "here", "command": "cat tasks.json", "max_concurrent": 7},
        {"name": "broken", "backend": "here", "command": "echo oh >&2; exit 3"},
        {"name": "chatty", "backend": "here", "command": "echo hello"},
    ]
    source = {"name": "tree", "type": "path", "backend": "here", "path": str(home / "src")}
    source["workflows_glob"] = "**/*.json"
    configure(desk, home, workflows=flows, sources=[source])
    return made


def runs(desk: Desk) -> dict[str, Any]:
    with StateStore.open(desk.config.paths.db, readonly=True) as store:
        return dict(store.runs)


def test_a_run_of_a_command(desk: Desk, node: Node) -> None:
    done = desk.run("workflow", "run", "flow")
    run_id = done.stdout.strip()
    made = runs(desk)[run_id]
    assert (made.workflow, made.backend, made.description) == ("flow", "here", "small")
    assert made.max_concurrent == 7
    assert "no environment 'none'" in done.stderr
    jobs = {job.name: job for job in desk.jobs().values()}
    assert jobs["end"].spec.after == (jobs["a.1"].id, jobs["a.2"].id)
    assert jobs["a.1"].task is not None
    assert jobs["a.1"].task.variables["COLOUR"] == "blue"
    assert node.closed == 1


def test_the_run_as_json(desk: Desk, node: Node) -> None:
    del node
    made = desk.json("workflow", "run", "flow", "--max-concurrent", "2", "--array", "auto")
    assert (made["array"], runs(desk)[made["run"]].array) == ("auto", "auto")
    assert sorted(made["jobs"]) == ["a.1", "a.2", "end"]
    assert runs(desk)[made["run"]].max_concurrent == 2
    assert [task["deps"] for task in made["tasks"]] == [[], [], ["a.1", "a.2"]]


def test_a_file_of_a_source_says_its_own_limit(desk: Desk, node: Node) -> None:
    made = desk.json("workflow", "run", "tree:sub/x.json")
    assert runs(desk)[made["run"]].max_concurrent == 5
    task = next(job.task for job in desk.jobs().values() if job.name == "end")
    assert task is not None
    assert task.working_dir == "~"
    assert node.orders[0].query_timeout == 600


def test_a_dry_run_leaves_nothing(desk: Desk, node: Node) -> None:
    del node
    plan = desk.json("workflow", "dry-run", "flow")
    first = plan["tasks"][0]
    assert (first["id"], first["resources"]["time_limit"]) == ("a.1", 5400.0)
    rows = desk.run("workflow", "dry-run", "flow").stdout.splitlines()
    assert rows[1].split("\t") == ["a.2", "1", "500M", "1h", "-", "-", "echo 2 ; echo 3"]
    assert rows[2].split("\t")[5] == "a.1, a.2"
    assert "echo 3" in desk.run("workflow", "dry-run", "flow", "--script", "a.2").stdout
    assert "no task 'b'" in desk.refused("workflow", "dry-run", "flow", "--script", "b")
    assert runs(desk) == {}


def test_a_file_at_home_may_bring_files_of_the_configs_folder(desk: Desk, node: Node) -> None:
    del node
    (desk.folder / "data.csv").write_text("1")
    file = desk.folder / "mine.json"
    file.write_text(json.dumps([{"id": "t", "command": "true", "inputs": ["data.csv"]}]))
    desk.run("workflow", "run", str(file))
    [job] = desk.jobs().values()
    assert job.task is not None
    assert job.task.inputs == (f"{(desk.folder / 'data.csv').resolve()}:data.csv",)
    assert "without .." in _with_input(desk, "../secret")
    assert "cannot be read" in _with_input(desk, "absent")


def _with_input(desk: Desk, name: str) -> str:
    file = desk.folder / "mine.json"
    file.write_text(json.dumps([{"id": "t", "command": "true", "inputs": [name]}]))
    return desk.refused("workflow", "run", str(file))


def test_the_list_has_commands_and_files_that_were_seen(desk: Desk, node: Node) -> None:
    del node
    assert [one["name"] for one in desk.json("workflow", "list")] == ["flow", "broken", "chatty"]
    desk.run("source", "sync")
    run_id = desk.run("workflow", "run", "tree:sub/x.json").stdout.strip()
    last = desk.json("workflow", "list")[-1]
    assert (last["name"], last["kind"], last["last_run"]) == ("tree:sub/x.json", "file", run_id)
    shown = desk.json("workflow", "show", "tree:sub/x.json")
    assert (shown["file"], shown["runs"]) == ("sub/x.json", [run_id])
    assert "cat tasks.json" in desk.run("workflow", "show", "flow").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("flo",), 2, "did you mean flow?"),
        (("flow", "--backend", "there"), 2, "runs on here"),
        (("broken",), 1, "ended with code 3 (oh)"),
        (("chatty",), 2, "not JSON"),
        (("tree:../x.json",), 2, "no file below"),
        (("tree:sub/y.json",), 1, "there is no file"),
    ],
)
def test_what_cannot_be_is_said(
    desk: Desk, node: Node, words: tuple[str, ...], code: int, said: str
) -> None:
    del node
    assert said in desk.refused("workflow", "run", *words, code=code)
    assert runs(desk) == {}


def test_a_backend_that_is_not_reached_is_said(desk: Desk, node: Node) -> None:
    node.error = "Permission denied (publickey)"
    said = desk.refused("workflow", "run", "flow", code=1)
    assert "no contact with here: Permission denied" in said
    assert "hopper backend login here" in said


def test_the_deploy_key_goes_along_and_not_into_the_text(
    desk: Desk, node: Node, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    git = {"repo": "git@example.org:x.git", "deploy_key": str(key)}
    flow = {"name": "flow", "backend": "here", "command": "true", "git": git}
    configure(desk, node.folder, workflows=[flow])
    assert f"no deploy key {key}" in desk.refused("workflow", "run", "flow")
    key.write_text("SECRET")
    desk.refused("workflow", "run", "flow", code=1)
    [order] = node.orders
    assert order.uploads == ((str(key), "deploy_key"),)
    assert all("SECRET" not in query.shell for query in order.queries)


def test_tasks_may_go_to_the_workers(desk: Desk, node: Node) -> None:
    configure(desk, node.folder, backends=[{"name": "lab", "type": "worker"}])
    file = desk.folder / "mine.json"
    tasks = [{"id": "a", "command": "echo hi", "cpus": 4, "memory": "9G", "tags": ["fast"]}]
    file.write_text(json.dumps([*tasks, {"id": "b", "command": "true", "deps": ["a"]}]))
    shown = desk.run("workflow", "dry-run", str(file), "--script", "a").stdout
    assert "echo hi" in shown
    assert "export HOPPER_TASK_ID=a" in shown
    done = desk.run("workflow", "run", str(file))
    assert "workers know nothing of cpus and memory" in done.stderr
    [run] = desk.json("run", "list")
    assert run["backend"] == "lab"
    [a, b] = desk.json("jobs", "--backend", "lab")
    assert (a["backend"], a["run"], a["tags"]) == (None, run["id"], ["fast"])
    assert desk.json("jobs", "--backend", "other") == []
    assert [b["after"]] == [[a["id"]]]
    assert "There are no workers" in desk.run("explain", a["id"]).stdout
    assert "echo hi" in desk.run("run", "script", run["id"], "a").stdout


def test_a_folder_outside_of_the_tasks_own_is_refused(desk: Desk, node: Node) -> None:
    configure(desk, node.folder, backends=[{"name": "lab", "type": "worker"}])
    file = desk.folder / "mine.json"
    file.write_text(json.dumps([{"id": "a", "command": "true", "working_dir": "x/../../y"}]))
    assert "leads out of its own folder" in desk.refused("workflow", "run", str(file))


def test_the_schema_is_printed(desk: Desk) -> None:
    schema = json.loads(desk.run("workflow", "schema").stdout)
    assert schema["$defs"]["Task"]["required"] == ["id", "command"]
