"""Cancelling, giving up and rebooting, under every sh that is here."""

from __future__ import annotations

import os
import signal
import threading

from hopper.remote.host import carry_out
from tests.fakes.shell_worker import Following, ShellWorker, alive, pid_in

SLEEP = "sleep 600"


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
