"""What is done on one host, over anything that can exec, put and fetch.

The shell that runs there is in ``scripts/``; ``host.carry_out`` sends it an order and
reads its answer. The action plugins import this package and nothing else of hopper's
but ``hopper.model`` and ``hopper.errors``.
"""
