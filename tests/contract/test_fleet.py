"""The simulated farm and real sweeps over local connections do the same."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from hopper.ansible.runs import AnsibleSettings
from hopper.ansible.sweep import Sources, SweepFleet, SweepSettings
from hopper.dispatch.ports import Fleet
from hopper.model.orders import Follow, Launch, Order, Release, Report, Target
from tests.fakes.clock import FakeClock
from tests.fakes.farm import FakeFleet, Farm
from tests.fakes.farm_worker import Plan
from tests.unit.home.zips import zip_bytes

pytestmark = [pytest.mark.ansible, pytest.mark.xdist_group("fleet")]
ATTEMPT, NAME = "abcdefghij", "job-abcdef"
SCRIPT = 'sleep 0.2; mkdir results; echo 42 > results/r\nzip_="$HOPPER_OUTBOX/$HOPPER_JOB_ID.zip"\n'
SCRIPT += 'cp results/r "$zip_"; exit 3\n'


@dataclass(kw_only=True)
class Field:
    """A fleet of the workers ``good`` and ``bad`` (out of reach), and the passing of time."""

    fleet: Fleet
    folder: Path
    zip_path: Path
    wait: Callable[[], None]
    orders: int = 0
    waiting: list[Report] = field(default_factory=list)

    def ask(self, host: str = "good", **parts: object) -> Report:
        """Send one order and return its report."""
        self.orders += 1
        order = Order(
            id=f"o{self.orders}",
            host=host,
            inbox=str(self.folder / "Inbox"),
            outbox=str(self.folder / "Outbox"),
            incoming=str(self.folder / "incoming"),
            grace=1,
            deadline=60.0,
            **parts,  # type: ignore[arg-type]
        )
        self.fleet.send([order])
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            for report in self.fleet.receive():
                assert report.order == order.id, "a report that nobody awaits"
                return report
            self.wait()
        raise AssertionError(f"no report on {order}")

    def launch(self) -> Launch:
        content = self.zip_path.read_bytes()
        return Launch(
            attempt=ATTEMPT,
            job_id=NAME,
            name=NAME,
            zip_path=str(self.zip_path),
            zip_size=len(content),
            zip_sha256=hashlib.sha256(content).hexdigest(),
            command="sh run_job.sh",
            env={},
        )

    def until(self, phase: str, *, collect: bool = False) -> Report:
        for _ in range(200):
            report = self.ask(follows=(Follow(attempt=ATTEMPT, name=NAME, collect=collect),))
            assert not report.error, report.error
            if report.sightings[0].phase == phase:
                return report
            self.wait()
        raise AssertionError(f"never {phase}")


class _OnDisk:
    def has_zip(self, path: str) -> bool:
        return Path(path).exists()

    def write(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)


def fake_fleet(folder: Path) -> tuple[Fleet, Callable[[], None]]:
    clock = FakeClock()
    farm = Farm(clock, ["good", "bad"], _OnDisk())
    farm.plans[NAME] = Plan(seconds=0.3, exit_code=3)
    farm.workers["bad"].up = False
    return FakeFleet(farm), lambda: clock.advance(0.1)


def real_fleet(folder: Path) -> tuple[Fleet, Callable[[], None]]:
    inventory = folder / "inventory.yaml"
    hosts = {
        "good": {"ansible_connection": "local"},
        "bad": {"ansible_host": "127.0.0.1", "ansible_port": 1},
    }
    inventory.write_text(yaml.safe_dump({"hopper_workers": {"hosts": hosts}}))
    settings = SweepSettings(
        ansible=AnsibleSettings(inventory=(str(inventory),), connect_timeout=5),
        folder=folder / "runs",
    )
    sources = Sources(paths=(str(inventory),))
    return SweepFleet(settings, lambda: sources), lambda: time.sleep(0.02)


@pytest.fixture(params=[fake_fleet, real_fleet], ids=["fake", "real"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Field]:
    for name in ("Inbox", "Outbox", "incoming"):
        (tmp_path / name).mkdir()
    zip_path = tmp_path / f"{NAME}.zip"
    zip_path.write_bytes(zip_bytes(("run_job.sh", SCRIPT.encode())))
    fleet, wait = request.param(tmp_path)
    yield Field(fleet=fleet, folder=tmp_path, zip_path=zip_path, wait=wait)
    fleet.close(5.0)


def test_a_job_from_launch_to_clean(plain: Field) -> None:
    follow = Follow(attempt=ATTEMPT, name=NAME)
    before = plain.ask(follows=(follow,))
    assert before.sightings[0].phase == "absent"
    assert before.zips == ()
    first = plain.ask(launches=(plain.launch(),), follows=(follow,))
    assert first.launched[0].verdict == "now"
    second = plain.ask(launches=(plain.launch(),))
    assert second.launched[0].verdict == "again"

    ended = plain.until("ended", collect=True)
    [sighting] = ended.sightings
    assert (sighting.how, sighting.exit_code) == ("exited", 3)
    assert ended.gathered == (ATTEMPT,)
    [result] = [item for item in ended.collected if item.kind == "result"]
    assert result.name == f"{NAME}.zip"
    assert hashlib.sha256(Path(result.path).read_bytes()).hexdigest() == result.sha256

    third = plain.ask(launches=(plain.launch(),))
    assert third.launched[0].verdict == "again", "an attempt runs once, ever"
    releases = (Release(attempt=ATTEMPT, files=(f"{NAME}.zip",)),)
    tidied = plain.ask(releases=releases, cleans=(Target(attempt=ATTEMPT, name=NAME),))
    assert (tidied.released, tidied.cleaned) == ((ATTEMPT,), (ATTEMPT,))
    after = plain.ask(follows=(follow,))
    assert after.sightings[0].phase == "absent"
    assert after.zips == ()


def test_what_was_cancelled_before_it_came_never_starts(plain: Field) -> None:
    target = Target(attempt=ATTEMPT, name=NAME)
    cancelled = plain.ask(cancels=(target,), follows=(Follow(attempt=ATTEMPT, name=NAME),))
    assert cancelled.cancelled == ((ATTEMPT, "dead", ""),)
    assert (cancelled.sightings[0].phase, cancelled.sightings[0].how) == ("ended", "cancelled")
    assert plain.ask(launches=(plain.launch(),)).launched[0].verdict == "again"


def test_a_worker_out_of_reach_is_its_own_report(plain: Field) -> None:
    report = plain.ask("bad", launches=(plain.launch(),))
    assert report.error
    assert not report.delivered
