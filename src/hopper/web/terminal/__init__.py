"""Terminals in the browser: a program on a pty, and a websocket that it talks through."""
