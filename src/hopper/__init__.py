"""Hopper sends jobs to wherever a lab has machines and brings the results home."""

__version__ = "0.1.0"
