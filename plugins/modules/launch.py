"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: launch
short_description: Sends a zip to a worker and starts it
version_added: 0.1.0
description:
  - Copies a zip to the Inbox, checks it there, unpacks it and starts a command in it, detached
    from the connection.
  - An attempt starts at most once. With the id of an earlier attempt nothing is changed.
options:
  zip:
    description: The zip on the controller; relative paths start in the folder you are in.
    type: path
    required: true
  job_id:
    description:
      - Id of the job, up to 80 of C(a-z0-9_-). Made from file name and attempt by default.
    type: str
  attempt:
    description:
      - Id of the attempt, a letter and nine of C(a-z0-9). A fresh one by default, so that the
        task run again starts the zip again.
    type: str
  command:
    description:
      - Shell lines to run in the unpack folder.
      - The default is C(bash run_job.sh) with job id, Inbox, Outbox, name of the zip and unpack
        folder. They are in E(HOPPER_JOB_ID), E(HOPPER_INBOX), E(HOPPER_OUTBOX),
        E(HOPPER_ZIP_NAME) and E(HOPPER_EXTRACT_DIR) too.
    type: str
  env:
    description: Environment variables of the job.
    type: dict
    default: {}
  time_limit:
    description: Seconds after which the job is ended; 0 for no limit.
    type: int
    default: 0
  slots:
    description:
      - How many jobs the worker takes at a time. With that many zips in its Inbox it refuses.
    type: int
    default: 1
extends_documentation_fragment:
  - hopper.dispatch.worker
  - hopper.dispatch.worker.unpacking
  - hopper.dispatch.worker.transfer
"""

EXAMPLES = r"""
- name: Start a zip
  hopper.dispatch.launch:
    zip: train.zip
    time_limit: 3600
  register: started

- name: Start a zip that has a command line instead of a run_job.sh, once
  hopper.dispatch.launch:
    zip: sweep.zip
    attempt: a000000001
    command: python3 train.py --lr 0.1
    env:
      OMP_NUM_THREADS: "4"
"""

RETURN = r"""
job_id:
  description: Id of the job.
  returned: when the zip could be read
  type: str
attempt:
  description: Id of the attempt, which collect, cancel and fetch_log ask for.
  returned: when the zip could be read
  type: str
verdict:
  description: now, again (had started before), underway or refused.
  returned: when not in check mode
  type: str
why:
  description: For a refusal, one of setup, busy, torn, disk, unpack.
  returned: when refused
  type: str
phase:
  description: absent, staged, running, ended, rebooted or vanished.
  returned: when the host could be reached
  type: str
"""
