"""How a task's inputs get to where it runs, as lines of its script."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hopper.errors import HopperError
from hopper.model.task import INPUTS, Task
from hopper.remote.quoting import quote


def copied(task: Task) -> str:
    """Return what copies a task's inputs out of its zip, where it does not run in it."""
    if task.own_folder:
        return ""
    lines = []
    for _, name in task.input_pairs:
        source = f'"$hopper_here"/{INPUTS}/{quote(name)}'
        folder = quote(str(Path(name).parent))
        lines.append(f"mkdir -p -- {folder} && cp -p -- {source} {quote(name)} || exit 1\n")
    return "".join(lines)


def staged(task: Task) -> str:
    """Return what puts a task's inputs into its working folder, checked; empty for none."""
    lines = []
    sums = dict(zip(task.input_pairs, task.input_sums, strict=False))
    for path, name in task.input_pairs:
        try:
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            text = f"the input {path} cannot be read: {error.strerror or error}"
            raise HopperError(text) from error
        if sums.get((path, name), digest) != digest:
            # Its result would be kept as that of what the input was.
            raise HopperError(
                f"the input {path} has changed since the run was made",
                way_out="run the workflow anew",
            )
        source = f'"$HOPPER_TASK_DIR"/inputs/{quote(name)}'
        folder = quote(str(Path(name).parent))
        lines += [
            f'hopper_sum=$(sha256sum <{source}) && [ "${{hopper_sum%% *}}" = {digest} ] &&',
            f"    mkdir -p -- {folder} && cp -p -- {source} {quote(name)} ||",
            f"    {{ echo hopper: its input {quote(name)} did not arrive whole >&2; exit 1; }}",
        ]
    return "".join(f"{line}\n" for line in lines)
