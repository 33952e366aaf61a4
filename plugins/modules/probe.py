"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Looks whether a host can be a worker
version_added: 0.1.0
description:
  - Tells of a host whether it can be reached, has its Inbox and Outbox, may write to them, has
    an unpacker, C(tar) and a SHA-256 tool, how much room it has, how far its clock is off, and
    which zips its Inbox holds.
  - Changes nothing.
extends_documentation_fragment:
  - hopper.dispatch.worker
  - hopper.dispatch.worker.readiness
"""

EXAMPLES = r"""
- name: Look at the workers
  hopper.dispatch.probe:
    inbox: ~/Inbox
    outbox: ~/Outbox
"""

RETURN = r"""
ready:
  description: True when nothing that a worker needs is missing.
  returned: when the host could be reached
  type: bool
missing:
  description: What is missing, in words.
  returned: when the host could be reached
  type: list
  elements: str
advice:
  description: What would be better there but is not needed.
  returned: when the host could be reached
  type: list
  elements: str
made:
  description: Folders that were made.
  returned: when the host could be reached
  type: list
  elements: str
summary:
  description: The same in a few lines for people.
  returned: when the host could be reached
  type: list
  elements: str
inbox:
  description: Path of the Inbox, whether it existed, exists and is writable.
  returned: when the host could be reached
  type: dict
outbox:
  description: The same of the Outbox.
  returned: when the host could be reached
  type: dict
tools:
  description: The commands found for C(unpacker), C(tar), C(sha256) and C(session); empty for none.
  returned: when the host could be reached
  type: dict
zips:
  description: The zips in the Inbox. A worker is free when there are none.
  returned: when the host could be reached
  type: list
  elements: str
clock_skew:
  description: Seconds that its clock is ahead.
  returned: when the host could be reached
  type: float
free_bytes:
  description: Free space where the Inbox is or would be.
  returned: when the host could be reached
  type: int
boot_id:
  description: Changes with each start of the host.
  returned: when the host could be reached
  type: str
"""
