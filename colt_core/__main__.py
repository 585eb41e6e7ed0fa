"""`python -m colt_core`."""

from colt_core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
