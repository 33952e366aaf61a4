"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: batch_poll
short_description: Tells where jobs on a batch system stand
version_added: 0.1.0
description:
  - Asks the attempts' side folders, the batch system's live view and its accounting.
  - Changes nothing.
extends_documentation_fragment:
  - hopper.dispatch.batch
  - hopper.dispatch.batch.system
  - hopper.dispatch.batch.jobs
"""

EXAMPLES = r"""
- name: Wait for the job
  hopper.dispatch.batch_poll:
    backend: slurm
    attempts: ["{{ submitted.attempt }}"]
  register: seen
  until: seen.over | default(false)
  retries: 120
  delay: 30
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
