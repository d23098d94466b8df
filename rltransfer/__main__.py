"""`python -m rltransfer` does what `rltransfer` does."""

from rltransfer.cli import main

main()
