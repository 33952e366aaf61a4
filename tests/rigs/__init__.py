"""Rigs: real engines that tests start for themselves, each in its own scratch folder."""
