"""Make a worker's Inbox and Outbox."""

from __future__ import annotations

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    HostAction,
)

from hopper.remote import adhoc


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/setup_inbox.py."""

    ACT = staticmethod(adhoc.setup_inbox)
    OPTIONS = FOLDERS
