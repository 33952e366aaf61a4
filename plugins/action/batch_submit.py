"""Submit a command to a batch system."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.hopper.dispatch.plugins.plugin_utils.batch_action import (
    SYSTEM,
    TASK,
    submission_of,
    system_of,
)
from ansible_collections.hopper.dispatch.plugins.plugin_utils.host_action import HostAction

from hopper.remote import adhoc_batch
from hopper.remote.transport import Transport


def _submit(transport: Transport, arguments: dict[str, Any], *, check: bool) -> dict[str, Any]:
    system = system_of(arguments)
    submission = submission_of(system, arguments)
    return adhoc_batch.submit(transport, system, arguments, submission, check=check)


class ActionModule(HostAction):  # type: ignore[misc]
    """See plugins/modules/batch_submit.py."""

    ACT = staticmethod(_submit)
    OPTIONS: ClassVar[dict[str, Any]] = {**SYSTEM, **TASK}
