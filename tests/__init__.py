"""Hopper's tests."""
