"""Write down the workers of the inventory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

WANTED = ("ansible_host", "ansible_user", "ansible_port", "ansible_connection")
PREFIX = "hopper_"


class ActionModule(ActionBase):  # type: ignore[misc]
    """See plugins/modules/workers.py."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Any:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "group": {"type": "str", "default": "hopper_workers"},
                "dest": {"type": "path", "required": True},
            }
        )
        variables = task_vars or {}
        hosts = variables["groups"].get(arguments["group"], [])
        roster = {str(host): _host(variables["hostvars"][host]) for host in hosts}
        changed = _write(Path(arguments["dest"]), json.dumps(roster))
        return {**result, "changed": changed, "hosts": len(roster)}


def _host(hostvars: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in hostvars:
        if name not in WANTED and not name.startswith(PREFIX):
            continue
        try:
            values[str(name)] = _plain(hostvars[name])
        except (AnsibleError, ValueError) as error:
            return {"variables": {}, "variable": str(name), "error": " ".join(str(error).split())}
    return {"variables": values}


def _plain(value: Any) -> Any:
    """Return JSON values; ValueError for a template that is left as it stands (up to 2.18)."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if "{{" in text:
        raise ValueError(f"a variable in it is undefined: {text}")
    return text


def _write(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    beside = path.with_name(path.name + ".part")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
    return True
