"""Opens a terminal in a job's folder on its worker, over the inventory's own connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hopper.ansible import runs
from hopper.ansible.content import playbook
from hopper.ansible.runs import AnsibleSettings
from hopper.errors import HopperError
from hopper.remote.quoting import call, quote

PATIENCE = 60.0
"""Seconds that Ansible may take to say how the worker is reached."""
CLEANED = 66
"""Exit code where the folder is not there any more."""


def login_words(settings: AnsibleSettings, worker: str, folder: Path) -> list[str]:
    """Return the local command by which a worker is reached; empty when it is this machine.

    ``folder`` is where the run's folder is made. HopperError where Ansible cannot tell.
    """
    run_folder = runs.new_folder(folder)
    report = run_folder / "terminal.jsonl"
    extravars: dict[str, object] = {"hopper_hosts": [worker], "terminal_report": str(report)}
    run = runs.start(run_folder, playbook("terminal"), extravars, settings)
    try:
        if not run.wait(PATIENCE):
            run.kill()
        if not report.is_file():
            raise HopperError(f"Ansible does not say how {worker} is reached: {run.said()}")
        said = json.loads(report.read_text("utf-8"))
        if "words" not in said:
            raise HopperError(f"{worker}: {said.get('msg', 'no terminal there')}")
        return [str(word) for word in said["words"]]
    finally:
        run.remove()


def in_folder(inbox: str, name: str, attempt: str, unpack_dirname: str, shell: str = "") -> str:
    """Return the shell line that opens a shell in an attempt's folder on its worker.

    The folder is ``INBOX/NAME/UNPACK`` while it is the attempt's, else where it was set aside.
    ``shell`` is the shell to open; else the user's own there. The line ends with CLEANED where
    there is neither. ``~`` in the inbox is expanded on the worker.
    """
    opened = quote(shell) if shell else '"${SHELL:-/bin/sh}"'
    aside = f"$inbox/.hopper/{quote(attempt)}/unpacked/{quote(unpack_dirname)}"
    script = "\n".join(
        [
            f"inbox={_expandable(inbox)}",
            "owner=",
            f'mark="$inbox"/{quote(name)}/.hopper-attempt',
            '[ ! -r "$mark" ] || read -r owner <"$mark"',
            f"work=$inbox/{quote(name)}/{quote(unpack_dirname)}",
            f'[ "$owner" = {quote(attempt)} ] || work={aside}',
            'cd "$work" 2>/dev/null || {',
            f"  echo 'hopper: the folder of this attempt was cleaned away' >&2; exit {CLEANED}",
            "}",
            f"exec {opened}",
        ]
    )
    return call("exec sh", ["-c", script])


def in_working_dir(folder: str, shell: str = "") -> str:
    """Return the shell line that opens a shell in a folder of a login node.

    ``shell`` as above. Where there is no such folder it opens at home, and says so.
    """
    opened = quote(shell) if shell else '"${SHELL:-/bin/sh}"'
    said = quote(f"hopper: there is no folder {folder}; this is your home")
    script = "\n".join(
        [
            f"cd {_expandable(folder)} 2>/dev/null || {{ echo {said} >&2; cd; }}",
            f"exec {opened}",
        ]
    )
    return call("exec sh", ["-c", script])


def command(words: Sequence[str], line: str) -> list[str]:
    """Return the local command that runs a shell line where the words lead to."""
    return [*words, line] if words else ["/bin/sh", "-c", line]


def _expandable(path: str) -> str:
    """Return a path as shell text in which a leading ``~/`` means the home there."""
    if path == "~" or path.startswith("~/"):
        return f'"$HOME"{quote(path[1:]) if path[1:] else ""}'
    return quote(path)
