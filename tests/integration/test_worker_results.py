"""What comes home from a worker, under every sh that is here."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hopper.model.orders import External, ReadLog, Release
from tests.fakes.shell_worker import Following, ShellWorker, home, sha256

SLEEP = "sleep 600"


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
    assert all(sha256(Path(c.path).read_bytes()) == c.sha256 for c in report.collected)


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
