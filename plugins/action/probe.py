"""Look whether a host can be a worker."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    FOLDERS,
    REPORT,
    HostAction,
)

from hopper.remote import adhoc_readiness


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/probe.py."""

    ACT = staticmethod(adhoc_readiness.probe)
    OPTIONS: ClassVar[dict[str, Any]] = {**FOLDERS, **REPORT}
