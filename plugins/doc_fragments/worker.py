"""What the plugins on one host share in their documentation."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  inbox:
    description: The folder on the host that takes zips; a leading C(~) is expanded there.
    type: str
    default: ~/Inbox
  outbox:
    description: The folder on the host that jobs leave results in.
    type: str
    default: ~/Outbox
notes:
  - The host needs C(sshd), a POSIX C(sh), C(tar) and one unpacker, no Python.
  - The Python package C(jobhopper) must be installed beside Ansible on the controller.
  - C(become) is not supported. Jobs run as the user that logs in.
attributes:
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
author:
  - The hopper authors
"""

    TRANSFER = r"""
options:
  transfer_mode:
    description:
      - How files over 1 MB travel. C(scp) is Ansible's own sftp or scp, C(piped) goes through
        the shell in parts, C(rsync) needs rsync on both sides and resumes.
    type: str
    choices: [scp, piped, rsync]
    default: scp
"""

    READINESS = r"""
options:
  report:
    description:
      - A file on the controller that the result is appended to, as one line of JSON with the
        host's name, whether the host could be reached or not.
    type: path
"""

    ATTEMPT = r"""
options:
  attempt:
    description: Id of the attempt, as the launch gave it.
    type: str
    required: true
  job_id:
    description: Id of the job, as the launch gave it.
    type: str
    required: true
"""

    UNPACKING = r"""
options:
  unpack_dirname:
    description: The folder below C(INBOX/JOB_ID) that the zip is unpacked to.
    type: str
    default: job
"""
