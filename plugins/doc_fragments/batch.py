"""What the plugins on a batch system share in their documentation."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  work_dir:
    description:
      - The folder on the host that holds the attempts' side folders. The compute nodes must see
        it too. A leading C(~) is expanded there.
    type: str
    default: ~/.hopper
  query_timeout:
    description: Seconds that a command of the batch system may take.
    type: int
    default: 30
notes:
  - The host needs C(sshd), a POSIX C(sh), C(tar), C(bash) and the batch system's commands, no
    Python.
  - The Python package C(jobhopper) must be installed beside Ansible on the controller.
  - C(become) is not supported. Jobs run as the user that logs in.
attributes:
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
author:
  - The hopper authors
"""

    SYSTEM = r"""
options:
  backend:
    description:
      - The kind of batch system, C(slurm), C(pbs), C(lsf) or C(gridengine). C(local) starts
        process groups on the host itself. Kinds of other packages are known by their names.
    type: str
    required: true
"""

    JOBS = r"""
options:
  attempts:
    description: Ids of attempts, as the submission gave them.
    type: list
    elements: str
    default: []
  native_ids:
    description: Ids of jobs in the batch system's own words, whoever submitted them.
    type: list
    elements: str
    default: []
notes:
  - Of each job is told C(attempt), C(native_id), C(phase), C(over), C(word) and C(reason) (the
    batch system's own), C(exit_code), C(how), C(started_at) and C(ended_at) (epoch seconds),
    C(node), C(out_bytes) and C(err_bytes).
  - The phase of a job is C(absent), C(submitted), C(queued), C(running), C(ended), C(vanished)
    (its processes are gone without an exit code), C(left) (it has left the queue, and nothing
    tells how it ended), C(withdrawn) or C(unknown).
"""
