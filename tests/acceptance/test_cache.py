"""Tasks that take the results of equal ones, on this machine as a backend, by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.person import LocalPerson

pytestmark = pytest.mark.ansible


@pytest.fixture
def person(tmp_path: Path) -> LocalPerson:
    return LocalPerson(tmp_path)


def flow(work: str) -> list[dict[str, Any]]:
    """Three tasks, one of them written by another; each counts its runs."""
    child = json.dumps([{"id": "child", "command": "echo c >> runs; echo kid", "cache": True,
                         "working_dir": work}])  # fmt: skip
    return [
        {
            "id": "make",
            "command": "echo m >> runs; cat words.txt; head -c 90000 /dev/zero > big.bin\n"
            f"printf '%s' '{child}' > more.json",
            "working_dir": work,
            "inputs": ["words.txt"],
            "outputs": ["*.bin"],
            "generates_source": "more.json",
            "cache": True,
        },
        {
            "id": "use",
            "command": "echo u >> runs; wc -c < big.bin",
            "deps": ["make"],
            "working_dir": work,
            "cache": True,
        },
    ]


@pytest.mark.soak
def test_equal_tasks_run_once(person: LocalPerson) -> None:
    work = person.there / "work"
    work.mkdir()
    (person.folder / "words.txt").write_text("hello\n")
    file = person.tasks("flow.json", flow(str(work)))

    def runs() -> str:
        return "".join(sorted((work / "runs").read_text().split()))

    def run(*options: str) -> dict[str, Any]:
        made = person.hopper("workflow", "run", file, *options).strip()
        person.dispatch()
        shown: dict[str, Any] = person.json("run", "show", made)
        assert shown["counts"] == {"completed": 3}
        return shown

    first = run()
    assert (runs(), first["taken"]) == ("cmu", 0)
    second = run()
    assert (runs(), second["taken"]) == ("cmu", 3)
    old = {item["task"]: item for item in first["items"]}
    for item in second["items"]:
        assert item["taken_from"]["job"] == old[item["task"]]["job"]
        assert (item["native_id"], item["cpu_hours"], item["exit_code"]) == (None, None, 0)
    inbox = person.folder / "state/inbox"
    assert (inbox / second["id"] / "make/big.bin").stat().st_size == 90_000
    assert person.hopper("run", "logs", second["id"], "make") == "hello\n"
    assert person.hopper("run", "logs", second["id"], "child") == "kid\n"
    assert "3 by results of equal tasks" in person.hopper("run", "show", second["id"])
    job = next(item["job"] for item in second["items"] if item["task"] == "use")
    assert f"{old['use']['job']} of {first['id']}" in person.hopper("show", job)

    # What was taken is the taker's own.
    person.hopper("run", "delete", first["id"], "--results", "--yes")
    assert person.hopper("run", "logs", second["id"], "use").strip() == "90000"
    assert run()["taken"] == 3
    assert run("--no-cache")["taken"] == 0
    assert runs() == "ccmmuu"

    (person.folder / "words.txt").write_text("other\n")
    assert run()["taken"] == 1, "the child is the same, what comes after the changed one is not"
    assert runs() == "ccmmmuuu"


def test_an_input_that_changed_before_the_task_was_sent_is_refused(person: LocalPerson) -> None:
    work = person.there / "work"
    work.mkdir()
    (person.folder / "words.txt").write_text("hello\n")
    made = person.hopper("workflow", "run", person.tasks("f.json", flow(str(work)))).strip()
    (person.folder / "words.txt").write_text("other\n")
    person.dispatch()
    [make, _] = person.json("run", "show", made)["items"]
    assert make["state"] == "failed"
    assert "has changed since the run was made; run the workflow anew" in make["reason"]
    assert not (work / "runs").exists()
