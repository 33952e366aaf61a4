"""Runs of workflows on real SSH workers, compared with the same on this machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.lab import Lab

pytestmark = [pytest.mark.rig, pytest.mark.ansible]

NASTY = 'it\'s "x" $(id) `id` \\ $HOME ; # é *\n! EOF'
BACKENDS = [{"name": "farm", "type": "worker", "init": "BASE=init"}]
MADE = '{"tasks": [{"id": "gen.%s", "command": "echo made; cat none", "retries": 0}]}'
TASKS: list[dict[str, Any]] = [
    {
        "id": "prepare",
        "command": 'printf \'%s|%s|%s\' "$NASTY" "$BASE" "$SCRIPTHUT_RUN_ID" > said.txt\n'
        "mkdir -p out; cat table.csv part/x.txt > out/both.txt; echo loud >&2; cat said.txt",
        "working_dir": "play",
        "inputs": ["table.csv", "deep/x.txt:part/x.txt"],
        "outputs": ["out/*", "said.txt", "none*"],
        "env_vars": {"NASTY": NASTY},
    },
    {
        "id": "branch.bad",
        "command": 'echo so far; mkdir -p "$HOPPER_OUTPUT_DIR/in"; echo 1 > left; false | cat',
        "deps": ["prep*"],
        "working_dir": "play",
        "outputs": ["left"],
        "retries": 0,
    },
    {"id": "branch.after", "command": "true", "deps": ["branch.bad"]},
    {
        "id": "maker",
        "command": f"echo '{MADE % 'x'}' > more.json\n"
        "echo '# Made' > \"$HOPPER_OUTPUT_DIR/summary.md\"",
        "working_dir": "play",
        "generates_source": "more.json",
    },
    {
        "id": "apart",
        "command": "echo to a file; echo and this >&2",
        "working_dir": "play",
        "output_file": "logs/o.txt",
        "error_file": "logs/e.txt",
    },
    {"id": "last", "command": "echo end", "deps": ["maker", "gen.*"]},
]
STATES = {
    "prepare": "completed",
    "branch.bad": "failed",
    "branch.after": "dep_failed",
    "maker": "completed",
    "apart": "completed",
    "gen.x": "failed",
}


def below(folder: Path) -> dict[str, str]:
    """Return the texts of all files below a folder, but for what names an attempt."""
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".hopper-attempt"
    }


def write(lab: Lab, tasks: Any) -> str:
    (lab.folder / "table.csv").write_text("a,b\n")
    (lab.folder / "deep").mkdir(exist_ok=True)
    (lab.folder / "deep/x.txt").write_text("x\n")
    (lab.folder / "wf.json").write_text(json.dumps({"tasks": tasks, "max_concurrent": 3}))
    return "wf.json"


def states(lab: Lab, run: str) -> dict[str, str]:
    return {item["task"]: item["state"] for item in lab.json("run", "show", run)["items"]}


def test_a_run_on_workers_comes_home_as_from_anywhere(lab: Lab, tmp_path: Path) -> None:
    home = tmp_path / "home of local"
    (home / "play").mkdir(parents=True)
    local = {"name": "here", "type": "local", "work_dir": str(home / "w"), "init": "BASE=init"}
    lab.set_up({"backends": [*BACKENDS, local]})
    lab.environment["HOME"] = str(home)
    file = write(lab, TASKS[:-1])
    runs = [
        lab.run("workflow", "run", file, "--backend", name).strip() for name in ("farm", "here")
    ]
    lab.run("dispatch", "--until-idle")
    assert [states(lab, run) for run in runs] == [STATES, STATES]
    [shown] = [line for line in lab.run("run", "show", runs[0]).splitlines() if "apart" in line]
    assert any(worker.name in shown.split("\t") for worker in lab.farm.workers)
    far, near = (below(lab.state / "inbox" / run) for run in runs)
    assert far.pop("prepare/said.txt") == f"{NASTY}|init|{runs[0]}"
    assert far.pop("prepare/stdout.log") == f"{NASTY}|init|{runs[0]}"
    del near["prepare/said.txt"], near["prepare/stdout.log"]
    # The words of cat about a file that is not there name the folder.
    assert far["gen.x/stderr.log"] != ""
    assert far == near
    assert far["prepare/out/both.txt"] == "a,b\nx\n"
    assert far["apart/stdout.log"] == "to a file\n"
    assert far["branch.bad/left"] == "1\n"


def test_logs_while_it_runs_then_cancel_and_rerun(lab: Lab) -> None:
    lab.set_up({"backends": BACKENDS})
    command = (
        "cat in.txt; echo oh >&2; mkdir -p out; pwd > out/where\n"
        '[ -e "$HOME/enough" ] || { touch "$HOME/there"; sleep 600; }'
    )
    task = {"id": "long", "command": command, "outputs": ["out/*"], "inputs": ["in.txt"]}
    tasks = [
        {**task, "working_dir": "~/its own"},
        {"id": "then", "command": "true", "deps": ["long"]},
    ]
    (lab.folder / "in.txt").write_text("given\n")
    for worker in lab.farm.workers:
        lab.farm.ssh(worker.name, "mkdir 'its own'")
    with lab.dispatching():
        run = lab.run("workflow", "run", write(lab, tasks)).strip()
        lab.eventually(
            lambda: any((worker.home / "there").exists() for worker in lab.farm.workers),
            within=90,
        )
        assert lab.run("run", "logs", run, "long") == "given\n"
        assert lab.run("run", "logs", run, "long", "--error") == "oh\n"
        lab.run("run", "cancel", run, "--wait")
        assert states(lab, run) == {"long": "cancelled", "then": "cancelled"}
        home = lab.state / "inbox" / run / "long"
        assert (home / "out/where").read_text().endswith("/its own\n")
        for worker in lab.farm.workers:
            (worker.home / "enough").touch()
        lab.run("run", "rerun", run)
        lab.run("run", "watch", run)
    assert set(states(lab, run).values()) == {"completed"}
    assert (home.with_name("long.try1") / "stdout.log").read_text() == "given\n"
    assert (home / "stderr.log").read_text() == "oh\n"
    lab.run("dispatch", "--until-idle")
    for worker in lab.farm.workers:
        left = [path for path in (worker.home / "Inbox").rglob("*") if path.name != ".hopper"]
        assert left == [], f"{worker.name} was not tidied up"
    assert [*(lab.state / "db/packed").iterdir()] == []


def test_a_repository_goes_along_with_the_tasks_that_it_makes(lab: Lab) -> None:
    repo = lab.folder / "repo"
    (repo / "sub").mkdir(parents=True)
    (repo / "tool.sh").write_text("#!/bin/sh\necho tool of $1; pwd > where\n")
    (repo / "tool.sh").chmod(0o755)
    (repo / "sub/data.txt").write_text("data\n")
    tasks = [
        {"id": "top", "command": './tool.sh "$HOPPER_GIT_SHA"', "outputs": ["where"]},
        {"id": "below", "command": "cat data.txt; ls -A ..", "working_dir": "sub"},
    ]
    (repo / "plan.json").write_text(json.dumps(tasks))
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(repo)]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    sha = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    clones = lab.folder / "clones"
    workflow = {"name": "sims", "backend": "farm", "command": "cat plan.json"}
    lab.set_up(
        {
            "backends": [
                {**BACKENDS[0], "clone_dir": str(clones), "work_dir": str(lab.folder / "w")}
            ],
            "workflows": [{**workflow, "git": {"repo": str(repo)}}],
            "sources": [{"name": "lab", "type": "path", "path": str(repo), "backend": "farm",
                         "workflows_glob": "*.json"}],
        }
    )  # fmt: skip
    run = lab.run("workflow", "run", "sims").strip()
    lab.run("dispatch", "--until-idle")
    assert states(lab, run) == {"top": "completed", "below": "completed"}
    home = lab.state / "inbox" / run
    assert (home / "top/stdout.log").read_text() == f"tool of {sha}\n"
    assert (home / "below/stdout.log").read_text().split() == [
        "data", "plan.json", "sub", "tool.sh",
    ]  # fmt: skip
    lab.run("source", "sync")
    assert "lab:plan.json" in lab.run("workflow", "list")
    shown = lab.run("workflow", "dry-run", "lab:plan.json", "--script", "below")
    assert "cat data.txt" in shown
