"""The named pairs and suites that measurements and tests go through, by name."""

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from rltransfer_envs.learning_suites import LEARNING_SUITES
from rltransfer_envs.transfer_pair import Agent as Agent
from rltransfer_envs.transfer_pair import Goal as Goal
from rltransfer_envs.transfer_pair import Learning as Learning
from rltransfer_envs.transfer_pair import Pair as Pair
from rltransfer_envs.zero_shot_suites import ZERO_SHOT_SUITES

_BY_SUITE = {**ZERO_SHOT_SUITES, **LEARNING_SUITES}

PAIRS: Mapping[str, Pair] = MappingProxyType(
    # A pair of two suites is the later one's, which also says how it is learned on.
    {pair.name: pair for pair in chain(*_BY_SUITE.values())}
)

SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {suite: tuple(pair.name for pair in pairs) for suite, pairs in _BY_SUITE.items()}
)
"""Names of pairs that are measured together."""
