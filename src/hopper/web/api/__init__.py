"""``/api/v1``: what the command line can do, as JSON, described by OpenAPI."""
