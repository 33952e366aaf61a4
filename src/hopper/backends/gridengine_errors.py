"""Jobs that Grid Engine has in error (``Eqw``): asked about by ``qstat -j``, and why.

Such a job stays where it is until an administrator clears it (``qmod -cj``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from hopper.backends.words import one_line
from hopper.model.native import NativeSighting

_ASKED = 50
"""Jobs in error that are asked about at a time."""
_NUMBER = re.compile(r"^job_number: +(\d{1,12})\s*$", re.MULTILINE | re.ASCII)
_REASON = re.compile(r"^error reason +(\d{1,9}): +(.*)$", re.MULTILINE | re.ASCII)
_STAMP = re.compile(r"^\d\d/\d\d/\d{4} [\d:.]+ \[[\d:]*\]: (?:error: )?", re.ASCII)
_FOR_GOOD = re.compile(
    r"can't (?:chdir|stat|open|read|make|create|execute)|no such (?:file|user)|not a directory"
    r"|permission denied|can't get password entry",
    re.IGNORECASE,
)
"""What another look will not find mended: folders, files and users that are not there."""
_IN_ERROR = """awk -F'[<>]' '$0=="=" {b=1; next} \
!b {if ($2=="JB_job_number") i=$3; if ($2=="state" && $3 ~ /E/) e[i]=1; next} \
{n=$1; sub(/[.].*/, "", n)} (n in e) && !d[n]++ {print n}'"""


def asking() -> list[str]:
    """Return shell lines that ask about what is in error: in ``$q`` and among ``ids``."""
    return [
        f"e=$({{ printf '%s\\n=\\n' \"$q\"; ids; }} | {_IN_ERROR} | head -n {_ASKED})",
        'if [ -n "$e" ]; then qstat -j "$(printf %s "$e" | tr \'\\n\' ,)"',
        "printf '=hopper-errors %s\\n' $?; fi",
    ]


def with_reasons(jobs: Mapping[str, NativeSighting], text: str) -> dict[str, NativeSighting]:
    """Return the jobs; those in error with what ``qstat -j`` says of them."""
    reasons = _reasons(text)
    return {native: _with(job, reasons) for native, job in jobs.items()}


def _reasons(text: str) -> dict[str, str]:
    """Return why jobs and tasks are in error; that of a job by its number and its task."""
    heads = list(_NUMBER.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found: dict[str, str] = {}
    for head, end in zip(heads, ends, strict=False):
        for task, words in _REASON.findall(text[head.end() : end]):
            reason = one_line(_STAMP.sub("", words))
            found.setdefault(head[1], reason)
            found[f"{head[1]}.{task}"] = reason
    return found


def _with(job: NativeSighting, reasons: Mapping[str, str]) -> NativeSighting:
    if not job.stuck:
        return job
    words = reasons.get(job.native_id) or reasons.get(job.native_id.partition(".")[0], "")
    if not words:
        return job
    return replace(
        job, reason=f"in error ({job.word}): {words}", hopeless=bool(_FOR_GOOD.search(words))
    )
