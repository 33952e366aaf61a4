"""The web page and the HTTP API: routes parse, make one call, and render."""
