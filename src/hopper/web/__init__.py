"""The web page and HTTP API: what a browser shows of hopper's state, and what it may ask for."""
