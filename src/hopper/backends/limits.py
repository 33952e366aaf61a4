"""Refusals that pass: the batch system takes no more jobs of this user for now. Pure.

The words are those of Slurm's associations and QOS (``AssocMaxSubmitJobLimit``), PBS's
``max_queued``, Torque's ``max_user_queuable``, LSF's pending job threshold and Grid Engine's
``max_u_jobs`` and ``max_jobs``.
"""

from __future__ import annotations

import re

from hopper.backends.words import one_line
from hopper.model.batch import Said

_REACHED = re.compile(
    r"(?:Assoc|QOS)\w*(?:MaxSubmit|GrpSubmit)\w*"
    r"|would exceed [^\n]*limit of jobs"
    r"|maximum number of jobs (?:already )?in (?:the )?queue"
    r"|exceeds the queue limit"
    r"|pending job (?:threshold|limit)"
    r"|only \d+ jobs are allowed",
    re.IGNORECASE | re.ASCII,
)


def limit_reached(said: Said) -> str:
    """Return the words by which a submission was refused for the number of jobs; else nothing."""
    text = said.stderr if said.stderr.strip() else said.stdout
    found = _REACHED.search(text) if said.code != 0 else None
    if found is None:
        return ""
    start = text.rfind("\n", 0, found.start()) + 1
    return one_line(text[start:].partition("\n")[0])
