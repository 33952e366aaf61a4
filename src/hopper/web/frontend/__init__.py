"""The files that browsers load: which there are, and how those of others come from npm.

``package.json`` and ``package-lock.json`` pin the packages, ``files.json`` names the files taken
from each. ``python -m hopper.web.frontend`` puts them into ``hopper/web/static/vendor``.
"""

from hopper.web.frontend.files import Frontend, find_frontend

__all__ = ["Frontend", "find_frontend"]
