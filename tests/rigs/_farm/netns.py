"""Workers as machines of their own: network, mount, host name and pid namespaces (root only)."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import signal
import subprocess
import uuid
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rigs._farm import network, procs
from tests.rigs._farm.sshd import make_keys, program, wait_listening, write_client, write_worker
from tests.rigs._farm.values import FarmError, FarmPlan, FarmWorker, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USER = "hopw"
LOCK = Path("/run/hopper-farm.lock")
FIRST_UID = 21022

# Runs as pid 1 of the worker, in the worker's folder. Sources are relative to it, because the
# mounts hide the places where a farm's folder may lie (/tmp, /home, /run).
INIT = """\
set -e
read -r pid _ < /proc/self/stat
mount -t proc proc /proc
hostname "$1"
mount -t tmpfs -o mode=755,size=4m farm /run
mkdir /run/sshd /run/farm
mount -c --bind ./etc /run/farm
mount --bind /run/farm/boot_id /proc/sys/kernel/random/boot_id
mount --bind /run/farm/passwd /etc/passwd
mount --bind /run/farm/shadow /etc/shadow
mount --bind /run/farm/group /etc/group
mount -t tmpfs -o mode=755,size=1m farm /home
mkdir "/home/$2"
mount -c --bind ./home "/home/$2"
mount -c --bind ./tmp /tmp
ip -batch /run/farm/network
cd /
echo "$pid" > /run/farm/init.pid
exec "$3" -D -f /run/farm/sshd_config -e
"""


def problem() -> str | None:
    """Why this machine cannot do it; None when it can. Tries it out and leaves nothing."""
    if os.geteuid() != 0:
        return "not root"
    for name in ("ip", "unshare", "nsenter", "mount"):
        if not program(name):
            return f"no {name} on this machine"
    trial = "mount -t proc proc /proc && ip link add type veth && ip link add type bridge"
    command = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "sh", "-c", trial]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"namespaces refused: {done.stderr.strip()}" if done.returncode else None


@contextmanager
def alone() -> Iterator[None]:
    """Hold the machine-wide lock under which a farm picks its network."""
    with LOCK.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def plan(count: int, folder: Path, *, reason: str, disk_mb: int | None) -> FarmPlan:
    """Choose names, addresses and a user id. Call it, and raise the network, under `alone`."""
    subnet = network.free_subnet()
    addresses = [str(address) for address in subnet.hosts()]
    most = len(addresses) - 1
    if count > most:
        message = f"a farm takes at most {most} workers, not {count}"
        raise FarmError(message)
    uid = _free_uid()
    workers = tuple(_worker(number, addresses[number], folder) for number in range(1, count + 1))
    return FarmPlan(
        tag=secrets.token_hex(2), mode="netns", reason=reason, folder=folder, user=USER, uid=uid,
        gid=uid, gateway=addresses[0], prefix=subnet.prefixlen, disk_mb=disk_mb, workers=workers,
    )  # fmt: skip


def _worker(number: int, host: str, folder: Path) -> FarmWorker:
    name = f"w{number}"
    return FarmWorker(
        name=name, number=number, host=host, port=22, user=USER, folder=folder / name,
        home=folder / name / "home", inbox=f"/home/{USER}/Inbox", outbox=f"/home/{USER}/Outbox",
    )  # fmt: skip


def _free_uid() -> int:
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(FIRST_UID, FIRST_UID + 10000) if uid not in taken)


class NetnsSite:
    """A farm whose workers live in namespaces. Its constructor starts nothing."""

    def __init__(self, plan: FarmPlan) -> None:
        self.plan = plan
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self) -> None:
        """Write all files and raise the network."""
        make_keys(self.plan.folder)
        write_client(self.plan)
        for worker in self.plan.workers:
            write_worker(self.plan, worker, "/run/farm")
            self._write_own(worker)
        network.raise_network(self.plan)

    def _write_own(self, worker: FarmWorker) -> None:
        plan = self.plan
        (worker.etc / "network").write_text(network.worker_lines(plan, worker), encoding="utf-8")
        account = f"{plan.user}:x:{plan.uid}:{plan.gid}::/home/{plan.user}:/bin/bash\n"
        # `*` and not `!`: without PAM sshd refuses an account that is locked.
        files = {
            "passwd": Path("/etc/passwd").read_text(encoding="utf-8") + account,
            "group": Path("/etc/group").read_text(encoding="utf-8")
            + f"{plan.user}:x:{plan.gid}:\n",
            "shadow": f"root:*:19000::::::\n{plan.user}:*:19000::::::\n",
        }
        for name, text in files.items():
            (worker.etc / name).write_text(text, encoding="utf-8")
        (worker.etc / "shadow").chmod(0o600)
        (worker.folder / "tmp").mkdir(exist_ok=True)
        (worker.folder / "tmp").chmod(0o1777)
        worker.home.mkdir(exist_ok=True)
        if plan.disk_mb is not None and not worker.home.is_mount():
            options = f"size={plan.disk_mb}m,mode=700"
            mount = ["mount", "-t", "tmpfs", "-o", options, f"hopper-farm-{plan.tag}"]
            subprocess.run([*mount, str(worker.home)], check=True)
        os.chown(worker.home, plan.uid, plan.gid)
        worker.home.chmod(0o700)

    def launch(self, workers: Iterable[FarmWorker]) -> None:
        """Start these workers, each with a boot id of its own, and wait until they listen."""
        workers = tuple(workers)
        for worker in workers:
            self._launch(worker)
        for worker in workers:
            wait_listening(worker, self._children[worker.name])
            procs.remember(worker.folder / "pid", int((worker.etc / "init.pid").read_text()))

    def _launch(self, worker: FarmWorker) -> None:
        for name in ("sshd.pid", "init.pid"):
            (worker.etc / name).unlink(missing_ok=True)
        (worker.etc / "boot_id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        netns = f"/run/netns/{network.Names(tag=self.plan.tag).netns(worker)}"
        command = ["nsenter", f"--net={netns}", "--", "unshare", "--mount", "--uts", "--pid"]
        command += ["--fork", "--kill-child", "--propagation", "private", "--"]
        sshd = program("sshd") or "sshd"
        mark = f"hf{self.plan.tag}"  # so that `ps` tells whose worker it is
        with worker.log.open("ab") as log:
            self._children[worker.name] = subprocess.Popen(
                [*command, "/bin/sh", "-c", INIT, mark, worker.name, self.plan.user, sshd],
                cwd=worker.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def init(self, worker: FarmWorker) -> int | None:
        """Pid, seen from outside, of the worker's first process; None when the worker is dead."""
        return procs.recall(worker.folder / "pid")

    def _dead(self, worker: FarmWorker) -> bool:
        return self.init(worker) is None

    def pids(self, worker: FarmWorker) -> list[int]:
        """All of the worker's processes but its sshd, as pids seen from outside."""
        init = self.init(worker)
        return procs.inside(init) if init else []

    def stop(self, workers: Iterable[FarmWorker]) -> None:
        """`kill -9` these workers: everything in them dies, nothing is flushed or said goodbye."""
        for worker in (stopping := tuple(workers)):
            if init := self.init(worker):
                procs.send([init], signal.SIGKILL)
            elif child := self._children.get(worker.name):
                child.kill()
        for worker in stopping:
            if child := self._children.pop(worker.name, None):
                child.wait()
            until(partial(self._dead, worker), f"the end of {worker.name}")

    def boot_id(self, worker: FarmWorker) -> str:
        """The boot id that the worker shows since its last start."""
        return (worker.etc / "boot_id").read_text(encoding="ascii").strip()

    def enter(self, worker: FarmWorker, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside the worker, without ssh."""
        init = self.init(worker)
        if init is None:
            message = f"{worker.name} is not running"
            raise FarmError(message)
        command = ["nsenter", "-t", str(init), "-m", "-u", "-n", "-p", "--", *argv]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def remove(self) -> None:
        """Stop all workers and take network and mounts away; the folder's files stay."""
        self.stop(self.plan.workers)
        network.lower_network(self.plan)
        for worker in self.plan.workers:
            if worker.home.is_mount():
                subprocess.run(["umount", "-l", str(worker.home)], check=False)
