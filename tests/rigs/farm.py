"""A farm of SSH workers on this machine: real sshds, with faults to order.

    with Farm.start(4, tmp_path) as farm:
        inventory = farm.inventory(tmp_path / "inventory.yml", w1={"hopper_slots": 2})
        farm.ssh("w1", "echo hello")
        farm.cut("w2")

As root each worker is a machine of its own (mode `netns`): network, mount, host name and pid
namespaces, an address, a home, a /tmp, a boot id. Otherwise (mode `loopback`) each is an sshd of
the current user on 127.x.y.z; cutting off and disks are then not to be had. By hand:
`python -m tests.rigs.farm up 4`, `exec w1 -- uptime`, `down`.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from tests.rigs._farm import cleanup, loopback, netns
from tests.rigs._farm.closing import Closing
from tests.rigs._farm.faults import Faults, Site
from tests.rigs._farm.sshd import inventory_text, program
from tests.rigs._farm.values import (
    STATE_FILE,
    FarmError,
    FarmPlan,
    FarmUnsupportedError,
    FarmWorker,
    Mode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Farm", "FarmError", "FarmUnsupportedError", "FarmWorker", "missing"]


def missing() -> str | None:
    """Why no farm at all can start here, to be printed by a test that skips; None if one can."""
    absent = [name for name in ("sshd", "ssh", "ssh-keygen") if not program(name)]
    return f"no {', '.join(absent)} on this machine (openssh-server)" if absent else None


class Farm(Faults, Closing):
    """Some SSH workers. Made by `start`, or by `attach` for one that another process started."""

    def __init__(self, site: Site, *, watch: cleanup.Watch | None = None) -> None:
        super().__init__(site)
        self._watch = watch

    @classmethod
    def start(
        cls,
        count: int,
        folder: Path,
        mode: Mode | None = None,
        *,
        disk_mb: int | None = None,
        keep: bool = False,
    ) -> Self:
        """Start `count` workers whose files live in `folder`, made when missing.

        `mode` None takes `netns` where it can; `reason` then says why not. `disk_mb` gives every
        worker a home of that many MiB, to be filled. `keep` lets the farm outlive this process.
        Raises FarmError when sshd is missing or a worker does not come up, FarmUnsupportedError
        when the asked mode cannot be had.
        """
        if absent := missing():
            raise FarmError(absent)
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE_FILE).exists():
            message = f"there is a farm in {folder} already: take it down first"
            raise FarmError(message)
        with ExitStack() as stack:
            site = _prepare(count, folder, mode, disk_mb, stack)
            farm = cls(site, watch=None if keep else cleanup.Watch(folder))
            stack.callback(farm.close)
            farm._own()
            site.launch(site.plan.workers)
            stack.pop_all()
        return farm

    def _own(self) -> None:
        if self._watch is not None:
            self._watch.start()
            cleanup.remember(id(self), self.close)

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """The farm that some process started in `folder`. Raises FarmError when there is none."""
        plan = FarmPlan.load(folder.resolve())
        netned = plan.mode == "netns"
        return cls(netns.NetnsSite(plan) if netned else loopback.LoopbackSite(plan))

    def close(self) -> None:
        """Stop all workers and leave nothing behind but the folder's files."""
        self._site.remove()
        (self.folder / STATE_FILE).unlink(missing_ok=True)
        cleanup.forget(id(self))
        if self._watch is not None:
            self._watch.dismiss()

    def wipe(self) -> None:
        """`close`, and delete the files that the farm made in its folder."""
        self.close()
        for worker in self.workers:
            shutil.rmtree(worker.folder, ignore_errors=True)
        for name in ("id", "id.pub", "hostkey", "hostkey.pub", "known_hosts", "ssh_config"):
            (self.folder / name).unlink(missing_ok=True)

    # What there is

    @property
    def folder(self) -> Path:
        """The farm's scratch folder."""
        return self.plan.folder

    @property
    def workers(self) -> list[FarmWorker]:
        """The workers, w1 first."""
        return list(self.plan.workers)

    @property
    def ssh_config(self) -> Path:
        """A configuration with which `ssh -F FILE w1` reaches the workers."""
        return self.folder / "ssh_config"

    def inventory(
        self,
        path: Path,
        group_vars: Mapping[str, Any] | None = None,
        **hostvars: Mapping[str, Any],
    ) -> Path:
        """Write an Ansible inventory with the workers in the group `hopper_workers`.

        `group_vars` go to the group, `w1={…}` to that host, over what the farm sets. Gives `path`.
        """
        for name in hostvars:
            self.worker(name)
        path.write_text(inventory_text(self.plan, group_vars or {}, hostvars), encoding="utf-8")
        return path

    def ssh(
        self, name: str, command: str, *, stdin: bytes = b"", seconds: float = 30
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a shell command on a worker over ssh, as a user would; 255 is ssh's own failure."""
        argv = [program("ssh") or "ssh", "-F", str(self.ssh_config), self.worker(name).name]
        return subprocess.run(
            [*argv, command], input=stdin, capture_output=True, timeout=seconds, check=False
        )


def _prepare(
    count: int, folder: Path, mode: Mode | None, disk_mb: int | None, stack: ExitStack
) -> Site:
    problem = netns.problem() if mode != "loopback" else "asked for"
    if problem is None:
        with netns.alone():
            plan = netns.plan(count, folder, reason="root, with namespaces", disk_mb=disk_mb)
            plan.save()
            site = netns.NetnsSite(plan)
            stack.callback((folder / STATE_FILE).unlink, missing_ok=True)
            stack.callback(site.remove)
            site.prepare()
        return site
    if mode == "netns" or disk_mb is not None:
        message = f"no farm in namespaces here: {problem}"
        raise FarmUnsupportedError(message)
    local = loopback.LoopbackSite(loopback.plan(count, folder, reason=problem))
    local.plan.save()
    local.prepare()
    return local


if __name__ == "__main__":
    from tests.rigs._farm.cli import main

    raise SystemExit(main())
