"""`python -m bpc`: the command line."""

from bpc.cli import main

if __name__ == "__main__":
    main()
