"""Domain adaptation as the moment term of alignment: what a map is worth by each.

    python scripts/compare_moment_terms.py -f checkpoints --seeds 1 2 3

Family `affine` alone finds a map from a log of random actions in the target, without
acting. What keeps its fits from shrinking the target to a point is the moments of the
source's states, or one of the objectives of domain adaptation in their place, with the
same weights. What is found then acts in 20 fresh episodes.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from few_data import NAMES, Measurement
from rltransfer.alignment.moment_terms import MOMENT_TERMS
from rltransfer.errors import InputError
from rltransfer.report.tables import markdown


def cell(shares: list[float | None]) -> str:
    """Returns the median and each share; None is where no map was found."""
    told = " ".join("none" if share is None else f"{share:.2f}" for share in shares)
    return f"{statistics.median(share or 0.0 for share in shares):.2f} ({told})"


def main(arguments: list[str] | None = None) -> None:
    """Prints shares of home, a row for each pair."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs/measured"))
    parser.add_argument("--pairs", nargs="+", default=list(NAMES))
    parser.add_argument(
        "--terms", nargs="+", choices=MOMENT_TERMS, default=MOMENT_TERMS
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=1_000)
    asked = parser.parse_args(arguments)
    rows = []
    for pair in asked.pairs:
        shares: dict[str, list[float | None]] = {term: [] for term in asked.terms}
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as work:
                measurement = Measurement(pair, asked.log_folder, seed, Path(work))
                for term in asked.terms:
                    try:
                        found: float | None = measurement.share(
                            "affine", asked.steps, moment_term=term
                        )
                    except InputError:
                        found = None
                    shares[term].append(found)
                    print(pair, seed, term, found, flush=True)
                measurement.close()
        rows.append({"pair": pair, **{t: cell(shares[t]) for t in asked.terms}})
    print(markdown(rows))


if __name__ == "__main__":
    main()
