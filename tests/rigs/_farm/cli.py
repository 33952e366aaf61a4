"""The farm by hand: `python -m tests.rigs.farm up 4`, `exec w1 -- uptime`, `down`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rigs._farm.sshd import program
from tests.rigs.farm import Farm, FarmError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAULTS = ("cut", "mend", "reject", "freeze", "thaw", "kill", "restart")


def default_folder() -> Path:
    """Where a farm started by hand lives unless told otherwise."""
    return Path(tempfile.gettempdir()) / f"hopper-farm-{os.getuid()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0, 1 with a line on stderr, or the command's own."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except FarmError as error:
        print(error, file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.farm", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start N workers that stay until `down`")
    up.add_argument("count", type=int, metavar="N")
    up.add_argument("--mode", choices=("netns", "loopback"))
    up.add_argument("--disk-mb", type=int, metavar="MIB", help="size of each worker's home")
    up.set_defaults(run=_up)
    down = commands.add_parser("down", help="stop them and delete their files")
    down.set_defaults(run=_down)
    show = commands.add_parser("list", help="names, addresses and whether they run")
    show.set_defaults(run=_list)
    run = commands.add_parser("exec", help="run a command on a worker over ssh: exec w1 -- uptime")
    run.add_argument("name")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(run=_exec)
    for fault in FAULTS:
        one = commands.add_parser(fault, help=f"{fault} a worker")
        one.add_argument("name")
        one.set_defaults(run=_fault, fault=fault)
    for each in commands.choices.values():
        each.add_argument("--folder", type=Path, default=default_folder(), metavar="FOLDER")
    return parser


def _up(options: argparse.Namespace) -> int:
    farm = Farm.start(
        options.count, options.folder, options.mode, disk_mb=options.disk_mb, keep=True
    )
    inventory = farm.inventory(farm.folder / "inventory.yml")
    print(f"{len(farm.workers)} workers, {farm.mode} ({farm.reason})")
    print(f"ssh -F {farm.ssh_config} w1")
    print(f"inventory: {inventory}")
    return 0


def _down(options: argparse.Namespace) -> int:
    Farm.attach(options.folder).wipe()
    return 0


def _list(options: argparse.Namespace) -> int:
    farm = Farm.attach(options.folder)
    for worker in farm.workers:
        state = "up" if farm.alive(worker.name) else "down"
        print(f"{worker.name}\t{worker.user}@{worker.host}:{worker.port}\t{state}\t{worker.home}")
    return 0


def _exec(options: argparse.Namespace) -> int:
    farm = Farm.attach(options.folder)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    ssh = [program("ssh") or "ssh", "-F", str(farm.ssh_config), farm.worker(options.name).name]
    return subprocess.run([*ssh, *command], check=False).returncode


def _fault(options: argparse.Namespace) -> int:
    getattr(Farm.attach(options.folder), options.fault)(options.name)
    return 0
