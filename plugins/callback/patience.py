"""Lets a playbook run that waits for long do so without using the processor."""

from __future__ import annotations

from ansible import constants
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: patience
type: aggregate
short_description: waits calmly for long tasks
version_added: "0.1.0"
author: The hopper developers
description:
  - Ansible's strategies look for a task's result a thousand times a second, which takes 5 % of
    a core for as long as a sweep lingers. With this callback enabled they look twenty times.
  - The setting has no environment variable, and a configuration file of our own would hide the
    user's.
"""

constants.DEFAULT_INTERNAL_POLL_INTERVAL = 0.05


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Does nothing by itself; importing it is what counts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "hopper.dispatch.patience"
    CALLBACK_NEEDS_ENABLED = True
