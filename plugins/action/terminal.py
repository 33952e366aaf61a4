"""Tell how a terminal is opened on a host."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import (
    REPORT,
    HostAction,
)

from hopper.remote.connections import AnsibleTransport


def _words(
    transport: AnsibleTransport, arguments: dict[str, Any], *, check: bool
) -> dict[str, Any]:
    del arguments, check
    return {"changed": False, "words": transport.login_words()}


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/terminal.py."""

    ACT = staticmethod(_words)
    OPTIONS: ClassVar[dict[str, Any]] = REPORT
