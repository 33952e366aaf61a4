"""Runs of workflows on this machine as a backend, by the command line alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import study, zips_anywhere
from tests.acceptance.person import SECONDS, LocalPerson
from tests.conftest import Eventually

pytestmark = pytest.mark.ansible

NASTY = 'it\'s "x" $(id) `id` \\ $HOME ; # é *\n! EOF\tend'


@pytest.fixture
def person(tmp_path: Path) -> LocalPerson:
    return LocalPerson(tmp_path)


ENVIRONMENTS = [
    {"name": "lab", "variables": {"COLOUR": NASTY}, "extra_init": "FROM_EXTRA=$FROM_INIT-extra"}
]


def pipeline(folder: Path) -> dict[str, Any]:
    work = str(folder / "there" / "o'work $x")
    Path(work).mkdir(exist_ok=True)
    return {
        "description": "fits and a summary",
        "max_concurrent": 3,
        "tasks": [
            {
                "id": "prepare.data",
                "command": 'printf \'%s|%s\' "$COLOUR" "$FROM_EXTRA"; echo words >&2\n'
                "seq 5 > data.txt; printf '%s' \"$HOPPER_RUN_ID\" > run.txt",
                "environment": "lab",
                "working_dir": work,
                "outputs": ["data.txt", "*.none"],
            },
            {
                "id": "fit.one",
                "command": "wc -l < data.txt",
                "deps": ["prepare.*"],
                "working_dir": work,
            },
            {
                "id": "fit.two",
                "command": "echo before; test -e mended || exit 7; echo after",
                "deps": ["prepare.*"],
                "working_dir": work,
                "retries": 0,
            },
            {
                "id": "summary",
                "command": "echo '# Fits' > \"$HOPPER_OUTPUT_DIR/summary.md\"; echo all",
                "deps": ["fit.*"],
                "working_dir": work,
            },
            {"id": "alone", "command": "echo alone", "deps": ["fit.[o]ne"], "working_dir": work},
        ],
    }


def test_a_workflow_file_from_dry_run_to_the_mended_rerun(person: LocalPerson) -> None:
    person.config({"environments": ENVIRONMENTS})
    file = person.tasks("fits.json", pipeline(person.folder))
    dry = person.json("workflow", "dry-run", file)
    assert [task["deps"] for task in dry["tasks"]] == [
        [],
        ["prepare.data"],
        ["prepare.data"],
        ["fit.one", "fit.two"],
        ["fit.one"],
    ]
    assert person.json("run", "list") == [], "a dry run leaves nothing"
    before = person.hopper("workflow", "dry-run", file, "--script", "prepare.data")

    run = person.hopper("workflow", "run", file).strip()
    shown = person.hopper("run", "script", run, "prepare.data")
    assert "attempt000" in shown
    person.dispatch()
    assert person.states(run) == {
        "prepare.data": "completed",
        "fit.one": "completed",
        "fit.two": "failed",
        "summary": "dep_failed",
        "alone": "completed",
    }
    watched = person.call("run", "watch", run, code=1)
    assert "fit\t1/2\t1 completed\t1 failed" in watched.stdout
    assert f"{run}: failed" in watched.stdout
    assert "fit.two failed: exit code 7" in watched.stderr

    assert person.hopper("run", "logs", run, "prepare.data") == f"{NASTY}|backend-extra"
    assert person.hopper("run", "logs", run, "prepare.data", "--error") == "words\n"
    assert person.hopper("run", "logs", run, "fit.one").strip() == "5"
    assert person.hopper("run", "logs", run, "fit.two", "--tail", "1") == "before\n"

    submitted = person.hopper("run", "script", run, "prepare.data")
    manifest = json.loads(person.hopper("run", "manifest", run))
    attempt = manifest["tasks"][0]["attempts"][0]["id"]
    assert submitted == shown.replace("attempt000", attempt)
    # A run of its own has another id and another job.
    assert len(before.splitlines()) == len(submitted.splitlines())

    (person.there / "o'work $x" / "mended").touch()
    answer = person.json("run", "rerun", "--failed", run)
    assert sorted(job.rpartition("-")[0] for job in answer["done"]) == ["fit-two", "summary"]
    person.dispatch()
    assert set(person.states(run).values()) == {"completed"}
    assert person.call("run", "watch", run).stdout.splitlines()[-1] == f"{run}: completed"
    assert person.hopper("run", "logs", run, "fit.two") == "before\nafter\n"
    assert person.hopper("run", "logs", run, "fit.two", "--attempt", "1") == "before\n"

    inbox = person.folder / "state/inbox" / run
    assert (inbox / "prepare.data/data.txt").read_text() == "1\n2\n3\n4\n5\n"
    assert (inbox / "summary/summary.md").read_text() == "# Fits\n"


def test_the_manifest_has_what_a_run_was(person: LocalPerson) -> None:
    person.config({"environments": ENVIRONMENTS})
    run = person.hopper("workflow", "run", person.tasks("f.json", pipeline(person.folder))).strip()
    person.dispatch()
    manifest = json.loads(person.hopper("run", "manifest", run))
    tasks = {task["task"]["id"]: task for task in manifest["tasks"]}
    [first] = tasks["prepare.data"]["attempts"]
    assert (first["outcome"], first["exit_code"], first["worker"]) == ("completed", 0, "here")
    assert tasks["fit.two"]["attempts"][0]["exit_code"] == 7
    assert tasks["summary"]["attempts"] == []
    assert tasks["prepare.data"]["task"]["variables"]["COLOUR"] == NASTY
    digest = hashlib.sha256(b"1\n2\n3\n4\n5\n").hexdigest()
    files = {Path(file["name"]).name: file["sha256"] for file in first["results"]}
    assert files["data.txt"] == digest
    assert manifest["state"] == "failed"


def test_cancel_and_delete(person: LocalPerson, eventually: Eventually) -> None:
    mark = person.there / "running"
    tasks = [
        {"id": "long", "command": f"echo here; touch {mark}; sleep 600 & wait"},
        {"id": "then", "command": "true", "deps": ["long"]},
    ]
    with person.dispatching():
        run = person.hopper("workflow", "run", person.tasks("long.json", tasks)).strip()
        eventually(mark.exists, within=SECONDS)
        assert person.hopper("run", "logs", run, "long") == "here\n"
        eventually(lambda: person.states(run)["long"] == "running")
        listed = person.json("run", "list", "--active")
        assert [(one["id"], one["state"]) for one in listed] == [(run, "running")]
        assert "have not ended" in person.refused("run", "delete", run, "--yes")
        person.hopper("run", "cancel", run, "--wait")
        assert person.states(run) == {"long": "cancelled", "then": "cancelled"}
    assert person.json("run", "list")[0]["state"] == "cancelled"
    assert "delete" in person.refused("run", "delete", run)
    folder = person.folder / "state/inbox" / run
    assert folder.is_dir()
    person.hopper("run", "delete", run, "--results", "--yes")
    assert person.json("run", "list") == []
    assert person.json("jobs") == []
    assert not folder.exists()
    assert "no run" in person.refused("run", "show", run)


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


GENERATOR = """\
import json
print(json.dumps({"tasks": [
    {"id": f"sim.{n}", "command": f"pwd; cat seed.txt; git rev-parse HEAD; echo {n}"}
    for n in range(3)
] + [{"id": "sub", "command": "pwd", "working_dir": "deep/er", "deps": ["sim.*"]}]}))
"""


@pytest.fixture
def repository(person: LocalPerson) -> Path:
    folder = person.folder / "the repo's"
    (folder / "deep/er").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "generate.py").write_text(GENERATOR)
    (folder / "seed.txt").write_text("42\n")
    more = [{"id": "two", "command": "cat seed.txt", "working_dir": "."}]
    plan = [
        {
            "id": "one",
            "command": f"cat seed.txt; echo '{json.dumps(more)}' >more.json",
            "working_dir": ".",
            "generates_source": "more.json",
        }
    ]
    (folder / "deep/er/plan.hut.json").write_text(json.dumps(plan))
    (folder / "deep/er/other.json").write_text("[]")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_a_workflow_of_a_repository_generates_its_tasks(
    person: LocalPerson, repository: Path
) -> None:
    clone = {"repo": str(repository), "branch": "trunk", "postclone": "echo 43 > seed.txt"}
    command = f"{sys.executable} generate.py"
    flow = {"name": "sims", "backend": "here", "command": command, "git": clone}
    person.config({"workflows": [flow]})
    [listed] = person.json("workflow", "list")
    assert (listed["name"], listed["kind"], listed["last_run"]) == ("sims", "command", None)
    made = person.json("workflow", "run", "sims")
    sha = git(repository, "rev-parse", "HEAD")
    assert made["git"]["sha"] == sha
    person.dispatch()
    run = made["run"]
    assert set(person.states(run).values()) == {"completed"}
    folder = person.there / "clones" / sha
    assert person.hopper("run", "logs", run, "sim.2") == f"{folder}\n43\n{sha}\n2\n"
    assert person.hopper("run", "logs", run, "sub") == f"{folder}/deep/er\n"
    assert person.json("workflow", "list")[0]["last_run"] == run
    info = person.json("backend", "info", "here")
    assert info["clones"] == 1
    assert info["clone_bytes"] > 0


def test_sources_of_both_kinds(person: LocalPerson, repository: Path) -> None:
    more = {"backend": "here", "workflows_glob": "**/*.hut.json"}
    person.config(
        {
            "sources": [
                {"name": "tree", "type": "path", "path": str(repository), **more},
                {"name": "repo", "type": "git", "url": str(repository), "branch": "trunk", **more},
                {"name": "gone", "type": "path", "path": "/no/where", **more},
            ]
        }
    )
    assert [one["synced_at"] for one in person.json("source", "list")] == [None, None, None]
    synced = {one["name"]: one for one in person.json("source", "sync", code=1)}
    assert synced["tree"]["files"] == synced["repo"]["files"] == ["deep/er/plan.hut.json"]
    assert synced["repo"]["sha"] == git(repository, "rev-parse", "HEAD")
    assert "/no/where" in synced["gone"]["error"]
    files = person.json("source", "workflows", "tree", "repo")
    assert [one["workflow"] for one in files] == [
        "tree:deep/er/plan.hut.json",
        "repo:deep/er/plan.hut.json",
    ]
    runs = [person.hopper("workflow", "run", one["workflow"]).strip() for one in files]
    person.dispatch()
    for run in runs:
        assert person.hopper("run", "logs", run, "one") == "42\n"
        # What a task adds runs beside it.
        assert person.hopper("run", "logs", run, "two") == "42\n"
    assert "no file" in person.refused("workflow", "run", "tree:deep/absent.json", code=1)


def test_a_workflow_of_a_repository_runs_as_anywhere(person: LocalPerson) -> None:
    repository = str(person.folder / "repository")
    study.make(lambda text: subprocess.run(["sh", "-c", text], check=True), repository)
    person.config(study.source(repository, "here"))
    run = person.hopper("workflow", "run", "lab:flows/study.json").strip()
    person.dispatch()
    study.check(person.hopper, run, person.folder / "state" / "inbox")


def test_hostile_names_and_values_print_what_they_should(person: LocalPerson) -> None:
    tasks = [
        {
            "id": f"odd.{number}",
            "name": text,
            "command": "printf '%s' \"$VALUE\"",
            "env_vars": {"VALUE": text},
        }
        for number, text in enumerate(
            [NASTY, "'; touch pwned; '", "$(touch pwned)", "-n", "\\", "--", "a\n#SBATCH x\nEOF"]
        )
    ]
    tasks.append(
        {"id": "odd.command", "command": "cat <<'EOF'\n$(x) `y`\nEOF\nprintf \"%s\" 'é\"'"}
    )
    run = person.hopper("workflow", "run", person.tasks("odd.json", tasks)).strip()
    person.dispatch()
    assert set(person.states(run).values()) == {"completed"}
    for task in tasks[:-1]:
        said = person.hopper("run", "logs", run, str(task["id"]))
        assert said == task["env_vars"]["VALUE"]  # type: ignore[index]
    assert person.hopper("run", "logs", run, "odd.command") == '$(x) `y`\né"'
    assert not list(person.folder.rglob("pwned"))
    for line in person.hopper("run", "show", run).splitlines():
        assert line.isprintable() or "\t" in line


def test_what_cannot_be_is_said_in_one_line(person: LocalPerson) -> None:
    bad = person.tasks("bad.json", [{"id": "a", "command": "x", "deps": ["nobody"]}])
    said = person.refused("workflow", "run", bad)
    assert "bad.json" in said
    assert "nobody" in said
    assert "task a" in said
    assert "sims" in person.refused("workflow", "run", "sims")
    assert "elsewhere" in person.refused("workflow", "run", bad, "--backend", "elsewhere")
    assert "no tasks" in person.refused("workflow", "run", person.tasks("none.json", []))
    assert person.json("run", "list") == []


def test_the_backend_is_looked_at_and_paused(person: LocalPerson) -> None:
    [check] = person.json("backend", "check")
    assert (check["ok"], check["missing"], check["error"]) == (True, [], None)
    person.hopper("backend", "pause", "here")
    run = person.hopper("workflow", "run", person.tasks("t.json", [{"id": "t", "command": ":"}]))
    person.dispatch()
    assert person.states(run.strip()) == {"t": "pending"}
    [backend] = person.json("backend", "list")
    assert (backend["state"], backend["counts"]) == ("paused", {"pending": 1})
    [job] = person.json("jobs")
    assert "paused" in person.hopper("explain", job["id"])
    person.hopper("backend", "resume", "here")
    person.dispatch()
    assert person.states(run.strip()) == {"t": "completed"}
    status = person.json("status")
    assert [one["id"] for one in status["runs"]] == [run.strip()]
    assert status["backends"][0]["state"] == "ready"
    assert status["workers"] == []


def test_zips_go_to_this_machine_as_to_workers(person: LocalPerson) -> None:
    jobs = zips_anywhere.hand_in(person.folder, person.hopper, "here")
    person.dispatch()
    zips_anywhere.check(person.folder, person.hopper, jobs, "here")
    work = person.there / "work dir"
    kept = [path.name for path in work.iterdir() if not path.name.startswith(".")]
    assert len(kept) == 1, "all but what has failed is cleaned away"
