"""The one program on the login node: `main.py STATE KIND COMMAND ARGUMENTS…`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# The stand-in's folder, where main.py is in tests/rigs/_cluster/batch, takes the checkout's place.
sys.path[0] = str(Path(__file__).resolve().parents[4])


def main(arguments: list[str]) -> int:
    """Run one command, or the server when it is `serve`; gives the exit code."""
    from tests.rigs._cluster.batch.server import Server
    from tests.rigs._cluster.batch.store import Store
    from tests.rigs._cluster.batch.words import Refused, complain

    folder, kind, name, *rest = arguments
    store = Store(Path(folder))
    commands = import_module(f"tests.rigs.{kind}_standin.commands")
    if name == "serve":
        Server(store, commands.WAYS).serve()
    try:
        code: int = commands.COMMANDS[name](store, rest)
    except Refused as refused:
        complain(refused.text)
        return refused.code
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
