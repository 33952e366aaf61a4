"""Parts of the cluster rigs; their public faces are `tests.rigs.slurm`, `.gridengine` and so on."""
