"""What a test may look at on a farm's workers, and the faults it may order."""

from __future__ import annotations

import os
import shutil
import signal
from functools import partial
from typing import TYPE_CHECKING

from tests.rigs._farm import loopback, netns, network, procs
from tests.rigs._farm.values import (
    FarmError,
    FarmPlan,
    FarmUnsupportedError,
    FarmWorker,
    Mode,
    until,
)

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

FILL = ".farm-fill"
HIDDEN = "hidden"  # marks, in its folder, a worker whose programs are not all to be found
# A layer over each folder of programs in which those to be hidden are whited out.
HIDE = """\
set -e
for folder in $(realpath /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin | sort -u); do
  layer=$(mktemp -d -p /run)
  mkdir "$layer/upper" "$layer/work"
  for name; do
    if [ -e "$folder/$name" ]; then mknod "$layer/upper/$name" c 0 0; fi
  done
  if [ -n "$(ls "$layer/upper")" ]; then
    chmod 755 "$layer/upper"
    mount -t overlay -o "lowerdir=$folder,upperdir=$layer/upper,workdir=$layer/work" hide "$folder"
  fi
done
"""
Site = netns.NetnsSite | loopback.LoopbackSite


class Faults:
    """The workers of one farm; those faults that need namespaces say so."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def plan(self) -> FarmPlan:
        """Names, addresses and folders of the farm."""
        return self._site.plan

    @property
    def mode(self) -> Mode:
        """`netns` or `loopback`."""
        return self.plan.mode

    @property
    def reason(self) -> str:
        """Why the farm has this mode."""
        return self.plan.reason

    def worker(self, name: str) -> FarmWorker:
        """The worker called `name`. Raises FarmError when there is none."""
        for worker in self.plan.workers:
            if worker.name == name:
                return worker
        message = f"no worker {name}: this farm has w1 to w{len(self.plan.workers)}"
        raise FarmError(message)

    def enter(self, name: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside the worker without ssh, even when it is cut off."""
        return self._netns("a way in").enter(self.worker(name), *argv)

    def alive(self, name: str) -> bool:
        """Whether the worker's sshd runs (be it frozen or cut off)."""
        return self._site.init(self.worker(name)) is not None

    def boot_id(self, name: str) -> str:
        """The boot id that the worker shows."""
        return self._netns("a boot id of its own").boot_id(self.worker(name))

    def processes(self, name: str) -> dict[int, str]:
        """Pid (outside) and command line of all that runs on a worker but its sshd processes."""
        pids = self._site.pids(self.worker(name))
        found = {pid: procs.command(pid) for pid in pids if procs.name(pid) != "sshd"}
        return {pid: command for pid, command in found.items() if command}

    def _netns(self, what: str) -> netns.NetnsSite:
        if isinstance(self._site, netns.NetnsSite):
            return self._site
        message = f"a loopback worker has not {what}: {self.reason}"
        raise FarmUnsupportedError(message)

    def cut(self, name: str) -> None:
        """Pull the cable: connections go silent, new ones time out, what runs there goes on."""
        network.cut(self._netns("a cable").plan, self.worker(name))

    def reject(self, name: str) -> None:
        """Let connections fail at once with "no route to host"; `mend` ends it."""
        self._netns("a route")
        network.reject(self.worker(name))

    def slow(self, name: str, ms: int) -> None:
        """Delay what goes to the worker by `ms`; `mend` ends it. Not every kernel can (netem)."""
        network.set_delay(self._netns("a cable").plan, self.worker(name), ms)

    def mend(self, name: str) -> None:
        """Undo `cut`, `reject` and `slow`."""
        network.mend(self._netns("a cable").plan, [self.worker(name)])

    def freeze(self, name: str, *, machine: bool = False) -> None:
        """Stop the listening sshd: new logins hang before the banner, open ones go on.

        `machine` stops every process of the worker, open connections and jobs as well.
        """
        self._signal(name, signal.SIGSTOP, machine=machine)

    def thaw(self, name: str) -> None:
        """Undo `freeze`."""
        self._signal(name, signal.SIGCONT, machine=True)

    def _signal(self, name: str, number: signal.Signals, *, machine: bool) -> None:
        worker = self.worker(name)
        init = self._site.init(worker)
        inside = self._site.pids(worker) if machine else []
        procs.send([*([init] if init else []), *inside], number)

    def kill(self, name: str) -> None:
        """Kill all its processes at once. Its disk stays; connections are refused."""
        self._site.stop([self.worker(name)])

    def restart(self, name: str) -> None:
        """Kill it if it still runs and start it again, with another boot id and an empty /tmp."""
        worker = self.worker(name)
        self._site.stop([worker])
        _empty(worker.folder / "tmp")
        (worker.folder / HIDDEN).unlink(missing_ok=True)
        self._site.launch([worker])

    def hide(self, name: str, *programs: str) -> None:
        """Make programs (bare names) not to be found on a worker, until its next start.

        Name them all in one call: the overlays that do it cannot be stacked at will.
        """
        (self.worker(name).folder / HIDDEN).touch()
        done = self.enter(name, "sh", "-c", HIDE, "hide", *programs)
        if done.returncode:
            message = f"hide {' '.join(programs)} on {name}: {done.stderr.strip()}"
            raise FarmUnsupportedError(message)

    def fill_disk(self, name: str, *, leave: int = 0) -> None:
        """Fill the worker's home but for `leave` bytes. Needs a farm with `disk_mb`."""
        self._netns("a disk of its own")
        worker = self.worker(name)
        if not worker.home.is_mount():
            message = f"the home of {name} is no disk of its own: start the farm with disk_mb"
            raise FarmUnsupportedError(message)
        self.free_disk(name)
        state = os.statvfs(worker.home)
        wanted = state.f_bavail * state.f_frsize - leave
        with (worker.home / FILL).open("wb") as stream:
            if wanted > 0:
                os.posix_fallocate(stream.fileno(), 0, wanted)

    def free_disk(self, name: str) -> None:
        """Undo `fill_disk`."""
        (self.worker(name).home / FILL).unlink(missing_ok=True)

    def reset(self) -> None:
        """Make all workers as new: faults mended, processes and connections gone, homes empty.

        A worker keeps its boot id, unless it was dead or had programs hidden and is restarted.
        """
        workers = self.plan.workers
        if isinstance(self._site, netns.NetnsSite):
            network.mend(self.plan, workers)
        for worker in workers:
            self.thaw(worker.name)
            until(partial(self._quiet, worker), f"the processes of {worker.name} to die")
            _empty(worker.home)
            _empty(worker.folder / "tmp")
        for worker in workers:
            if not self.alive(worker.name) or (worker.folder / HIDDEN).exists():
                self.restart(worker.name)

    def _quiet(self, worker: FarmWorker) -> bool:
        inside = [pid for pid in self._site.pids(worker) if procs.started(pid)]
        procs.send(inside, signal.SIGKILL)
        return not inside


def _empty(folder: Path) -> None:
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
