"""The named source and target pairs that benchmarks and tests go through."""

from rltransfer_envs.pairs.pair import Pair
from rltransfer_envs.pairs.table import PAIRS, named_pair

__all__ = ["PAIRS", "Pair", "named_pair"]
