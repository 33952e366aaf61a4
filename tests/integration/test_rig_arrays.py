"""Job arrays as the backends of PBS and LSF submit and read them, on the stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from hopper.backends.base import Backend, BackendSettings
from hopper.backends.registry import backend
from hopper.model.batch import Said
from hopper.model.native import Followed, NativePhase, NativeSighting
from hopper.model.task import BatchResources
from tests.conftest import Eventually
from tests.rigs.lsf_standin.rig import LsfStandIn
from tests.rigs.pbs_standin.rig import PbsStandIn, missing

pytestmark = [
    pytest.mark.rig,
    pytest.mark.skipif(missing() is not None, reason=f"stand-ins: {missing()}"),
]
GROUP, OTHER = "abcdefghij", "abcdefghik"
STARTS: dict[str, Callable[[Any], Any]] = {
    "openpbs": PbsStandIn.start,
    "torque": lambda folder: PbsStandIn.start(folder, dialect="torque"),
    "openlava": LsfStandIn.start,
    "spectrum": lambda folder: LsfStandIn.start(folder, dialect="spectrum"),
}


class Lab:
    """A stand-in and the backend that speaks to it."""

    def __init__(self, rig: Any, system: Backend) -> None:
        self.rig, self.system = rig, system

    def said(self, shell: str, *, stdin: bytes = b"") -> Said:
        done = self.rig.ssh(shell, stdin=stdin)
        return Said(code=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())

    def submit(self, command: str, count: int, group: str = GROUP) -> list[str]:
        """Submit an array and return the ids of its members."""
        lines = self.system.array_directives(
            "a name", group, BatchResources(cpus=1), "~/log", count
        )
        text = "\n".join(["#!/bin/bash", *lines, command, ""])
        path = f"{self.rig.home_there}/array.sh"
        self.said(f"cat >'{path}'", stdin=text.encode())
        said = self.said(f"hopper_script='{path}'; {self.system.submit_command()}")
        native = self.system.native_id(said)
        assert native, said
        return [self.system.member_id(native, index) for index in range(1, count + 1)]

    def look(self, ids: Sequence[str]) -> dict[str, NativeSighting]:
        """Ask about jobs; the answer is whole."""
        now = datetime.now(UTC)
        jobs = [Followed(attempt=GROUP, native_id=native, submitted_at=now) for native in ids]
        queries = self.system.queries(jobs, now=now, others=False)
        answers = {query.name: self.said(query.shell) for query in queries}
        reading = self.system.read(answers, jobs)
        assert reading.queue_seen, (reading.trouble, answers)
        return {job.native_id: job for job in reading.jobs}

    def phases(self, ids: Sequence[str]) -> list[str]:
        found = self.look(ids)
        return [str(found[native].phase) if native in found else "gone" for native in ids]


@pytest.fixture(scope="module", params=list(STARTS))
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    kind = "pbs" if request.param in {"openpbs", "torque"} else "lsf"
    dialect = "torque" if request.param == "torque" else ""
    system = backend(BackendSettings(name="x", kind=kind, dialect=dialect))
    with STARTS[request.param](tmp_path_factory.mktemp(request.param)) as rig:
        yield Lab(rig, system)


def test_each_member_ends_as_it_does(lab: Lab, eventually: Eventually) -> None:
    index = lab.system.log_variables()["index"]
    native = lab.system.log_variables()["native"]
    members = lab.submit(f'i={index}; echo {native} >"$HOME/id.$i"; [ "$i" != 2 ] || exit 7', 3)
    eventually(lambda: lab.phases(members) == ["ended"] * 3)
    found = lab.look(members)
    assert [found[native].exit_code for native in members] == [0, 7, 0]
    assert [found[native].succeeded for native in members] == [True, False, True]
    assert all(GROUP in found[native].name for native in members)
    for number, member in enumerate(members, start=1):
        assert lab.said(f'cat "$HOME/id.{number}"').stdout.strip() == member
    assert lab.phases([members[0], lab.system.member_id(members[0], 9)]) == ["ended", "gone"]


def test_one_member_is_cancelled(lab: Lab, eventually: Eventually) -> None:
    members = lab.submit("sleep 600", 9, OTHER)
    first, *others = members
    eventually(lambda: lab.phases(members).count("running") == 8)
    waiting = members[lab.phases(members).index("queued")]
    lookup = lab.said(lab.system.lookup_command(OTHER))
    assert lab.system.member_id(lab.system.native_id(lookup), 1) == first
    assert lab.said(lab.system.cancel_command([waiting])).code == 0
    # It never ran: what is told of it is no success, nor anybody else's.
    assert lab.phases([waiting]) == ["ended"]
    assert not lab.look([waiting])[waiting].succeeded
    assert lab.said(lab.system.cancel_command([first])).code == 0
    eventually(lambda: lab.phases([first]) == ["ended"])
    assert not lab.look([first])[first].succeeded
    assert lab.phases(others).count("running") == 7
    lab.said(lab.system.cancel_command(others))
    eventually(lambda: lab.phases(members) == ["ended"] * 9)
    assert {str(job.phase) for job in lab.look(members).values()} == {NativePhase.ENDED}
