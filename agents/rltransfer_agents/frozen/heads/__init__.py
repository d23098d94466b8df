"""From the last hidden layer to an action: one page for each kind of action."""

from rltransfer_agents.frozen.heads.continuous import (
    Deterministic,
    Gaussian,
    SquashedGaussian,
)
from rltransfer_agents.frozen.heads.discrete import (
    Bernoulli,
    Categorical,
    GreedyValues,
    MultiCategorical,
)
from rltransfer_agents.frozen.heads.head import Head
from rltransfer_agents.frozen.heads.state_dependent import StateDependentNoise

__all__ = [
    "Bernoulli",
    "Categorical",
    "Deterministic",
    "Gaussian",
    "GreedyValues",
    "Head",
    "MultiCategorical",
    "SquashedGaussian",
    "StateDependentNoise",
]
