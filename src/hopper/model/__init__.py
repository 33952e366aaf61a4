"""Pure values: what hopper talks about, with no I/O, no clock and no library."""
