"""How much the tests of survival and of hostile files do, and what they draw from.

`make test` takes the defaults; `make torture` asks for more, under any seed. Both are
printed with the counts at the end, so that every run can be repeated.
"""

import os

SCALE = int(os.environ.get("RLTRANSFER_SCALE", "1"))
"""How many times the size of CI."""
SEED = int(os.environ.get("RLTRANSFER_SEED", "0"))
