"""``python -m hopper`` is the command ``hopper``."""

from hopper.cli import main

if __name__ == "__main__":
    main()
