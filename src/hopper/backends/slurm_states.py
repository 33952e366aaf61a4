"""The states of Slurm's jobs and what its exit codes mean (squeue(1), sacct(1))."""

from __future__ import annotations

import re

from hopper.model.native import Cause, NativePhase

_WAITING = [
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
    "EXPEDITING",
    "POWER_UP_NODE",
]
_LIVE = [
    "RUNNING",
    "COMPLETING",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
    "RESIZING",
    "SIGNALING",
    "UPDATE_DB",
]
CAUSES: dict[str, Cause | None] = {
    "COMPLETED": None,
    "FAILED": Cause.FAILED,
    "TIMEOUT": Cause.TIMEOUT,
    "DEADLINE": Cause.TIMEOUT,
    "OUT_OF_MEMORY": Cause.OOM,
    "CANCELLED": Cause.CANCELLED,
    "REVOKED": Cause.CANCELLED,
    "NODE_FAIL": Cause.NODE_FAIL,
    "BOOT_FAIL": Cause.NODE_FAIL,
    "LAUNCH_FAILED": Cause.NODE_FAIL,
    "RECONFIG_FAIL": Cause.NODE_FAIL,
    "PREEMPTED": Cause.NODE_FAIL,
}
"""The states in which a job has ended, and why it did not complete."""
PHASES: dict[str, NativePhase] = {
    **dict.fromkeys(_WAITING, NativePhase.QUEUED),
    **dict.fromkeys(_LIVE, NativePhase.RUNNING),
    **dict.fromkeys(CAUSES, NativePhase.ENDED),
}
_EXIT = re.compile(r"(\d{1,3}):(\d{1,3})\Z", re.ASCII)
_KILL = 9
NO_FOLDER = 53
"""In place of a signal: the working folder or the output file could not be had."""
OUT_OF_MEMORY = 125
"""In place of a signal: a step was over its memory."""


def state_word(text: str) -> str:
    """Return the state alone: ``CANCELLED`` of ``CANCELLED by 1002``."""
    return text.split(None, 1)[0].rstrip("+") if text.strip() else ""


def exit_parts(text: str) -> tuple[int, int] | None:
    """Return code and signal of ``7:0``; None for anything else."""
    match = _EXIT.match(text.strip())
    return (int(match[1]), int(match[2])) if match else None


def exit_code(state: str, code: int, signal: int) -> int | None:
    """Return the exit code as a shell tells it; None where the job gave none."""
    if signal in {NO_FOLDER, OUT_OF_MEMORY}:
        return None
    if signal:
        return 128 + signal
    return code if code or state == "COMPLETED" else None


def cause_of(state: str, signal: int) -> tuple[Cause | None, str]:
    """Return why a job in this state did not complete, and words for what a signal hints at."""
    cause = CAUSES.get(state, Cause.FAILED)
    if cause is Cause.FAILED and signal == NO_FOLDER:
        return cause, "Slurm could not use its working folder or write its log (0:53)"
    if cause is Cause.FAILED and signal == OUT_OF_MEMORY:
        return Cause.OOM, "out of memory (0:125)"
    if cause is Cause.FAILED and signal == _KILL:
        return Cause.OOM, "killed by signal 9, as jobs over their memory are"
    return cause, ""
