"""What the stand-ins for PBS and LSF share: jobs in a folder, and a server that runs them.

It is copied to the login node and run there by the system's own Python, so it imports nothing but
the standard library and itself.
"""
