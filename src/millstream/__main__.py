"""`python -m millstream`: the command line."""

import sys

from millstream.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
