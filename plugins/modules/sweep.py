"""Documentation of the action plugin of this name; Ansible finds it here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sweep
short_description: Carries out orders on many hosts at once
version_added: 0.1.0
description:
  - One task for all hosts. Takes orders from a file of JSON lines, each for one host, and
    writes a report for each to another.
  - With a doorbell it stays for further orders until a line says that there are no more.
  - Made for hopper's own loop; by hand use probe, launch, collect and cancel.
options:
  orders:
    description: File of orders, one JSON document a line.
    type: path
    required: true
  results:
    description: File that reports are appended to.
    type: path
    required: true
  doorbell:
    description:
      - Named pipe that says that there are more orders. Without it the end of the file is the
        end.
    type: path
  notify:
    description: Named pipe that gets a byte with each report.
    type: path
  threads:
    description: How many orders are under way at a time.
    type: int
    default: 32
  connect_timeout:
    description: Seconds that a connection may take.
    type: int
    default: 10
  transfer_mode:
    description: How files over 1 MB travel.
    type: str
    choices: [scp, piped, rsync]
    default: scp
author:
  - The hopper authors
attributes:
  check_mode:
    description: Can run in check mode and say what it would do.
    support: none
"""

EXAMPLES = r"""
- name: Carry out the orders
  hopper.dispatch.sweep:
    orders: orders.jsonl
    results: reports.jsonl
"""

RETURN = r"""
carried_out:
  description: How many orders were reported.
  returned: always
  type: int
unreachable_hosts:
  description: How many of them found no host.
  returned: always
  type: int
"""
