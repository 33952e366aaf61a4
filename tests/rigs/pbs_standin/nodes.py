"""`pbsnodes`: one node, which is the login node."""

from __future__ import annotations

from typing import Any

from tests.rigs._cluster.batch.store import Store
from tests.rigs._cluster.batch.words import Refused, say
from tests.rigs.pbs_standin.words import is_torque, job_id, refuse_if_down, say_json

MEMORY = "24684096kb"


def pbsnodes(store: Store, arguments: list[str]) -> int:
    """`-a`, with or without `-F json`, or the names of nodes."""
    refuse_if_down(store, "pbsnodes: cannot connect to server {host}, error=15010", 1)
    as_json = "json" in arguments
    if as_json and is_torque(store):
        raise Refused("pbsnodes: invalid option -- 'F'\nusage:\tpbsnodes [-{c|d}]", 1)
    host = store.setup.host
    names = [word for word in arguments if not word.startswith("-") and word != "json"]
    wrong = [name for name in names if name != host]
    if as_json:
        nodes = {name: {name: "Unknown node "} for name in wrong} if names else {}
        known = {host: _node(store)} if len(wrong) < len(names) or not names else {}
        say_json(store, {"nodes": nodes | known})
        return 0
    if wrong:
        raise Refused(f"Node: {wrong[0]},  Error: Unknown node ", 1)
    say(host)
    for name, value in _node(store).items():
        for line in _lines(name, value):
            say(f"     {line}")
    say("")
    return 0


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}.{inner} = {each}" for inner, each in value.items()]
    shown = ", ".join(f"{each}/{n}" for n, each in enumerate(value)) if name == "jobs" else value
    return [f"{name} = {shown}"]


def _node(store: Store) -> dict[str, Any]:
    setup = store.setup
    running = [job for job in store.all() if job.state == "running"]
    used = sum(job.slots for job in running)
    node: dict[str, Any] = {
        "Mom": setup.host,
        "ntype": "PBS",
        "state": "job-busy" if used >= setup.slots else "free",
        "pcpus": setup.slots,
        "resources_available": {
            "arch": "linux",
            "host": setup.host,
            "mem": MEMORY,
            "ncpus": setup.slots,
            "vnode": setup.host,
        },
        "resources_assigned": {"ncpus": used},
        "resv_enable": "True",
        "sharing": "default_shared",
        "license": "l",
    }
    return node | ({"jobs": [job_id(store, job) for job in running]} if running else {})
