"""The pages that people read, a module each."""
