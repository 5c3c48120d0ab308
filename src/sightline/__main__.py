"""`python -m sightline` and the `sightline` command."""

import sys

from sightline.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
