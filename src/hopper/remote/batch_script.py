"""Renders an order for a login node into the shell text and the tar that go to its stdin."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hopper.model.batch import BatchOrder, FollowBatch
from hopper.remote.quoting import assignment, call
from hopper.remote.script import add_file, add_folder, source

PROGRAMS = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub", "gridengine": "qsub"}
"""By the kind of backend, what must be on PATH there, else the login profile is read."""
SOURCES = (
    "worker.sh",
    "transfer.sh",
    "outputs.sh",
    "batch_follow.sh",
    "batch_local.sh",
    "batch_hear.sh",
    "batch.sh",
)
"""What stands in front of the calls."""
UPLOADS = "uploads"
"""Folder in the tar that ``$hopper_uploads`` names on the host."""
INLINE_TOTAL = 32_000_000
"""Bytes of inputs that travel inside the round trip at most: they are in memory."""
WHOLE = "whole"
"""The last file in the tar: where it has come, all has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Large:
    """A file at home that is too large to travel inside the round trip."""

    attempt: str
    number: int
    """Tells the files of an attempt apart."""
    path: Path
    name: str


def large_inputs(order: BatchOrder) -> tuple[Large, ...]:
    """Return the inputs that are sent on their own. OSError where one cannot be read."""
    large = []
    left = INLINE_TOTAL
    for item in order.submissions:
        for number, (path, name) in enumerate(item.inputs):
            size = Path(path).stat().st_size
            if size > order.inline_limit or size > left:
                one = Large(attempt=item.attempt, number=number, path=Path(path), name=name)
                large.append(one)
            else:
                left -= size
    return tuple(large)


def render_prepare(order: BatchOrder, large: Sequence[Large], mark: str) -> str:
    """Return the script that makes room for files which travel on their own."""
    calls = [call("prepare", [item.attempt, item.number]) for item in large]
    return _prelude(order, mark, zips=True) + "\n".join([*calls, "finish_batch", ""])


def render(order: BatchOrder, mark: str, large: Sequence[Large] = ()) -> str:
    """Return the script of an order."""
    calls = [call("cancel", [item.attempt, item.command]) for item in order.cancels]
    calls += [
        call("withdraw", [item.attempt, item.lookup, item.array or item.attempt])
        for item in order.withdrawals
    ]
    calls += [call("clean", [attempt]) for attempt in order.cleans]
    calls += [call("clean_member", member) for member in order.array_cleans]
    if order.submissions or order.uploads:
        calls.append("receive_parts")
    calls += [call("place_upload", [item.attempt, item.number, item.name]) for item in large]
    calls += [
        call("submit", [item.attempt, item.command, item.lookup, item.time_limit])
        for item in order.submissions
    ]
    calls += [call("query", [item.name, item.shell]) for item in order.queries]
    calls += [_follow_call(order, item) for item in order.follows]
    if order.log is not None:
        log = order.log
        calls.append(
            call("read_log", [log.attempt, log.file, log.working_dir, log.offset, log.limit])
        )
    zips = bool(large) or any(item.zip_name for item in order.follows)
    return _prelude(order, mark, zips=zips) + "\n".join([*calls, "finish_batch", ""])


def _prelude(order: BatchOrder, mark: str, *, zips: bool) -> str:
    return "\n".join(
        [
            "".join(source(name) for name in SOURCES).rstrip(),
            *([source("batch_zip.sh").rstrip()] if zips else []),
            assignment("hopper_work", order.work_dir),
            assignment("hopper_program", order.program),
            assignment("hopper_turn", order.turn),
            assignment("query_timeout", order.query_timeout),
            assignment("answer_limit", order.answer_limit),
            assignment("grace", order.grace),
            assignment("budget", order.inline_limit),
            call("printf", ["\n%s\n", mark]),
            "look",
            "",
        ]
    )


def _follow_call(order: BatchOrder, item: FollowBatch) -> str:
    what: list[str | int] = ["follow"]
    if item.zip_name:
        what = ["follow_zip", item.zip_name, item.unpack_dirname]
    return call(
        str(what[0]),
        [
            *what[1:],
            item.attempt,
            int(item.collect),
            int(item.over),
            item.working_dir,
            item.output_file,
            item.error_file,
            item.generates_source,
            order.log_limit,
            "\n".join(item.outputs),
            item.array_log,
        ],
    )


def payload(order: BatchOrder, large: Sequence[Large] = ()) -> bytes:
    """Return the tar with the scripts, inputs and uploads of an order; empty without any.

    Without those that are ``large``.

    OSError where a file at home cannot be read.
    """
    if not (order.submissions or order.uploads):
        return b""
    apart = {(item.attempt, item.number) for item in large}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for item in order.submissions:
            # It becomes the side folder as it is, claimed from the first moment.
            add_folder(tar, f"{item.attempt}/claim")
            script = item.script.encode("utf-8", "surrogateescape")
            add_file(tar, f"{item.attempt}/job.sh", script)
            for index, text in item.tasks:
                task = text.encode("utf-8", "surrogateescape")
                add_file(tar, f"{item.attempt}/tasks/{index}.sh", task)
            for number, (path, name) in enumerate(item.inputs):
                if (item.attempt, number) not in apart:
                    add_file(tar, f"{item.attempt}/inputs/{name}", Path(path).read_bytes())
        for path, name in order.uploads:
            add_file(tar, f"{UPLOADS}/{name}", Path(path).read_bytes())
        add_file(tar, WHOLE, b"")
    return buffer.getvalue()
