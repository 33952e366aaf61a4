"""``hopper hold``: pending jobs wait until they are released."""

from __future__ import annotations

from hopper.cli.changing import change_command
from hopper.operations.selecting import can_be_held

command = change_command(
    "hold",
    "Keep pending jobs from starting until they are released.",
    fits=can_be_held,
    lines=("hopper hold train-x19cyh", "hopper hold --tag gpu --yes"),
)
