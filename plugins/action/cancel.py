"""End an attempt on a worker."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    HostAction,
)

from hopper.remote import adhoc


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/cancel.py."""

    ACT = staticmethod(adhoc.cancel)
    OPTIONS: ClassVar[dict[str, Any]] = {
        **FOLDERS,
        "attempt": {"type": "str", "required": True},
        "job_id": {"type": "str", "required": True},
        "grace": {"type": "int", "default": 10},
    }
