"""Parts of the SSH farm rig; the public face is `tests.rigs.farm`."""
