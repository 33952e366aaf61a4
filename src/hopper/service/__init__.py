"""Hopper as a service of systemd."""
