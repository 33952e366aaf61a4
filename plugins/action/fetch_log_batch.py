"""Read the output of an attempt on a batch system."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.batch_action import (
    WORK_DIR,
)
from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import HostAction

from hopper.remote import adhoc_batch


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/fetch_log_batch.py."""

    ACT = staticmethod(adhoc_batch.fetch_log)
    OPTIONS: ClassVar[dict[str, Any]] = {
        **WORK_DIR,
        "attempt": {"type": "str", "required": True},
        "dest": {"type": "path", "required": True},
        "stream": {"type": "str", "choices": ["out", "err"], "default": "out"},
        "file": {"type": "str", "default": ""},
        "working_dir": {"type": "str", "default": "~"},
        "limit": {"type": "int", "default": 100_000_000},
    }
