"""Jobs that Grid Engine has in error, by a captured answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from hopper.backends.base import BackendSettings
from hopper.backends.gridengine import GridEngine
from hopper.backends.gridengine_errors import with_reasons
from hopper.model.native import NativePhase, NativeSighting
from tests.unit.backends import captured
from tests.unit.backends.asking import NOW, Programs, by_id, followed

ENGINE = GridEngine(BackendSettings(name="g", kind="gridengine"))
DETAILS = captured.gridengine("qstat_j_eqw")[1].stdout
WORDS = "in error (Eqw): can't chdir to /nosuch: No such file or directory"


def stuck(native: str) -> dict[str, NativeSighting]:
    job = NativeSighting(
        native_id=native, phase=NativePhase.QUEUED, word="Eqw", stuck=True, reason="in error"
    )
    return {native: job}


def test_they_are_asked_about_and_nothing_else_is(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    programs.keep("xml", captured.gridengine("qstat_xml_later")[1].stdout)
    programs.keep("details", DETAILS)
    programs.put("qacct", 'echo "error: job id $2 not found" >&2; exit 1')
    programs.put(
        "qstat",
        'case $1 in -j) echo "$2" >>$here/asked; cat $here/details;; *) cat $here/xml;; esac',
    )
    jobs = followed("9", "10", "77")
    (query,) = ENGINE.queries(jobs, now=NOW, others=False)
    reading = ENGINE.read({query.name: programs.sh(query.shell)}, jobs)
    assert (reading.queue_seen, reading.accounting_seen, reading.trouble) == (True, True, "")
    assert programs.kept("asked") == "10\n"
    job = by_id(reading)["10"]
    assert (job.reason, job.stuck, job.hopeless) == (WORDS, True, True)
    assert not by_id(reading)["9"].stuck
    (query,) = ENGINE.queries(followed("9"), now=NOW, others=False)
    programs.sh(query.shell)
    assert programs.kept("asked") == "", "others' errors are not ours"


@pytest.mark.parametrize(
    ("line", "reason", "hopeless"),
    [
        (f"11/21/2026 05:56:10 [1002:1]: error: {WORDS.partition(': ')[2]}", WORDS, True),
        ("can't get password entry for user x", "in error (Eqw): can't get password entry", True),
        ("11/21/2026 05:56:10 [0:1]: exit_status of prolog = 1",
         "in error (Eqw): exit_status of prolog = 1", False),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_told_from_the_rest(line: str, reason: str, hopeless: bool) -> None:
    text = f"job_number:                 10\nerror reason          1:      {line}\n"
    job = with_reasons(stuck("10"), text)["10"]
    assert job.reason.startswith(reason)
    assert job.hopeless is hopeless


def test_tasks_of_an_array_have_reasons_of_their_own() -> None:
    text = DETAILS.replace(
        "scheduling info", "error reason          4:      prolog failed\nscheduling info"
    )
    assert with_reasons(stuck("10.4"), text)["10.4"].reason == "in error (Eqw): prolog failed"
    assert with_reasons(stuck("10.1"), text)["10.1"].reason == WORDS
    assert with_reasons(stuck("11"), text) == stuck("11")
