"""Launching on a worker and how jobs end there, under every sh that is here."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.model.orders import LaunchResult
from hopper.remote.host import carry_out
from tests.fakes.shell_worker import Following, ShellWorker, alive, pid_in, sha256

SLEEP = "sleep 600"


# Launching once


def test_a_job_runs_with_all_that_it_was_given(worker: ShellWorker, following: Following) -> None:
    launch = following.run(
        'env | grep "^HOPPER_"; printf "%s|" "$ODD"; pwd',
        env={"ODD": 'a\'b "$(id)" \\ \n ü'},
        slot=3,
    )
    seen = worker.look(launch)
    assert (seen.how, seen.exit_code, worker.started()) == ("exited", 0, 1)
    log = (worker.side(launch) / "log").read_text()
    assert 'a\'b "$(id)" \\ \n ü|' in log
    folder = worker.inbox / launch.name / "job"
    for line in (
        f"HOPPER_JOB_ID={launch.job_id}",
        f"HOPPER_ATTEMPT_ID={launch.attempt}",
        f"HOPPER_INBOX={worker.inbox}",
        f"HOPPER_OUTBOX={worker.outbox}",
        f"HOPPER_ZIP_NAME={launch.name}.zip",
        f"HOPPER_EXTRACT_DIR={folder}",
        "HOPPER_SLOT=3",
    ):
        assert line in log.splitlines(), line
    assert log.rstrip().endswith(f"|{folder}")


def test_the_same_attempt_again_starts_nothing(worker: ShellWorker, following: Following) -> None:
    launch = worker.job(SLEEP)
    assert [worker.launch(launch) for _ in range(3)] == ["now", "again", "again"]
    following.eventually(worker.started, what="the job")
    assert worker.cancel(launch)[1] == "dead"
    assert worker.launch(launch) == "again"
    assert worker.started() == 1


def test_two_at_once_of_one_attempt_start_it_once(
    worker: ShellWorker, following: Following
) -> None:
    launch = worker.job(SLEEP)
    results: list[LaunchResult] = []
    gate = threading.Barrier(4)

    def go() -> None:
        order = worker.order(launches=(launch,))
        gate.wait()
        results.extend(carry_out(worker.transport, order).launched)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdicts = sorted(result.verdict for result in results)
    assert verdicts.count("now") == 1
    assert set(verdicts) <= {"now", "again", "underway"}
    following.eventually(worker.started, what="the job")
    worker.cancel(launch)
    assert worker.started() == 1


def test_a_full_inbox_refuses(worker: ShellWorker) -> None:
    first = worker.job(SLEEP, name="first-aaaaaa", slots=2)
    second = worker.job(SLEEP, name="second-aaaaaa", slots=2)
    third = worker.job(SLEEP, name="third-aaaaaa", slots=2)
    verdicts = [worker.launch(job) for job in (first, second, third)]
    assert verdicts == ["now", "now", "refused busy"]
    assert worker.look(third).phase == "absent"
    worker.cancel(first)
    assert worker.launch(third) == "now"


@pytest.mark.parametrize("cut", [20, 2_000, 24_000, -12_000])
def test_a_torn_upload_starts_nothing_and_can_be_repeated(
    worker: ShellWorker, following: Following, cut: int
) -> None:
    launch = worker.job("true", files={"big": os.urandom(50_000)})
    worker.transport.cut_input = cut
    torn = carry_out(worker.transport, worker.order(launches=(launch,)))
    assert torn.error
    assert torn.delivered
    worker.transport.cut_input = None
    assert worker.look(launch).phase in {"absent", "staged"}
    assert worker.launch(launch) == "now"
    following.until(launch, "ended")
    assert worker.started() == 1


def test_a_damaged_zip_is_refused_and_the_whole_one_taken(
    worker: ShellWorker, following: Following
) -> None:
    launch = worker.job("true")
    wrong = replace(launch, zip_sha256="0" * 64)
    assert worker.launch(wrong) == "refused torn"
    assert worker.launch(launch) == "now"
    following.until(launch, "ended")
    assert worker.started() == 1


def test_what_is_no_zip_is_refused(worker: ShellWorker) -> None:
    launch = worker.job("true")
    path = Path(launch.zip_path)
    path.write_bytes(b"no zip at all" * 10)
    plain = replace(launch, zip_size=130, zip_sha256=sha256(path.read_bytes()))
    assert worker.launch(plain) == "refused unpack"
    assert not list(worker.inbox.glob("*.zip"))
    assert not (worker.inbox / launch.name).exists()


def test_too_little_room_refuses(worker: ShellWorker) -> None:
    launch = worker.job("true", unpacked_size=1 << 60)
    [result] = worker.ask(launches=(launch,)).launched
    assert (result.verdict, result.why) == ("refused", "disk")
    assert "needs" in result.text
    assert worker.look(launch).phase == "absent"
    assert not list(worker.inbox.glob("*.zip"))


@pytest.mark.parametrize("inline_limit", [1_000_000, 0])
def test_a_host_without_inbox_says_so(worker: ShellWorker, inline_limit: int) -> None:
    shutil.rmtree(worker.inbox)
    launch = worker.job("true")
    report = worker.ask(launches=(launch,), inline_limit=inline_limit)
    assert not worker.inbox.exists()
    assert [result.why for result in report.launched] == ["setup"]
    assert report.missing == (f"inbox {worker.inbox}",)


def test_a_zip_above_the_inline_limit_goes_apart(worker: ShellWorker, following: Following) -> None:
    launch = worker.job("cat big | wc -c", files={"big": b"x" * 100_000})
    assert worker.launch(launch, inline_limit=1_000) == "now"
    following.until(launch, "ended")
    assert (worker.side(launch) / "log").read_text().strip() == "100000"


# How jobs end


@pytest.mark.parametrize("code", [0, 1, 3, 125, 255])
def test_the_exit_code_is_the_jobs(worker: ShellWorker, following: Following, code: int) -> None:
    launch = following.run(f"exit {code}")
    seen = worker.look(launch)
    assert (seen.phase, seen.how, seen.exit_code) == ("ended", "exited", code)
    assert not list(worker.inbox.glob("*.zip"))


def test_a_job_that_kills_its_own_shell_has_ended(
    worker: ShellWorker, following: Following
) -> None:
    launch = following.run("kill -9 $$")
    seen = worker.look(launch)
    assert (seen.phase, seen.how, seen.exit_code) == ("ended", "exited", 137)
    assert worker.started() == 1


def test_a_job_that_kills_its_launcher_is_known_to_be_gone(
    worker: ShellWorker, following: Following
) -> None:
    launch = worker.job(
        'kill -9 $(cut -d" " -f1 "$HOPPER_INBOX/.hopper/$HOPPER_ATTEMPT_ID/started")'
    )
    assert worker.launch(launch) == "now"
    following.until(launch, "vanished")
    assert worker.launch(launch) == "again"
    assert worker.started() == 1


def test_what_forks_and_leaves_is_still_the_job(worker: ShellWorker, following: Following) -> None:
    mark = worker.folder / "left.pid"
    launch = worker.job(
        f"setsid sh -c 'echo $$ > {mark}; exec sleep 600' >/dev/null 2>&1 &\nexit 0"
    )
    assert worker.launch(launch) == "now"
    following.eventually(lambda: pid_in(mark), what="the one that left")
    assert worker.look(launch).phase == "running"
    assert worker.cancel(launch)[1] == "dead"
    assert not alive(pid_in(mark))


def test_what_is_left_behind_once_the_zip_is_gone_is_killed(
    worker: ShellWorker, following: Following
) -> None:
    mark = worker.folder / "left.pid"
    launch = following.run(
        f"setsid sh -c 'echo $$ > {mark}; exec sleep 600' >/dev/null 2>&1 &\n"
        f"while [ ! -s {mark} ]; do sleep 0.05; done\n"
        'rm "$HOPPER_INBOX/$HOPPER_ZIP_NAME"'
    )
    seen = worker.look(launch)
    assert seen.exit_code == 0
    assert str(pid_in(mark)) in seen.left_behind.split()
    assert not alive(pid_in(mark))


def test_a_time_limit_ends_it_with_all_it_started(
    worker: ShellWorker, following: Following
) -> None:
    mark = worker.folder / "inner.pid"
    launch = following.run(f"sh -c 'echo $$ > {mark}; exec sleep 600'\nsleep 600", time_limit=1)
    seen = worker.look(launch)
    assert seen.how == "timeout"
    assert not alive(pid_in(mark))
    assert not list(worker.inbox.glob("*.zip"))


def test_a_job_that_ends_in_time_has_no_watchdog_left(
    worker: ShellWorker, following: Following
) -> None:
    launch = following.run("true", time_limit=543_210)
    assert worker.look(launch).how == "exited"

    def watchdogs() -> list[str]:
        return [
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"sleep\x00543210" in _read(path)
        ]

    following.eventually(lambda: not watchdogs(), what="the watchdog's end")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
