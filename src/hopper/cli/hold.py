"""``hopper hold``: pending jobs wait until they are released."""

from __future__ import annotations

from hopper.cli.changing import change_command
from hopper.model.states import JobState

command = change_command(
    "hold",
    "Keep pending jobs from starting until they are released.",
    fits=lambda job: job.state is JobState.PENDING and not job.held,
    lines=("hopper hold train-x19cyh", "hopper hold --tag gpu --yes"),
)
