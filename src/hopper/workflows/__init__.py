"""Workflows: from what a command or a file says to the tasks of a run. No input or output here."""
