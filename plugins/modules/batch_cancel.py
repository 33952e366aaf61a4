"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: batch_cancel
short_description: Ends jobs on a batch system
version_added: 0.1.0
description:
  - Cancels the jobs and looks until they have ended.
  - An attempt that has not been submitted never will run. One that is over stays as it is.
options:
  grace:
    description: With C(local), seconds between TERM and KILL.
    type: int
    default: 10
  wait:
    description: Seconds to wait for their end; the task fails where they have not ended by then.
    type: int
    default: 60
extends_documentation_fragment:
  - hopper.dispatch.batch
  - hopper.dispatch.batch.system
  - hopper.dispatch.batch.jobs
"""

EXAMPLES = r"""
- name: End the job
  hopper.dispatch.batch_cancel:
    backend: slurm
    attempts: ["{{ submitted.attempt }}"]
"""

RETURN = r"""
over:
  description: True when all of them have ended, or never will run.
  returned: when the host could be reached
  type: bool
lines:
  description: The same in a line a job, for people.
  returned: when the host could be reached
  type: list
  elements: str
jobs:
  description:
    - For each job C(attempt), C(native_id), C(phase), C(over), C(word) and C(reason) (the batch
      system's own), C(exit_code), C(how), C(started_at) and C(ended_at) (epoch seconds), C(node),
      C(out_bytes) and C(err_bytes).
    - The phase is C(absent), C(submitted), C(queued), C(running), C(ended), C(vanished) (its
      processes are gone without an exit code), C(left) (it has left the queue, and nothing tells
      how it ended), C(withdrawn) or C(unknown).
  returned: when the host could be reached
  type: list
  elements: dict
"""
