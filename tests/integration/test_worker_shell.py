"""What runs on a worker, under every sh that is here."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hopper.model.orders import External, Launch, LaunchResult, ReadLog, Release, Report
from hopper.remote.host import carry_out
from tests.conftest import Eventually
from tests.fakes.shell_worker import SHELLS, ShellWorker

SLEEP = "sleep 600"


@pytest.fixture(params=SHELLS)
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShellWorker]:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on this machine")
    made = ShellWorker.make(tmp_path, request.param)
    yield made
    made.close()


class Following:
    """Waits for a job of a worker."""

    def __init__(self, worker: ShellWorker, eventually: Eventually) -> None:
        self.worker, self.eventually = worker, eventually

    def until(self, launch: Launch, *phases: str) -> None:
        def reached() -> bool:
            return self.worker.look(launch).phase in phases

        self.eventually(reached, what=f"{launch.attempt} to be {phases}")

    def run(self, script: str, **extra: Any) -> Launch:
        """Launch a job and wait for its end."""
        launch = self.worker.job(script, **extra)
        assert self.worker.launch(launch) == "now"
        self.until(launch, "ended")
        return launch


@pytest.fixture
def following(worker: ShellWorker, eventually: Eventually) -> Following:
    return Following(worker, eventually)


def pid_in(path: Path) -> int:
    text = path.read_text().split() if path.exists() else []
    return int(text[0]) if text else 0


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


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
    plain = replace(launch, zip_size=130, zip_sha256=_sha256(path.read_bytes()))
    assert worker.launch(plain) == "refused unpack"
    assert not list(worker.inbox.glob("*.zip"))
    assert not (worker.inbox / launch.name).exists()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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


# Cancelling


def test_a_cancel_kills_what_ignores_term(worker: ShellWorker, following: Following) -> None:
    mark = worker.folder / "stubborn.pid"
    launch = worker.job(f"trap '' TERM\necho $$ > {mark}\nwhile :; do sleep 1; done")
    assert worker.launch(launch) == "now"
    following.eventually(lambda: pid_in(mark), what="the job")
    assert worker.cancel(launch) == (launch.attempt, "dead", "")
    assert not alive(pid_in(mark))
    following.until(launch, "ended")
    assert worker.look(launch).how == "cancelled"
    assert not list(worker.inbox.glob("*.zip"))


def test_a_cancel_before_the_launch_keeps_it_from_running(worker: ShellWorker) -> None:
    launch = worker.job("true")
    assert worker.cancel(launch)[1] == "dead"
    assert worker.launch(launch) == "again"
    assert worker.look(launch).how == "cancelled"
    assert worker.started() == 0


def test_a_cancel_after_the_end_changes_nothing(worker: ShellWorker, following: Following) -> None:
    launch = following.run("exit 4")
    assert worker.cancel(launch)[1] == "dead"
    seen = worker.look(launch)
    assert (seen.how, seen.exit_code) == ("exited", 4)


def test_a_cancel_while_it_is_being_launched_leaves_nothing_running(
    worker: ShellWorker, following: Following
) -> None:
    for _ in range(3):
        launch = worker.job(SLEEP)
        thread = threading.Thread(
            target=carry_out, args=(worker.transport, worker.order(launches=(launch,)))
        )
        thread.start()
        assert worker.cancel(launch)[1] == "dead"
        thread.join()
        following.until(launch, "ended")
        assert worker.look(launch).how == "cancelled"
        assert not list(worker.inbox.glob("*.zip"))


def test_a_cancel_without_launcher_still_ends_the_job(
    worker: ShellWorker, following: Following
) -> None:
    mark = worker.folder / "orphan.pid"
    launch = worker.job(f"echo $$ > {mark}\n{SLEEP}")
    assert worker.launch(launch) == "now"
    following.eventually(lambda: pid_in(mark), what="the job")
    os.kill(pid_in(worker.side(launch) / "started"), signal.SIGKILL)
    assert worker.look(launch).phase == "running"
    assert worker.cancel(launch)[1] == "dead"
    assert not alive(pid_in(mark))
    assert worker.look(launch).how == "cancelled"


def test_what_was_given_up_is_killed_and_its_results_set_aside(
    worker: ShellWorker, following: Following
) -> None:
    old = worker.job(f'touch "$HOPPER_OUTBOX/$HOPPER_JOB_ID.zip"\n{SLEEP}')
    assert worker.launch(old) == "now"
    result = worker.outbox / f"{old.name}.zip"
    following.eventually(result.exists, what="its result")
    report = worker.ask(discards=(worker.target(old),))
    assert report.discarded == ((old.attempt, "dead"),)
    assert not result.exists()
    assert list((worker.side(old) / "aside").glob("*.zip"))
    fresh = worker.job("exit 0", name=old.name)
    assert worker.launch(fresh) == "now"
    following.until(fresh, "ended")
    assert [c for c in worker.collect(fresh).collected if c.kind == "result"] == []


def test_a_reboot_is_told_from_an_end(worker: ShellWorker, following: Following) -> None:
    launch = worker.job(SLEEP)
    assert worker.launch(launch) == "now"
    started = worker.side(launch) / "started"
    pid, mark, _, epoch = started.read_text().split()
    started.write_text(f"{pid} {mark} another-boot {epoch}\n")
    assert worker.look(launch).phase == "rebooted"
    started.write_text(f"{pid} {mark} {worker.ask().boot_id} {epoch}\n")
    assert worker.look(launch).phase == "running"


def test_a_pid_taken_by_another_is_not_the_launcher(
    worker: ShellWorker, following: Following
) -> None:
    launch = worker.job("true")
    worker.side(launch).mkdir(parents=True)
    (worker.side(launch) / "run").mkdir()
    boot = worker.ask().boot_id
    (worker.side(launch) / "started").write_text(f"{os.getpid()} 1 {boot} 1700000000\n")
    assert worker.look(launch).phase == "vanished"


# Results


def home(report: Report) -> dict[str, Path]:
    return {item.name: Path(item.path) for item in report.collected}


PACK = 'python3 -m zipfile -c "$HOPPER_OUTBOX/$HOPPER_JOB_ID{}" run_job.sh\n'


@pytest.mark.parametrize("inline_limit", [1_000_000, 0])
def test_results_come_home_whole(
    worker: ShellWorker, following: Following, inline_limit: int
) -> None:
    launch = following.run(PACK.format(".zip") + PACK.format(".part2.zip") + "echo said")
    report = worker.collect(launch, inline_limit=inline_limit)
    assert report.gathered == (launch.attempt,)
    files = home(report)
    assert set(files) == {f"{launch.name}.zip", f"{launch.name}.part2.zip", "log"}
    assert zipfile.ZipFile(files[f"{launch.name}.zip"]).testzip() is None
    assert files["log"].read_text() == "said\n"
    assert all(_sha256(Path(c.path).read_bytes()) == c.sha256 for c in report.collected)


def test_the_results_of_another_job_are_not_its_own(
    worker: ShellWorker, following: Following
) -> None:
    launch = following.run(
        'cp run_job.sh "$HOPPER_OUTBOX/${HOPPER_JOB_ID}0.zip"\n'
        'cp run_job.sh "$HOPPER_OUTBOX/other.zip"\n'
        'ln -s /etc/passwd "$HOPPER_OUTBOX/$HOPPER_JOB_ID.zip"\n'
    )
    assert set(home(worker.collect(launch))) == {"log"}
    assert {p.name for p in worker.outbox.glob("*.zip")} == {
        f"{launch.name}0.zip",
        "other.zip",
        f"{launch.name}.zip",
    }


def test_older_results_of_the_name_are_moved_aside(
    worker: ShellWorker, following: Following
) -> None:
    old = worker.outbox / "job-abcdef.zip"
    old.write_text("from before")
    launch = following.run("true")
    assert set(home(worker.collect(launch))) == {"log"}
    [aside] = worker.inbox.glob(".hopper/*/aside/*.zip")
    assert aside.read_text() == "from before"


def test_a_second_attempt_of_a_job_sees_nothing_of_the_first(
    worker: ShellWorker, following: Following
) -> None:
    following.run("mkdir results; echo first > results/out")
    second = following.run("ls; [ ! -e results ]")
    assert worker.look(second).exit_code == 0
    assert set(home(worker.collect(second))) == {"log"}
    assert worker.started() == 2


def test_a_job_that_leaves_nothing_is_over_with_its_log(
    worker: ShellWorker, following: Following
) -> None:
    launch = following.run("echo nothing")
    report = worker.collect(launch)
    assert report.gathered == (launch.attempt,)
    assert set(home(report)) == {"log"}


def test_a_results_folder_comes_home_as_a_zip(worker: ShellWorker, following: Following) -> None:
    launch = following.run(
        "mkdir -p results/deep\n"
        "echo one > results/deep/one; echo x > 'results/-dash'\n"
        'printf two > "results/it\'s \\"two\\" \n end"\n'
        "printf raw > \"results/$(printf 'latin\\351')\"\n"
        "ln -s /etc/passwd results/link\n"
    )
    first, again = worker.collect(launch), worker.collect(launch)
    with zipfile.ZipFile(home(first)["results.zip"]) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert content == {
        "results/deep/one": b"one\n",
        "results/-dash": b"x\n",
        'results/it\'s "two" \n end': b"two",
        "results/latin\\xe9": b"raw",
    }
    digests = [c.sha256 for report in (first, again) for c in report.collected if c.kind == "tar"]
    assert digests[0] == digests[1]


def test_globs_say_what_comes_home(worker: ShellWorker, following: Following) -> None:
    launch = following.run(
        "mkdir out; echo 1 > out/a.csv; echo 2 > out/b.txt; echo 3 > '-n'; echo 4 > 'with space'"
    )
    report = worker.collect(launch, globs=("out/*.csv", "-n", "with space", "nothing*"))
    with zipfile.ZipFile(home(report)["results.zip"]) as archive:
        assert sorted(archive.namelist()) == ["-n", "out/a.csv", "with space"]


@pytest.mark.parametrize("inline_limit", [1_000_000, 0])
def test_odd_names_of_results_survive(
    worker: ShellWorker, following: Following, inline_limit: int
) -> None:
    tail = 'it\'s "odd"\n$(touch gone) *'
    launch = worker.job(
        'cp run_job.sh "$HOPPER_OUTBOX/$HOPPER_JOB_ID.$TAIL.zip"', env={"TAIL": tail}
    )
    assert worker.launch(launch) == "now"
    following.until(launch, "ended")
    name = f"{launch.name}.{tail}.zip"
    report = worker.collect(launch, inline_limit=inline_limit)
    assert set(home(report)) == {name, "log"}
    assert b"HOPPER_OUTBOX" in home(report)[name].read_bytes()
    worker.ask(releases=(Release(attempt=launch.attempt, files=(name,)),))
    assert not list(worker.outbox.iterdir())


def test_of_a_huge_log_only_the_end_comes_home(worker: ShellWorker, following: Following) -> None:
    launch = following.run("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo the end")
    report = worker.collect(launch, log_limit=100_000)
    assert report.sightings[0].log_bytes == 100_000_009
    log = home(report)["log"].read_bytes()
    assert len(log) == 100_000
    assert log.endswith(b"x\nthe end\n")


def test_a_file_over_the_limit_stays_for_an_order_of_its_own(
    worker: ShellWorker, following: Following
) -> None:
    launch = following.run("mkdir results; head -c 200000 /dev/zero > results/big")
    report = worker.collect(launch, fetch_limit=100_000, inline_limit=1_000)
    assert report.too_large == (launch.attempt,)
    assert report.gathered == ()
    assert worker.collect(launch, inline_limit=1_000).gathered == (launch.attempt,)


def test_released_and_cleaned_leaves_nothing(worker: ShellWorker, following: Following) -> None:
    launch = following.run(PACK.format(".zip"))
    worker.collect(launch)
    report = worker.ask(
        releases=(Release(attempt=launch.attempt, files=(f"{launch.name}.zip",)),),
        cleans=(worker.target(launch),),
    )
    assert (report.released, report.cleaned) == ((launch.attempt,), (launch.attempt,))
    assert [p.name for p in worker.inbox.iterdir()] == [".hopper"]
    assert not list((worker.inbox / ".hopper").iterdir())
    assert not list(worker.outbox.iterdir())


def test_cleaning_one_attempt_leaves_the_next_alone(
    worker: ShellWorker, following: Following
) -> None:
    first = following.run("true")
    second = worker.job(SLEEP, name=first.name)
    assert worker.launch(second) == "now"
    worker.ask(cleans=(worker.target(first),))
    assert worker.look(first).phase == "absent"
    assert worker.look(second).phase == "running"
    assert (worker.inbox / second.name / "job" / "run_job.sh").exists()


def test_logs_are_read_by_offset(worker: ShellWorker, following: Following) -> None:
    launch = following.run("printf 0123456789; printf '\\0\\377'")

    def read(offset: int, limit: int) -> tuple[int, int, bytes]:
        log = worker.ask(log=ReadLog(attempt=launch.attempt, offset=offset, limit=limit)).log
        assert log is not None
        return log.size, log.offset, log.text.encode("latin-1")

    assert read(0, 4) == (12, 0, b"0123")
    assert read(4, 100) == (12, 4, b"456789\0\xff")
    assert read(12, 100) == (12, 12, b"")
    assert read(99, 100) == (12, 12, b"")
    assert read(-3, 100) == (12, 9, b"9\0\xff")
    assert read(-99, 2) == (12, 0, b"01")
    assert read(3, 0) == (12, 3, b"")


def test_the_log_of_nothing_is_empty(worker: ShellWorker) -> None:
    log = worker.ask(log=ReadLog(attempt="a000000000", offset=0, limit=10)).log
    assert log is not None
    assert (log.size, log.text) == (0, "")


def test_an_external_zip_is_seen_and_its_results_collected(worker: ShellWorker) -> None:
    (worker.inbox / "theirs.zip").write_bytes(b"zip")
    external = External(attempt="x000000001", name="theirs")
    report = worker.ask(externals=(external,))
    assert report.zips == ("theirs.zip",)
    assert [(e.in_inbox, e.results) for e in report.externals] == [(True, ())]
    (worker.inbox / "theirs.zip").unlink()
    (worker.outbox / "theirs.zip").write_bytes(b"done")
    (worker.outbox / "theirs2.zip").write_bytes(b"not ours")
    report = worker.ask(externals=(replace(external, collect=True),))
    assert [(e.in_inbox, e.results) for e in report.externals] == [(False, (("theirs.zip", 4),))]
    assert home(report)["theirs.zip"].read_bytes() == b"done"
    assert report.gathered == ("x000000001",)


def test_it_says_what_the_host_is(worker: ShellWorker) -> None:
    report = worker.ask()
    assert report.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert report.clock_skew is not None
    assert abs(report.clock_skew) < 30
    assert report.free_bytes is not None
    assert report.free_bytes > 0
    assert (report.inbox, report.outbox) == (str(worker.inbox), str(worker.outbox))


@pytest.mark.parametrize("inbox", ["~/Inbox", "Inbox", '~/it\'s "$(touch x)" Inbox'])
def test_folders_may_start_at_home_and_have_any_name(worker: ShellWorker, inbox: str) -> None:
    path = worker.transport.home / inbox.removeprefix("~/")
    path.mkdir(exist_ok=True)
    report = worker.ask(inbox=inbox)
    assert report.inbox == str(path)
    assert not report.missing
    assert not (worker.transport.home / "x").exists()
