"""The command line: names in, results out.

Importing it is quick: what takes long to import is imported by the verb that needs it.
"""

from rltransfer.cli.app import app as app
from rltransfer.cli.app import main as main
