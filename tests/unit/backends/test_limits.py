"""Refusals that pass, told from those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hopper.backends.limits import limit_reached
from hopper.model.batch import Said

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: AssocMaxSubmitJobLimit",
        "sbatch: error: QOSMaxSubmitJobPerUserLimit",
        "qsub: would exceed queue generic's per-user limit of jobs in 'Q' state",
        "qsub: would exceed complex's per-user limit of jobs",
        "qsub: Maximum number of jobs already in queue MSG=total number of current user's jobs",
        "User <ada>: Pending job threshold reached. Retrying in 60 seconds...",
        "Unable to run job: job rejected: only 3 jobs are allowed per user (current job count: 3)",
    ],
)
def test_the_words_of_a_limit_on_jobs(words: str) -> None:
    said = Said(code=1, stdout="", stderr=f"before\n{words}\nafter\n")
    assert limit_reached(said) == words
    assert not limit_reached(Said(code=0, stdout=f"{words}\n", stderr=""))


def test_what_a_real_slurm_said() -> None:
    text = (DATA / "slurm" / "enforce_sbatch_err_submit_limit.txt").read_text()
    words = text.replace("stderr: ", "")
    assert "AssocMaxSubmitJobLimit" in limit_reached(Said(code=1, stdout="", stderr=words))


@pytest.mark.parametrize("name", ["slurm", "pbs", "lsf", "gridengine"])
def test_other_refusals_are_none(name: str) -> None:
    seen = 0
    for path in sorted((DATA / name).iterdir()):
        refusal = "err" in path.name and path.name != "enforce_sbatch_err_submit_limit.txt"
        if refusal:
            seen += 1
            text = path.read_text("utf-8", "replace")
            assert not limit_reached(Said(code=1, stdout="", stderr=text)), path.name
    assert seen
