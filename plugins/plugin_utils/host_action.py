"""What the actions on one host have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from hopper.errors import HopperError
from hopper.remote.connections import AnsibleTransport

FOLDERS: dict[str, Any] = {
    "inbox": {"type": "str", "default": "~/Inbox"},
    "outbox": {"type": "str", "default": "~/Outbox"},
}
TRANSFER: dict[str, Any] = {
    "transfer_mode": {
        "type": "str",
        "choices": ["scp", "piped", "rsync"],
        "default": "scp",
    },
}
REPORT: dict[str, Any] = {"report": {"type": "path"}}


class HostAction(ActionBase):  # type: ignore[misc]
    """Runs one act of ``hopper.remote.adhoc…`` over the task's own connection.

    Nothing is copied to the host to do so, and the host needs no Python.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    ACT: Callable[..., dict[str, Any]]
    OPTIONS: dict[str, Any]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Any:
        result = super().run(tmp, task_vars)
        if self._becomes():
            return {
                **result,
                "failed": True,
                "msg": "become is not supported: jobs run as the user that ssh logs in; "
                "set ansible_user and leave become out",
            }
        _, arguments = self.validate_argument_spec(self.OPTIONS)
        mode = arguments.get("transfer_mode", "scp")
        arguments["host"] = (task_vars or {}).get("inventory_hostname", "")
        transport = AnsibleTransport(self._connection, transfer_mode=mode)
        try:
            outcome = type(self).ACT(transport, arguments, check=self._task.check_mode)
        except (HopperError, OSError) as error:
            outcome = {"failed": True, "changed": False, "msg": str(error)}
        if arguments.get("report"):
            append(arguments["report"], {"host": arguments["host"], **outcome})
        return {**result, **outcome}

    def _becomes(self) -> bool:
        return bool(
            self._task.become
            or self._play_context.become
            or getattr(self._connection, "become", None)
        )


def append(path: str, document: Mapping[str, Any]) -> None:
    """Add a JSON line to a file at home; hosts in other processes add theirs meanwhile."""
    line = json.dumps(document, default=str) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode("utf-8", "backslashreplace"))
    finally:
        os.close(descriptor)
