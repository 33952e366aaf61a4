"""Stand-ins for `qsub`, `qstat`, `qdel` and `pbsnodes`, which answer as OpenPBS 23.06 does."""
