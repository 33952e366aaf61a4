"""Texts and keys that sshd, ssh and Ansible need to know a farm."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.rigs._farm.values import FarmError, FarmPlan, FarmWorker, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MARK = "HOPPER_FARM_WORKER"
# OpenSSH's default post-quantum exchange costs 150 ms of CPU a login, which 50 logins would feel.
KEX = "curve25519-sha256"
SYSTEM_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"


def program(name: str) -> str | None:
    """Full path of a program, looked for in the system folders too."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


def make_keys(folder: Path) -> None:
    """Make the login key `id` and the one host key of all workers, `hostkey`.

    One host key, because a hundred would take a second to make.
    """
    keygen = program("ssh-keygen") or "ssh-keygen"
    for name in ("id", "hostkey"):
        if not (folder / name).exists():
            options = ["-q", "-t", "ed25519", "-N", "", "-C", f"farm {name}"]
            subprocess.run([keygen, *options, "-f", str(folder / name)], check=True)


def write_worker(plan: FarmPlan, worker: FarmWorker, etc: str) -> None:
    """Fill the worker's `etc`; `etc` is that folder's path as the worker's sshd sees it."""
    worker.etc.mkdir(parents=True, exist_ok=True)
    for folder in (worker.folder, worker.etc):
        folder.chmod(0o755)
    shutil.copy(plan.folder / "hostkey", worker.etc / "hostkey")
    shutil.copyfile(plan.folder / "id.pub", worker.etc / "authorized_keys")
    (worker.etc / "authorized_keys").chmod(0o644)
    (worker.etc / "sshd_config").write_text(server_config(plan, worker, etc), encoding="utf-8")


def server_config(plan: FarmPlan, worker: FarmWorker, etc: str) -> str:
    """The sshd_config of one worker; logins are let in faster than sshd's defaults would."""
    return f"""\
ListenAddress {worker.host}:{worker.port}
HostKey "{etc}/hostkey"
PidFile "{etc}/sshd.pid"
AuthorizedKeysFile "{etc}/authorized_keys"
SetEnv {MARK}={plan.tag}-{worker.name}
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 500:30:1000
MaxSessions 100
PerSourceMaxStartups none
LoginGraceTime 20
PrintMotd no
X11Forwarding no
Subsystem sftp internal-sftp
"""


def wait_listening(worker: FarmWorker, child: subprocess.Popen[bytes]) -> None:
    """Wait for a worker's sshd. Raises FarmError with its log when it ends instead."""
    pid = worker.etc / "sshd.pid"

    def listens() -> bool:
        if child.poll() is not None:
            message = f"{worker.name} did not start: {worker.log.read_text(errors='replace')}"
            raise FarmError(message)
        return pid.exists() and bool(pid.read_text().strip())

    until(listens, f"{worker.name} to listen: see {worker.log}")


def client_options(folder: Path) -> dict[str, str]:
    """The ssh options with which the farm's workers are reached, as a client needs them."""
    return {
        "UserKnownHostsFile": f'"{folder / "known_hosts"}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "KexAlgorithms": KEX,
        "ConnectTimeout": "5",
    }


def write_client(plan: FarmPlan) -> None:
    """Write `known_hosts` and `ssh_config`, so that `ssh -F ssh_config w1` works."""
    key = " ".join((plan.folder / "hostkey.pub").read_text().split()[:2])
    known = [f"{_known_name(worker)} {key}\n" for worker in plan.workers]
    (plan.folder / "known_hosts").write_text("".join(known), encoding="utf-8")
    lines = []
    for worker in plan.workers:
        lines += [f"Host {worker.name}", f"  HostName {worker.host}"]
        lines += [f"  Port {worker.port}", f"  User {worker.user}"]
    lines += ["Host *", f'  IdentityFile "{plan.folder / "id"}"']
    lines += [f"  {key} {value}" for key, value in client_options(plan.folder).items()]
    (plan.folder / "ssh_config").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _known_name(worker: FarmWorker) -> str:
    standard = 22
    return worker.host if worker.port == standard else f"[{worker.host}]:{worker.port}"


def inventory_text(
    plan: FarmPlan, group: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]
) -> str:
    """The farm as an Ansible YAML inventory with the group `hopper_workers`."""
    options = [f"{key}={value}" for key, value in client_options(plan.folder).items()]
    common = " ".join(f"-o {shlex.quote(option)}" for option in options)
    shared = {
        "ansible_ssh_private_key_file": str(plan.folder / "id"),
        "ansible_ssh_common_args": common,
        **group,
    }
    entries = {worker.name: {**_host(worker), **hosts.get(worker.name, {})} for worker in
               plan.workers}  # fmt: skip
    tree = {"all": {"children": {"hopper_workers": {"hosts": entries, "vars": shared}}}}
    return yaml.safe_dump(tree, sort_keys=False, width=1000)


def _host(worker: FarmWorker) -> dict[str, Any]:
    return {
        "ansible_host": worker.host,
        "ansible_port": worker.port,
        "ansible_user": worker.user,
        "hopper_inbox": worker.inbox,
        "hopper_outbox": worker.outbox,
    }
