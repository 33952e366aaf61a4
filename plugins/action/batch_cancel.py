"""End jobs on a batch system."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.batch_action import (
    JOBS,
    SYSTEM,
    system_of,
)
from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import HostAction

from hopper.remote import adhoc_batch
from hopper.remote.transport import Transport


def _cancel(transport: Transport, arguments: dict[str, Any], *, check: bool) -> dict[str, Any]:
    system = system_of(arguments)
    return adhoc_batch.cancel(transport, system, arguments, check=check)


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/batch_cancel.py."""

    ACT = staticmethod(_cancel)
    OPTIONS: ClassVar[dict[str, Any]] = {
        **SYSTEM,
        **JOBS,
        "grace": {"type": "int", "default": 10},
        "wait": {"type": "int", "default": 60},
    }
