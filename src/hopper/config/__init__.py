"""``hopper.yaml`` and ``hopper-job.yaml``: what may stand in them, and what it means."""
