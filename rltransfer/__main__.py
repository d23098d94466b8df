"""`python -m rltransfer` and `rltransfer`: from the first import to the exit status."""

import sys


def main() -> None:
    """Runs `rltransfer`, and says in one line if it is stopped before it has begun."""
    try:
        from rltransfer.cli import main as run

        run()
    except KeyboardInterrupt:
        print("error: stopped before anything was done", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
