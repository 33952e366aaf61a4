"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_log
short_description: Reads the log of an attempt
version_added: 0.1.0
description:
  - Appends to a file at home what it lacks of the log of a running or ended attempt.
options:
  attempt:
    description: Id of the attempt, as the launch gave it.
    type: str
    required: true
  dest:
    description: File on the controller; relative paths start in the folder you are in.
    type: path
    required: true
  limit:
    description: Bytes that come at most.
    type: int
    default: 100000000
extends_documentation_fragment:
  - hopper.dispatch.worker
attributes:
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
"""

EXAMPLES = r"""
- name: Fetch what is new of the log
  hopper.dispatch.fetch_log:
    attempt: a000000001
    dest: logs/sweep.log
"""

RETURN = r"""
phase:
  description: absent, staged, running, ended, rebooted or vanished.
  returned: when the host could be reached
  type: str
size:
  description: Bytes of the log on the worker.
  returned: when the host could be reached
  type: int
fetched_to:
  description: Bytes of it that are at home.
  returned: when not in check mode
  type: int
"""
