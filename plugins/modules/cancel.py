"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cancel
short_description: Ends an attempt on a worker
version_added: 0.1.0
description:
  - Ends the job with all its processes, by TERM and then by KILL, and looks that they are gone.
  - An attempt that has not started never will. One that is over stays as it is.
options:
  grace:
    description: Seconds between TERM and KILL.
    type: int
    default: 10
extends_documentation_fragment:
  - hopper.dispatch.worker
  - hopper.dispatch.worker.attempt
"""

EXAMPLES = r"""
- name: End the job
  hopper.dispatch.cancel:
    attempt: a000000001
    job_id: sweep-a000000001
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
survivors:
  description: Processes that would not die.
  returned: when there are any
  type: str
"""
