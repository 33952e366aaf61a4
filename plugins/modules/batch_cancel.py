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
  description: What is known of each job, as the notes say.
  returned: when the host could be reached
  type: list
  elements: dict
"""
