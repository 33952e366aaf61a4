"""What the real batch systems have in common: a login node in which their daemons run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.rigs._farm.closing import Closing

if TYPE_CHECKING:
    import subprocess

    from tests.rigs._cluster.login import LoginNode
    from tests.rigs._cluster.values import SshFacts


class Engine(Closing):
    """A running batch system; its own class says how it starts."""

    def __init__(self, node: LoginNode) -> None:
        self.node = node

    def launch(self) -> None:
        """Start the daemons, and wait until they answer; ends everything when that fails."""
        try:
            self._launch()
        except BaseException:
            self.close()
            raise

    def _launch(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """End it with all its jobs; logs and the user's home stay in the folder."""
        self.node.close()

    @property
    def ssh_facts(self) -> SshFacts:
        """How a normal user logs in."""
        return self.node.ssh_facts

    def inventory_vars(self) -> dict[str, Any]:
        """The login node's host variables in an Ansible inventory."""
        return self.ssh_facts.inventory_vars()

    def ssh(self, command: str, *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command on the login node as the user."""
        return self.node.ssh(command, stdin=stdin)

    def admin(self, *argv: str) -> str:
        """Run one of its commands as root: `admin("qmod", "-d", "main.q")`."""
        return self.node.check("timeout", "30", *argv)
