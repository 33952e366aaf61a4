"""The network of a farm in namespaces: a bridge, a veth pair and a namespace for each worker."""

from __future__ import annotations

import ipaddress
import json
import secrets
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.rigs._farm.sshd import program
from tests.rigs._farm.values import FarmError, FarmPlan, FarmUnsupportedError, FarmWorker

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = 22  # room for 1,000 workers


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Interface and namespace names of one farm; they carry its tag (Linux takes 15 characters)."""

    tag: str

    @property
    def bridge(self) -> str:
        """The controller's end of the farm's network."""
        return f"hf{self.tag}b"

    def netns(self, worker: FarmWorker) -> str:
        """The worker's network namespace."""
        return f"hf{self.tag}w{worker.number}"

    def veth(self, worker: FarmWorker) -> str:
        """The bridge's end of the worker's cable."""
        return f"hf{self.tag}v{worker.number}"


def ip(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    """Run iproute2's `ip`, with its output. Raises FarmError with what it said."""
    command = [program("ip") or "ip", *arguments]
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)
    if check and done.returncode:
        message = f"{' '.join(command)}: {done.stderr.strip()}"
        raise FarmError(message)
    return done.stdout


def batch(lines: Iterable[str], *, force: bool = False) -> None:
    """Many `ip` commands in one process; `force` goes on after one that fails."""
    text = "".join(f"{line}\n" for line in lines)
    ip(*(["-force"] if force else []), "-batch", "-", stdin=text, check=not force)


def free_subnet() -> ipaddress.IPv4Network:
    """A network in 10.0.0.0/8 that no address and no route of this machine touches."""
    used = [ipaddress.ip_network(text, strict=False) for text in _used()]
    for _ in range(200):
        third = secrets.randbelow(64) * 4
        subnet = ipaddress.IPv4Network(f"10.{secrets.randbelow(254) + 1}.{third}.0/{PREFIX}")
        if not any(subnet.overlaps(other) for other in used if other.version == subnet.version):
            return subnet
    message = "no free network in 10.0.0.0/8: `ip route` shows what takes it"
    raise FarmError(message)


def _used() -> Iterable[str]:
    for interface in json.loads(ip("-j", "-4", "addr") or "[]"):
        for address in interface.get("addr_info", []):
            yield f"{address['local']}/{address['prefixlen']}"
    for route in json.loads(ip("-j", "-4", "route") or "[]"):
        if route.get("dst") != "default":
            yield route["dst"]


def raise_network(plan: FarmPlan) -> None:
    """Make bridge, namespaces and cables, all in a handful of `ip` calls.

    Neighbour entries are permanent: with ARP a cut-off worker would give "no route to host" after
    three seconds, where one behind a router is silent; and once mended it answers at once.
    """
    names = Names(tag=plan.tag)
    bridge = names.bridge
    batch([
        f"link add {bridge} address {_mac(plan, 0)} type bridge",
        f"link set {bridge} addrgenmode none",
        f"addr add {plan.gateway}/{plan.prefix} dev {bridge}",
        f"link set {bridge} up",
        *(f"netns add {names.netns(worker)}" for worker in plan.workers),
    ])  # fmt: skip
    lines = []
    for worker in plan.workers:
        peer = f"peer name eth0 address {_mac(plan, worker.number)} netns {names.netns(worker)}"
        lines.append(f"link add {names.veth(worker)} type veth {peer}")
        lines.append(f"link set {names.veth(worker)} addrgenmode none")
        lines.append(f"link set {names.veth(worker)} master {bridge} up")
        mac = _mac(plan, worker.number)
        lines.append(f"neigh replace {worker.host} lladdr {mac} dev {bridge} nud permanent")
    batch(lines)


def worker_lines(plan: FarmPlan, worker: FarmWorker) -> str:
    """The `ip -batch` text that a worker runs in its namespace at each start."""
    return (
        "link set lo up\n"
        "link set eth0 addrgenmode none\n"
        f"addr replace {worker.host}/{plan.prefix} dev eth0\n"
        "link set eth0 up\n"
        f"neigh replace {plan.gateway} lladdr {_mac(plan, 0)} dev eth0 nud permanent\n"
    )


def _mac(plan: FarmPlan, number: int) -> str:
    address = (bytes.fromhex(plan.tag) + number.to_bytes(3, "big")).hex(":")
    return f"02:{address}"


def lower_network(plan: FarmPlan) -> None:
    """Take all of it away again; what is gone already does not matter.

    The cables go first and by name: the end of a namespace is asynchronous and keeps names taken.
    """
    names = Names(tag=plan.tag)
    lines = [f"route del unreachable {worker.host}/32" for worker in plan.workers]
    lines += [f"link del {names.veth(worker)}" for worker in plan.workers]
    lines += [f"netns del {names.netns(worker)}" for worker in plan.workers]
    batch([*lines, f"link del {names.bridge}"], force=True)


def cut(plan: FarmPlan, worker: FarmWorker) -> None:
    """Unplug the worker's cable."""
    ip("link", "set", Names(tag=plan.tag).veth(worker), "down")


def reject(worker: FarmWorker) -> None:
    """Let connections to the worker fail at once with "no route to host"."""
    ip("route", "replace", "unreachable", f"{worker.host}/32")


def set_delay(plan: FarmPlan, worker: FarmWorker, milliseconds: int) -> None:
    """Delay each packet to the worker. Raises FarmUnsupportedError where the kernel cannot."""
    device = Names(tag=plan.tag).veth(worker)
    command = [program("tc") or "tc", "qdisc", "replace", "dev", device, "root"]
    command += ["netem", "delay", f"{milliseconds}ms"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"this kernel cannot delay packets (netem): {done.stderr.strip()}"
        raise FarmUnsupportedError(message)


def mend(plan: FarmPlan, workers: Iterable[FarmWorker]) -> None:
    """Undo what was done to the ways to these workers; not all of it will have been."""
    names = Names(tag=plan.tag)
    mending = tuple(workers)
    batch((f"link set {names.veth(worker)} up" for worker in mending), force=True)
    batch((f"route del unreachable {worker.host}/32" for worker in mending), force=True)
    if tc := program("tc"):
        lines = [f"qdisc del dev {names.veth(worker)} root\n" for worker in mending]
        subprocess.run(
            [tc, "-force", "-batch", "-"], input="".join(lines), text=True, capture_output=True,
            check=False,
        )  # fmt: skip
