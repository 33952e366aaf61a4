"""Make a worker's Inbox and Outbox."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    REPORT,
    HostAction,
)

from hopper.remote import adhoc_readiness


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/setup_inbox.py."""

    ACT = staticmethod(adhoc_readiness.setup_inbox)
    OPTIONS: ClassVar[dict[str, Any]] = {**FOLDERS, **REPORT}
