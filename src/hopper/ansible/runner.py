"""Runs one playbook through ansible-runner, in a process of its own.

``python -m hopper.ansible.runner RUN_FOLDER`` reads ``run.json`` there, written by
``hopper.ansible.runs``, and ends when the playbook has, or when its parent is gone: who was
to read the results is no more. This is the only module that imports ansible_runner.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import ansible_runner

CANCEL_CHECK = 0.2
"""Seconds between looks at whether to cancel; ansible-runner's own 5 would hold up an end."""


def main(arguments: list[str]) -> int:
    """Run the playbook of a run folder; 0 when ansible-playbook ended well."""
    folder = Path(arguments[0])
    wanted: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
    parent = os.getppid()
    cancel = folder / "cancel"

    def to_be_cancelled() -> bool:
        return os.getppid() != parent or cancel.exists()

    result = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=wanted["playbook"],
        inventory=wanted["inventory"],
        extravars=wanted["extravars"],
        envvars=wanted["environment"],
        settings={"pexpect_timeout": CANCEL_CHECK, "suppress_env_files": True},
        ident="run",
        quiet=True,
        json_mode=False,
        event_handler=lambda _: False,
        cancel_callback=to_be_cancelled,
    )
    return int(result.rc or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
