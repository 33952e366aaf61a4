"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: collect
short_description: Brings home what an attempt left on a worker
version_added: 0.1.0
description:
  - When the attempt has ended, brings its results and its log home and checks them. While it
    runs, changes nothing and says so.
  - Results are C(JOB_ID.zip) and C(JOB_ID.*.zip) in the Outbox; of a job that left none there,
    what O(globs) match in its unpack folder comes as a zip.
  - A file at home is never overwritten; one that is there already, the same, stays.
options:
  dest:
    description: Folder on the controller; relative paths start in the folder you are in.
    type: path
    required: true
  globs:
    description: What to bring home of a job that packed nothing, relative to its unpack folder.
    type: list
    elements: str
    default: [results]
  log_limit:
    description: Bytes of the log that come home, from its end.
    type: int
    default: 100000000
  clean:
    description:
      - Whether to remove the attempt from the worker, with its results, once all is home.
    type: bool
    default: false
extends_documentation_fragment:
  - hopper.dispatch.worker
  - hopper.dispatch.worker.attempt
  - hopper.dispatch.worker.unpacking
  - hopper.dispatch.worker.transfer
"""

EXAMPLES = r"""
- name: Bring the results home
  hopper.dispatch.collect:
    attempt: a000000001
    job_id: sweep-a000000001
    dest: results
  register: home
"""

RETURN = r"""
over:
  description: True when the attempt has ended.
  returned: when the host could be reached
  type: bool
phase:
  description: absent, staged, running, ended, rebooted or vanished.
  returned: when the host could be reached
  type: str
how:
  description: For an ended attempt, exited, timeout or cancelled.
  returned: when the host could be reached
  type: str
exit_code:
  description: Exit code of the job, none while it runs.
  returned: when the host could be reached
  type: int
files:
  description: The files at home.
  returned: when the host could be reached
  type: list
  elements: str
"""
