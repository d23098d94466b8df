"""All benchmarks: each prints ratios that were measured side by side in this run."""

import importlib
import sys
from pathlib import Path

BENCHMARKS = ("bench_acting", "bench_stack", "bench_survival", "bench_mnist")


def main() -> None:
    """Runs one after the other."""
    sys.path.insert(0, str(Path(__file__).parent))
    for name in BENCHMARKS:
        importlib.import_module(name).main()


if __name__ == "__main__":
    main()
