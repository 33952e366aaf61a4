"""Workers as sshds on loopback addresses, one each, run by the current user.

They share the machine: processes, boot id and /tmp are everybody's, and no link can be cut. A
worker's processes are known by a mark that its sshd puts into their environment.
"""

from __future__ import annotations

import getpass
import os
import secrets
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rigs._farm import procs
from tests.rigs._farm.sshd import (
    MARK,
    make_keys,
    program,
    wait_listening,
    write_client,
    write_worker,
)
from tests.rigs._farm.values import FarmError, FarmPlan, FarmWorker, until

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 250
PRIVSEP = Path("/run/sshd")  # made at boot where sshd is a service, and root's sshd wants it


def plan(count: int, folder: Path, *, reason: str) -> FarmPlan:
    """Choose addresses in 127.0.0.0/8 and a free port."""
    if count > MOST:
        message = f"a loopback farm takes at most {MOST} workers, not {count}"
        raise FarmError(message)
    net = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}"
    hosts = [f"{net}.{number}" for number in range(1, count + 1)]
    port = _free_port(net)
    user = getpass.getuser()
    workers = tuple(
        _worker(number, host, port, user, folder) for number, host in enumerate(hosts, start=1)
    )
    return FarmPlan(
        tag=secrets.token_hex(2), mode="loopback", reason=reason, folder=folder, user=user,
        uid=os.getuid(), gid=os.getgid(), gateway="127.0.0.1", prefix=8, disk_mb=None,
        workers=workers,
    )  # fmt: skip


def _free_port(net: str) -> int:
    with socket.socket() as probe:
        probe.bind((f"{net}.1", 0))
        return int(probe.getsockname()[1])


def _worker(number: int, host: str, port: int, user: str, folder: Path) -> FarmWorker:
    name = f"w{number}"
    home = folder / name / "home"
    return FarmWorker(
        name=name, number=number, host=host, port=port, user=user, folder=folder / name,
        home=home, inbox=str(home / "Inbox"), outbox=str(home / "Outbox"),
    )  # fmt: skip


class LoopbackSite:
    """A farm on loopback addresses. Its constructor starts nothing."""

    def __init__(self, plan: FarmPlan) -> None:
        self.plan = plan
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self) -> None:
        """Write all files."""
        if os.geteuid() == 0:
            PRIVSEP.mkdir(mode=0o755, exist_ok=True)
        make_keys(self.plan.folder)
        write_client(self.plan)
        for worker in self.plan.workers:
            write_worker(self.plan, worker, str(worker.etc))
            worker.home.mkdir(exist_ok=True)

    def launch(self, workers: Iterable[FarmWorker]) -> None:
        """Start these workers' sshds and wait until they listen."""
        for worker in (starting := tuple(workers)):
            (worker.etc / "sshd.pid").unlink(missing_ok=True)
            command = [program("sshd") or "sshd", "-D", "-f", str(worker.etc / "sshd_config"), "-e"]
            with worker.log.open("ab") as log:
                self._children[worker.name] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                    start_new_session=True,
                )  # fmt: skip
            procs.remember(worker.folder / "pid", self._children[worker.name].pid)
        for worker in starting:
            wait_listening(worker, self._children[worker.name])

    def init(self, worker: FarmWorker) -> int | None:
        """Pid of the worker's sshd; None when the worker is dead."""
        return procs.recall(worker.folder / "pid")

    def _dead(self, worker: FarmWorker) -> bool:
        return self.init(worker) is None

    def pids(self, worker: FarmWorker) -> list[int]:
        """The worker's processes but its sshd: the marked ones and what descends from sshd."""
        init = self.init(worker)
        born = procs.descendants(init) if init else []
        found = {*procs.marked(f"{MARK}={self.plan.tag}-{worker.name}"), *born}
        return sorted(found - {os.getpid()})

    def stop(self, workers: Iterable[FarmWorker]) -> None:
        """`kill -9` these workers' sshds and all that was started through them."""
        for worker in (stopping := tuple(workers)):
            inside = self.pids(worker)
            procs.send([init] if (init := self.init(worker)) else [], signal.SIGKILL)
            procs.send(inside, signal.SIGKILL)
        for worker in stopping:
            if child := self._children.pop(worker.name, None):
                child.wait()
            until(partial(self._dead, worker), f"the end of {worker.name}")

    def remove(self) -> None:
        """Stop all workers; the folder's files stay."""
        self.stop(self.plan.workers)
