"""Bring home what an attempt left on a worker."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    TRANSFER,
    HostAction,
)

from hopper.remote import adhoc


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/collect.py."""

    ACT = staticmethod(adhoc.collect)
    OPTIONS: ClassVar[dict[str, Any]] = {
        **FOLDERS,
        **TRANSFER,
        "attempt": {"type": "str", "required": True},
        "job_id": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "globs": {"type": "list", "elements": "str", "default": ["results"]},
        "unpack_dirname": {"type": "str", "default": "job"},
        "log_limit": {"type": "int", "default": 100_000_000},
        "clean": {"type": "bool", "default": False},
    }
