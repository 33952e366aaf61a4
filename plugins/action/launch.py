"""Send a zip to a worker and start it."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    TRANSFER,
    HostAction,
)

from hopper.remote import adhoc


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/launch.py."""

    ACT = staticmethod(adhoc.launch)
    OPTIONS: ClassVar[dict[str, Any]] = {
        **FOLDERS,
        **TRANSFER,
        "zip": {"type": "path", "required": True},
        "job_id": {"type": "str"},
        "attempt": {"type": "str"},
        "command": {"type": "str"},
        "env": {"type": "dict", "default": {}},
        "time_limit": {"type": "int", "default": 0},
        "slots": {"type": "int", "default": 1},
        "unpack_dirname": {"type": "str", "default": "job"},
    }
