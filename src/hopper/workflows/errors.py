"""What is wrong with the tasks of a workflow."""

from __future__ import annotations

from collections.abc import Sequence

from hopper.errors import UsageError

MOST_TOLD = 20


class InvalidWorkflow(UsageError):
    """Tasks that cannot be run as they stand; ``problems`` has a line for each, 20 at most.

    A line names the file, the task by its id or place, and the field.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems[:MOST_TOLD])
        self.count = len(problems)
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        super().__init__(f"{self.problems[0]}{more}")
