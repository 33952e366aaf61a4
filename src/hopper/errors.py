"""Every error that hopper raises on purpose.

An error says what happened, to which thing, and what to do about it, in one line;
what a program may want to know of it are attributes. The CLI prints the line and
leaves with ``exit_code``.
"""

from __future__ import annotations


class HopperError(Exception):
    """The root of all errors that hopper raises on purpose.

    ``exit_code`` is what the CLI leaves with: 1 for something that failed, 2 for a
    mistake in the usage or in the config.
    """

    exit_code = 1

    def __init__(self, what: str, *, way_out: str = "") -> None:
        self.what = what
        self.way_out = way_out
        super().__init__(f"{what}; {way_out}" if way_out else what)


class UsageError(HopperError):
    """What the person asked for cannot be done as asked."""

    exit_code = 2


class ConfigError(HopperError):
    """The config, the inventory or a job's ``hopper-job.yaml`` is not right."""

    exit_code = 2


class NotThere(UsageError):
    """Nothing answers to that id or name."""


class UnknownJob(NotThere):
    """No job answers to that id or name."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(f"no job {reference!r}", way_out="see 'hopper jobs' for their ids")


class IllegalMove(HopperError):
    """A job was asked to go to a state that its own state does not lead to."""

    def __init__(self, job_id: str, from_state: str, to_state: str) -> None:
        self.job_id, self.from_state, self.to_state = job_id, from_state, to_state
        super().__init__(f"job {job_id} is {from_state} and cannot become {to_state}")


class RejectedZip(HopperError):
    """A zip that will not be sent anywhere, with the reason."""


class TransportError(HopperError):
    """A host could not be talked to, or the talk broke off.

    ``delivered`` tells whether the host may have acted on what it was sent: ``False``
    only where the connection is known never to have been made.
    """

    def __init__(self, what: str, *, delivered: bool = True) -> None:
        self.delivered = delivered
        super().__init__(what)
