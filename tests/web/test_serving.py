"""The server and the dispatcher beside it, as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import httpx

from tests.acceptance.person import SECONDS
from tests.conftest import Eventually
from tests.web.lab import Lab

QUICK = "#!/bin/sh\nmkdir -p results\necho done > results/answer.txt\n"


def dispatcher_of(lab: Lab) -> int | None:
    held = lab.json("status")["dispatcher"]
    return None if held is None else int(held["pid"])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_command_serves_and_dispatches(lab: Lab, eventually: Eventually) -> None:
    job = lab.submit_folder("quick", QUICK)
    with lab.serving() as page:
        lab.wait_for(job, "completed")
        assert page.get("/").status_code == 200
        assert page.health()["status"] == "ok"
        assert page.health()["dispatcher"] is True
        pid = dispatcher_of(lab)
        assert pid is not None
        assert pid != page.process.pid
    assert not alive(pid)
    assert dispatcher_of(lab) is None


def test_without_dispatch_it_only_shows(lab: Lab) -> None:
    job = lab.submit_folder("quick", QUICK)
    with lab.serving(dispatch=False) as page:
        assert page.health()["dispatcher"] is False
        assert lab.state_of(job) == "pending"


def test_the_dispatcher_ends_with_a_server_that_is_killed(lab: Lab, eventually: Eventually) -> None:
    with lab.serving() as page:
        eventually(lambda: dispatcher_of(lab) is not None, within=SECONDS)
        pid = dispatcher_of(lab)
        assert pid is not None
        page.kill()
        eventually(lambda: not alive(pid), within=SECONDS)


def test_a_dispatcher_that_dies_is_started_again(lab: Lab, eventually: Eventually) -> None:
    with lab.serving() as page:
        eventually(lambda: dispatcher_of(lab) is not None, within=SECONDS)
        first = dispatcher_of(lab)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: dispatcher_of(lab) not in {None, first}, within=SECONDS)
        assert page.get("/").status_code == 200


def test_a_dispatcher_that_runs_elsewhere_is_left_to_it(lab: Lab, eventually: Eventually) -> None:
    with subprocess.Popen(
        ["hopper", "dispatch", "--quiet"], cwd=lab.folder, env=lab.environment
    ) as other:
        try:
            eventually(lambda: dispatcher_of(lab) == other.pid, within=SECONDS)
            with lab.serving() as page:
                assert page.health()["dispatcher"] is True
                assert dispatcher_of(lab) == other.pid
                other.terminate()
                other.wait(SECONDS)
                eventually(lambda: dispatcher_of(lab) not in {None, other.pid}, within=SECONDS)
        finally:
            other.kill()


def test_a_port_that_is_taken_is_told_in_a_line(lab: Lab) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = lab.refused("web", "--port", str(port))
    assert f"cannot listen on 127.0.0.1 port {port}" in said


def test_below_a_path_whether_or_not_the_proxy_takes_it_off(lab: Lab) -> None:
    lab.config({"web": {"root_path": "/lab/hopper"}})
    with lab.serving(dispatch=False) as page:
        assert page.url.endswith("/lab/hopper")
        whole = page.get("/")
        root = page.url.removesuffix("/lab/hopper")
        taken_off = httpx.get(f"{root}/", timeout=SECONDS)
        assert whole.status_code == taken_off.status_code == 200
        assert 'href="/lab/hopper/static/app.css' in whole.text
        assert 'href="/lab/hopper/static/app.css' in taken_off.text
        style = whole.text.partition('href="/lab/hopper/static/app.css')[2].partition('"')[0]
        assert page.get(f"/static/app.css{style}").status_code == 200
