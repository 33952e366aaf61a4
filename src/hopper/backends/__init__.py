"""Batch systems: for each, how it is asked and what its answers mean. No I/O."""
