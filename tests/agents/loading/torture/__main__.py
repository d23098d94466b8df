"""Tortures the reader of agents; prints counts for each target.

    python tests/agents/loading/torture --seed 0 --scale 1

Scale 1 is the size of CI. Any failure names the seed and the place, which repeat it.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable

from crafted import crafted
from mutations import GROWN, MILLISECONDS, bit_flips, mutations, truncations
from specimens import specimens

MEASURED = (GROWN, MILLISECONDS)


def main() -> None:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--parts", nargs="*", default=["S2", "S3", "S4", "S5"])
    options = parser.parse_args()
    sound = specimens()
    parts: dict[str, Callable[[], Counter[str]]] = {
        "S2": lambda: truncations(sound),
        "S3": lambda: bit_flips(sound, 5_000 * options.scale, options.seed),
        "S4": lambda: mutations(sound, 6_000 * options.scale, options.seed),
        "S5": lambda: crafted(sound),
    }
    for part in options.parts:
        start = time.monotonic()
        counts = parts[part]()
        told = {name: counts.pop(name, 0) for name in MEASURED}
        print(
            json.dumps(
                {
                    "target": part,
                    "cases": sum(counts.values()),
                    "seed": options.seed,
                    "seconds": round(time.monotonic() - start, 1),
                    "outcomes": dict(counts),
                    "most_seconds": told[MILLISECONDS] / 1000,
                    "grown_mebibytes": told[GROWN],
                }
            ),
            flush=True,
        )


main()
