"""Carry out orders on many hosts in one task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from hopper.errors import TransportError
from hopper.remote.connections import AnsibleTransport, open_connection, route
from hopper.remote.fanout import Fanout
from hopper.remote.transport import Transport


class ActionModule(ActionBase):  # type: ignore[misc]
    """One task for all hosts: a fork and a result for each would cost far more."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(
        {
            "orders",
            "results",
            "doorbell",
            "notify",
            "threads",
            "connect_timeout",
            "transfer_mode",
        }
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Any:
        """Run until the orders have ended; the result holds counts only."""
        super().run(tmp, task_vars)
        arguments = self._task.args
        hostvars = (task_vars or {})["hostvars"]
        timeout = int(arguments.get("connect_timeout", 10))
        mode = str(arguments.get("transfer_mode", "scp"))
        known: dict[str, tuple[Transport, str]] = {}

        def connect(host: str) -> tuple[Transport, str]:
            if host not in known:
                if host not in hostvars:
                    raise TransportError(f"{host} is not in the inventory", delivered=False)
                settings = hostvars[host]
                connection = open_connection(host, settings, timeout=timeout)
                transport = AnsibleTransport(connection, transfer_mode=mode)
                known[host] = (transport, route(host, settings))
            return known[host]

        fanout = Fanout(
            connect=connect,
            orders=Path(arguments["orders"]),
            results=Path(arguments["results"]),
            doorbell=_path(arguments.get("doorbell")),
            notify=_path(arguments.get("notify")),
            threads=int(arguments.get("threads", 32)),
        )
        fanout.run()
        return {
            "changed": fanout.carried_out > 0,
            "carried_out": fanout.carried_out,
            "unreachable_hosts": fanout.unreachable,
        }


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
