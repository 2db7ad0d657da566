"""Command line: python -m app.replay RUN --out FILE."""

import sys

from app.replay.page import main

if __name__ == "__main__":
    sys.exit(main())
