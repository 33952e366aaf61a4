"""Renders an order into the shell text and the tar that go to the worker's stdin."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from hopper.model.orders import Follow, Launch, Order, ReadLog
from hopper.remote.quoting import assignment, call, quote

SOURCES = ("worker.sh", "transfer.sh", "unpack.sh", "order.sh")
"""What stands in front of the calls."""
TASK_SOURCES = ("outputs.sh", "task.sh")
"""What comes after it where an order asks about tasks."""
KIB = 1024
DISK_MARGIN = 4 * KIB
"""KiB that must stay free on a worker after its job is unpacked."""


@cache
def source(name: str) -> str:
    """Return a shell script without its comments and indentation."""
    text = files("hopper.remote").joinpath("scripts", name).read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def command(script: str) -> str:
    """Return the command line that reads the script off its stdin and runs it.

    It is the same few words in every login shell (csh and fish among them). dd takes
    exactly the script's bytes, so that what follows on stdin is left for the script.
    """
    size = len(script.encode("utf-8", "surrogateescape"))
    whole = f"dd iflag=fullblock bs={size} count=1 2>/dev/null"
    return f"exec sh -c 'eval \"$({whole} || dd bs=1 count={size} 2>/dev/null)\"'"


def prelude(order: Order, mark: str) -> str:
    """Return what comes in front of the calls of an order."""
    tasks = any(item.task for item in order.follows) or (order.log and order.log.task)
    return "\n".join(
        [
            "".join(source(name) for name in SOURCES).rstrip(),
            *([source(name).rstrip() for name in TASK_SOURCES] if tasks else []),
            assignment("hopper_inbox", order.inbox),
            assignment("hopper_outbox", order.outbox),
            assignment("budget", order.inline_limit),
            call("printf", ["\n%s\n", mark]),
            "look",
            "",
        ]
    )


def render_prepare(order: Order, launches: Iterable[Launch], mark: str) -> str:
    """Return the script that makes room for zips which travel on their own."""
    calls = [call("prepare", [item.attempt, item.zip_size]) for item in launches]
    return prelude(order, mark) + "\n".join([*calls, "finish", ""])


def render(order: Order, mark: str) -> str:
    """Return the script of an order."""
    calls = [call("cancel", [t.attempt, t.name, order.grace]) for t in order.cancels]
    calls += [call("discard", [t.attempt, t.name, order.grace]) for t in order.discards]
    calls += [call("release", [r.attempt, *r.files]) for r in order.releases]
    calls += [call("clean", [t.attempt, t.name]) for t in order.cleans]
    if order.launches:
        calls.append("receive_zips")
    calls += [_launch_call(item) for item in order.launches]
    calls += [_follow_call(order, item) for item in order.follows]
    for item in order.externals:
        calls.append(call("external", [item.name]))
        if item.collect:
            calls.append(call("collect_external", [item.attempt, item.name]))
    if order.log is not None:
        calls.append(_read_log_call(order.log))
    return prelude(order, mark) + "\n".join([*calls, "finish", ""])


def _read_log_call(item: ReadLog) -> str:
    task = item.task
    if task is None:
        return call("read_log", [item.attempt, item.offset, item.limit])
    own, usual = (task.error_file, "log.err") if item.errors else (task.output_file, "log.out")
    place: list[str | int] = [item.attempt, item.name, item.unpack_dirname, task.working_dir]
    return call("read_task_log", [*place, own, usual, item.offset, item.limit])


def _follow_call(order: Order, item: Follow) -> str:
    if item.task is not None:
        task = item.task
        place: list[str | int] = [
            item.attempt,
            item.name,
            item.unpack_dirname,
            order.log_limit,
            task.working_dir,
        ]
        files = [task.output_file, task.error_file, task.generates_source]
        globs = "\n".join(task.outputs)
        return call("follow_task", [*place, *files, globs, int(item.collect)])
    if not item.collect:
        return call("observe", [item.attempt])
    globs = "\n".join(item.globs)
    return call("follow", [item.attempt, item.name, item.unpack_dirname, order.log_limit, globs])


def _launch_call(item: Launch) -> str:
    need = item.unpacked_size // KIB + DISK_MARGIN
    return call(
        "launch",
        [item.attempt, item.name, item.slots, item.unpack_dirname, item.zip_sha256, need],
    )


def payload(order: Order) -> bytes:
    """Return the tar that the launches of an order need; empty without any."""
    if not order.launches:
        return b""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for item in order.launches:
            for name, text in _launch_files(order, item).items():
                add_file(tar, f"{item.attempt}/{name}", text.encode("utf-8", "surrogateescape"))
            if item.zip_size <= order.inline_limit:
                add_file(tar, f"{item.attempt}/job.zip", Path(item.zip_path).read_bytes())
    return buffer.getvalue()


def _launch_files(order: Order, item: Launch) -> dict[str, str]:
    facts: dict[str, str | int] = {
        "hopper_attempt": item.attempt,
        "hopper_job_id": item.job_id,
        "hopper_name": item.name,
        "hopper_inbox": order.inbox,
        "hopper_outbox": order.outbox,
        "hopper_unpack": item.unpack_dirname,
        "hopper_time_limit": item.time_limit,
        "hopper_grace": order.grace,
        "hopper_slot": item.slot,
    }
    exports = [f"export {key}={quote(value)}\n" for key, value in item.env.items()]
    return {
        "facts.sh": "".join(f"{assignment(key, value)}\n" for key, value in facts.items()),
        "env.sh": "".join(exports),
        "command.sh": f'cd "$HOPPER_EXTRACT_DIR" || exit 125\n{item.command}\n',
        "launcher.sh": source("worker.sh") + source("launcher.sh"),
    }


def add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that only its owner may read."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = 0o600
    member.mtime = int(time.time())
    tar.addfile(member, io.BytesIO(content))


def add_folder(tar: tarfile.TarFile, name: str) -> None:
    """Add a folder that only its owner may enter."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    member.mode = 0o700
    member.mtime = int(time.time())
    tar.addfile(member)
