"""The settings that decisions depend on, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class BackOff:
    """Waits that double (by ``factor``) from the first to the longest."""

    first: timedelta
    factor: float = 2.0
    longest: timedelta
    jitter: float = 0.0
    """Up to this share of the wait is added, so that not all come back at once."""

    def wait(self, failures: int, chance: float = 0.0) -> timedelta:
        """Return the wait after so many failures in a row (from 1); chance is in [0, 1)."""
        exponent = min(max(failures, 1) - 1, 60)
        seconds = min(
            self.first.total_seconds() * self.factor**exponent, self.longest.total_seconds()
        )
        return timedelta(seconds=seconds * (1 + self.jitter * chance))


CONTACT_BACK_OFF = BackOff(first=timedelta(seconds=5), longest=timedelta(minutes=5))
"""Between tries to reach a worker that could not be reached."""
LOGIN_BACK_OFF = BackOff(first=timedelta(seconds=60), longest=timedelta(minutes=10))
"""Between tries at a host that refused the login: too many of them lock people out."""
REFUSAL_BACK_OFF = BackOff(first=timedelta(seconds=2), longest=timedelta(minutes=5))
"""Between launches of a job that workers refuse."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicySettings:
    """What of the config the policy and the reading of reports depend on."""

    max_concurrent: int | None = None
    """Jobs on workers at a time, over all."""
    default_time_limit: timedelta | None = None
    grace: timedelta = timedelta(seconds=10)
    """Between TERM and KILL."""
    retry: BackOff = BackOff(first=timedelta(seconds=30), longest=timedelta(hours=1), jitter=0.2)
    quarantine_after: int = 3
    """Different jobs in a row that must fail on a worker; 0 for never."""
    quarantine: BackOff = BackOff(first=timedelta(minutes=10), longest=timedelta(hours=6))
    max_refusals: int = 10
    """Launches in a row that workers may refuse before the job fails."""
    keep_failed: timedelta = timedelta(hours=24)
    lost_after: timedelta | None = None
    settle_seconds: float = 5.0
    settle_timeout: timedelta = timedelta(minutes=15)
    poll_longest: timedelta = timedelta(seconds=10)
    """The config's ``poll.interval_seconds``."""
    poll_first: timedelta = timedelta(seconds=0.25)
    batch_poll_first: timedelta = timedelta(seconds=1)
    """The same for a batch system."""
    idle_look: timedelta = timedelta(minutes=15)
    """Between looks at a worker that has nothing of ours."""
    bulk_limit: int = 64_000_000
    """Bytes above which a transfer goes apart."""
