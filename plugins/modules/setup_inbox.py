"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: setup_inbox
short_description: Makes a worker's Inbox and Outbox
version_added: 0.1.0
description:
  - Makes the two folders with mode 0700 where they are missing. Folders that are there stay as
    they are.
  - Says what else a worker needs and the host lacks; it installs nothing.
extends_documentation_fragment:
  - hopper.dispatch.worker
  - hopper.dispatch.worker.readiness
"""

EXAMPLES = r"""
- name: Make Inbox and Outbox
  hopper.dispatch.setup_inbox:
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
