"""Read the log of an attempt."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    HostAction,
)

from hopper.remote import adhoc


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/fetch_log.py."""

    ACT = staticmethod(adhoc.fetch_log)
    OPTIONS: ClassVar[dict[str, Any]] = {
        **FOLDERS,
        "attempt": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "limit": {"type": "int", "default": 100_000_000},
    }
