"""One workflow in a git repository that is to run alike on every backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hopper.remote.quoting import quote

WORD = 'it\'s "x" $(id) `id` \\ é'
ENVIRONMENT = {"name": "py", "variables": {"WORD": WORD}, "extra_init": "export INIT=done"}
FOLDER = "odd $(id) 'dir"
_COPY = 'cat seed.txt > "$OUT"; printf "%s %s" "$WORD" "$INIT"'
_MORE = [
    *(
        {"id": f"gen.{n}", "name": f"$(id) '{n}'", "command": _COPY, "environment": "py",
         "working_dir": FOLDER, "env_vars": {"OUT": f"out {n}"}, "outputs": [f"out {n}"]}
        for n in (1, 2)
    ),
    {"id": "sum", "deps": ["gen.*"], "working_dir": FOLDER,
     "command": "cat out* | wc -l | tr -d ' ' > \"$HOPPER_OUTPUT_DIR/sum.txt\""},
]  # fmt: skip
_TASKS = [
    {"id": "plan", "command": "cat more.json > made.json", "working_dir": ".",
     "generates_source": "made.json"},
    {"id": "sim.good", "deps": ["plan"],
     "command": "cat <<'EOF'\n$(id) `id`\nEOF\necho '# A' > \"$HOPPER_OUTPUT_DIR/summary.md\""},
    {"id": "sim.bad", "command": "echo wrong >&2; exit 3", "deps": ["plan"]},
    {"id": "end", "command": "true", "deps": ["sim.*"]},
]  # fmt: skip
FILES = {
    "flows/study.json": json.dumps({"tasks": _TASKS}),
    "more.json": json.dumps({"tasks": _MORE}),
    f"{FOLDER}/seed.txt": "a\nb\n",
}
STATES = {
    "plan": "completed",
    "sim.good": "completed",
    "sim.bad": "failed",
    "end": "dep_failed",
    "gen.1": "completed",
    "gen.2": "completed",
    "sum": "completed",
}

SUBMITTED = 6
"""How many of them ever ran."""


def make(shell: Callable[[str], Any], folder: str) -> None:
    """Make the repository where the shell is."""
    lines = [f"mkdir -p {quote(folder)} && cd {quote(folder)} && git init -q -b main"]
    for name, text in FILES.items():
        path = quote(name)
        lines.append(f'mkdir -p "$(dirname {path})" && printf %s {quote(text)} > {path}')
    who = "-c user.name=x -c user.email=x@example.org"
    lines.append(f"git add . && git {who} commit -q -m first")
    shell(" && ".join(lines))


def source(repository: str, backend: str) -> dict[str, Any]:
    """Return the config of a source that holds the workflow."""
    return {
        "sources": [
            {"name": "lab", "type": "git", "url": repository, "branch": "main",
             "backend": backend, "workflows_glob": "flows/*.json"}
        ],
        "environments": [ENVIRONMENT],
    }  # fmt: skip


def check(hopper: Callable[..., str], run: str, home: Any) -> None:
    """See that the run has ended as it should, with its logs and results at home."""
    items = json.loads(hopper("run", "show", run, "--json"))["items"]
    assert {item["task"]: item["state"] for item in items} == STATES
    assert hopper("run", "logs", run, "gen.2") == f"{WORD} done"
    assert hopper("run", "logs", run, "sim.good") == "$(id) `id`\n"
    assert hopper("run", "logs", run, "sim.bad", "--error") == "wrong\n"
    assert next(item for item in items if item["task"] == "sim.bad")["exit_code"] == 3
    folder = home / run
    assert (folder / "sim.good" / "summary.md").read_text() == "# A\n"
    assert (folder / "gen.1" / "out 1").read_text() == "a\nb\n"
    assert (folder / "sum" / "sum.txt").read_text() == "4\n"
