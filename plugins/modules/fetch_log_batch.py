"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_log_batch
short_description: Reads the output of an attempt on a batch system
version_added: 0.1.0
description:
  - Appends to a file at home what it lacks of the output of a running or ended attempt.
options:
  attempt:
    description: Id of the attempt, as the submission gave it.
    type: str
    required: true
  dest:
    description: File on the controller; relative paths start in the folder you are in.
    type: path
    required: true
  stream:
    description: Standard output or standard error.
    type: str
    choices: [out, err]
    default: out
  file:
    description: Where the task's output goes, if it was given a file of its own.
    type: str
    default: ""
  working_dir:
    description: The folder that O(file) is relative to.
    type: str
    default: "~"
  limit:
    description: Bytes that come at most.
    type: int
    default: 100000000
extends_documentation_fragment:
  - hopper.dispatch.batch
"""

EXAMPLES = r"""
- name: Fetch what is new of the output
  hopper.dispatch.fetch_log_batch:
    attempt: a000000001
    dest: logs/train.log
"""

RETURN = r"""
phase:
  description: absent, waiting, running or ended.
  returned: when the host could be reached
  type: str
size:
  description: Bytes of it on the host.
  returned: when the host could be reached
  type: int
fetched_to:
  description: Bytes of it that are at home.
  returned: when not in check mode
  type: int
"""
