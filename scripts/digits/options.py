"""What both listings are told on the command line."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rltransfer.errors import UserError


def options_of(page: str | None, save: str) -> argparse.ArgumentParser:
    """Returns a parser of the common options.

    Args:
        page: what the script is about.
        save: where its networks are stored unless told otherwise.
    """
    parser = argparse.ArgumentParser(
        description=page, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DATA",
        default=os.environ.get("RLTRANSFER_DATA") or None,
        help="where the published files lie; default: $RLTRANSFER_DATA, or the cache",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--save", type=Path, default=Path(save), metavar="FOLDER")
    return parser


def in_one_line(main: Callable[[], None]) -> None:
    """Runs `main`; what a user can mend ends it with one line and its status."""
    try:
        main()
    except UserError as fault:
        print(fault, file=sys.stderr)
        sys.exit(fault.exit_status)
    except KeyboardInterrupt:
        print("Stopped; networks already tested are stored.", file=sys.stderr)
        sys.exit(130)
