"""`rltransfer benchmark`, with the peers among its strategies; same options.

python scripts/peer_benchmark.py --suite classic --strategies zero-shot dcc
"""

import sys

from peers import dcc
from rltransfer.cli.app import main
from rltransfer.workflows.benchmark_jobs import register_peer

if __name__ == "__main__":
    register_peer("dcc", dcc.run)
    main(["benchmark", *sys.argv[1:]])
