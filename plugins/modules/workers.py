"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workers
short_description: Writes down the workers of the inventory
version_added: 0.1.0
description:
  - Writes a JSON file with the C(hopper_*) variables and the address of each host of a group,
    as Ansible resolves them.
  - A host whose variables cannot be resolved gets an C(error) with the variable and the reason;
    the others are not held up by it.
options:
  group:
    description: The inventory group of the workers.
    type: str
    default: hopper_workers
  dest:
    description: The file on the controller, readable by its owner alone.
    type: path
    required: true
author:
  - The hopper authors
attributes:
  check_mode:
    description: Can run in check mode and say what it would do.
    support: none
"""

EXAMPLES = r"""
- name: Write down the workers
  hopper.dispatch.workers:
    group: hopper_workers
    dest: workers.json
"""

RETURN = r"""
hosts:
  description: How many hosts the group has.
  returned: always
  type: int
"""
