"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: terminal
short_description: Tells how a terminal is opened on a host
version_added: 0.1.0
description:
  - Tells the command by which a person comes to a host in the way that the inventory says; user,
    port, key and jump host included.
  - Connects to nothing and changes nothing.
options:
  report:
    description:
      - A file on the controller that the result is appended to, as one line of JSON.
    type: path
author:
  - The hopper authors
attributes:
  check_mode:
    description: Can run in check mode and say what it would do.
    support: full
"""

EXAMPLES = r"""
- name: Tell the way to the workers
  hopper.dispatch.terminal:
"""

RETURN = r"""
words:
  description:
    - The command, word by word; the address is the last. Empty for a host that is this machine.
  returned: success
  type: list
  elements: str
"""
