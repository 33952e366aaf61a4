"""The scheduler: what to do next is decided here, and nothing is done here.

``policy`` decides from plain values; ``reconcile`` says what a report from a worker
means; ``loop`` turns the two into one tick over the ports of ``ports``.
"""
