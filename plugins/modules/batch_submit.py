"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: batch_submit
short_description: Submits a command to a batch system
version_added: 0.1.0
description:
  - Renders a submission script around the command, puts it on the login node and submits it.
  - An attempt is submitted at most once. What may have been submitted already is looked up first.
  - In check mode the script is returned and nothing is submitted.
options:
  command:
    description: One or more lines of bash.
    type: str
    required: true
  attempt:
    description:
      - Id of the attempt, a letter and nine of C(a-z0-9). By default it is made from the task, so
        that the same task again is not submitted again.
    type: str
  name:
    description: The job's name for people.
    type: str
    default: job
  working_dir:
    description: Where the command starts; a leading C(~) is expanded there.
    type: str
    default: "~"
  env:
    description: Environment variables, set in their order.
    type: dict
    default: {}
  init:
    description: Lines of bash before the command, such as C(module load).
    type: str
    default: ""
  login_shell:
    description: Whether the script's bash reads the login files.
    type: bool
    default: false
  cpus:
    description: CPUs for the job.
    type: int
    default: 1
  memory:
    description:
      - Memory for all of it, like C(4G); a number alone counts megabytes. Empty leaves it to the
        batch system.
    type: str
    default: 4G
  time_limit:
    description:
      - C(H:MM:SS), C(D-HH:MM:SS) or like C(90m); a number alone counts minutes. Empty leaves it to
        the batch system.
    type: str
    default: "1:00:00"
  partition:
    description: Partition or queue; empty for the batch system's default.
    type: str
    default: ""
  gpus:
    description: GPUs for the job.
    type: int
    default: 0
  gres:
    description: Generic resources in the words of Slurm, like C(gpu:a100:2).
    type: str
    default: ""
  account:
    description: The account that is charged.
    type: str
    default: ""
  queue:
    description: On PBS, the queue that goes before the partition.
    type: str
    default: ""
  dialect:
    description: On PBS, C(torque) where it is Torque.
    type: str
    default: ""
    choices: ["", torque]
  output_file:
    description:
      - Where standard output goes, relative to the working folder; a file of the attempt's side
        folder by default.
    type: str
    default: ""
  error_file:
    description: The same for standard error.
    type: str
    default: ""
extends_documentation_fragment:
  - hopper.dispatch.batch
  - hopper.dispatch.batch.system
"""

EXAMPLES = r"""
- name: Submit a command to Slurm
  hopper.dispatch.batch_submit:
    backend: slurm
    command: python3 train.py --lr 0.1
    working_dir: ~/project
    cpus: 4
    memory: 16G
    time_limit: "8:00:00"
    env:
      OMP_NUM_THREADS: "4"
  register: submitted
"""

RETURN = r"""
attempt:
  description: Id of the attempt, which batch_poll, batch_cancel and fetch_log_batch ask for.
  returned: when the host could be reached
  type: str
native_id:
  description: The batch system's own id of the job.
  returned: when the host could be reached
  type: str
verdict:
  description: now, again or found (it had been submitted before), underway or refused.
  returned: when not in check mode
  type: str
script:
  description: The submission script.
  returned: in check mode
  type: str
"""
