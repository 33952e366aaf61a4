"""The state as the pages see it: what changes, light rows of jobs, and streams to browsers."""
