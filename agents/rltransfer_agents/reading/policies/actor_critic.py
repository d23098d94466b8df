"""PPO, A2C and TRPO: an actor and a critic side by side."""

from typing import Any

import numpy as np
from gymnasium import spaces

from rltransfer_agents.frozen import FrozenPolicy
from rltransfer_agents.frozen.activations import ACTIVATIONS
from rltransfer_agents.frozen.bounds import ActionBounds
from rltransfer_agents.frozen.heads import (
    Bernoulli,
    Categorical,
    Gaussian,
    Head,
    MultiCategorical,
    StateDependentNoise,
)
from rltransfer_agents.frozen.layers import Dense
from rltransfer_agents.reading.policies.features import build_encoder, front_layers
from rltransfer_agents.reading.policies.gaussians import check_noise, noise_deviation
from rltransfer_agents.reading.policies.stored import StoredPolicy
from rltransfer_agents.reading.policies.weights import Weights, check_chain
from rltransfer_agents.reading.refusal import Refusal

_IDLE = (
    "features_extractor.",
    "vf_features_extractor.",
    "pi_features_extractor.",
    "mlp_extractor.value_net.",
    "value_net.",
)


def actor_critic(stored: StoredPolicy, extractor: str) -> FrozenPolicy:
    """Returns the acting part of an actor-critic policy."""
    weights = Weights(stored.tensors)
    activation = ACTIVATIONS[stored.keywords.activation_fn or "Tanh"]
    # Version 1.7 gave the actor an extractor of its own name.
    own = "pi_features_extractor."
    is_own = any(name.startswith(own) for name in stored.tensors)
    encoder, features = build_encoder(
        stored, weights, own if is_own else "features_extractor.", extractor
    )
    layers = [
        *front_layers(stored, weights),
        # Shared layers existed up to version 1.7.
        *weights.chain("mlp_extractor.shared_net", activation),
        *weights.chain("mlp_extractor.policy_net", activation),
    ]
    output = weights.dense("action_net")
    check_chain([*layers, output], features, _output_size(stored.action_space))
    head = _head(stored, weights, output)
    weights.check_rest(_IDLE)
    return FrozenPolicy(
        stored.observation_space, stored.action_space, encoder, tuple(layers), head
    )


def _output_size(space: spaces.Space[Any]) -> int:
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return int(space.nvec.sum())
        case spaces.MultiBinary() if isinstance(space.n, int):
            return space.n
        case spaces.Box():
            return int(np.prod(space.shape))
        case _:
            raise Refusal("space", "actions of this kind are not supported")


def _head(stored: StoredPolicy, weights: Weights, output: Dense) -> Head:
    space = stored.action_space
    match space:
        case spaces.Discrete():
            return Categorical(output)
        case spaces.MultiDiscrete():
            return MultiCategorical(output, tuple(int(size) for size in space.nvec))
        case spaces.Box():
            return _continuous(stored, space, weights, output)
        case _:
            return Bernoulli(output)


def _continuous(
    stored: StoredPolicy, space: spaces.Box, weights: Weights, output: Dense
) -> Head:
    # The noise matrix of state-dependent exploration has two dimensions.
    if "log_std" not in weights or stored.tensors["log_std"].ndim != 2:
        log_deviation = weights.take("log_std", rank=1)
        if log_deviation.shape != output.bias.shape:
            raise Refusal("network", "log_std must have one number for each action")
        deviation = noise_deviation(log_deviation, use_expln=False)
        return Gaussian(output, deviation, ActionBounds.of(space, squashed=False))
    deviation = noise_deviation(
        weights.take("log_std", rank=2), use_expln=stored.keywords.use_expln
    )
    check_noise(deviation, *output.weight.shape)
    squashed = bool(stored.keywords.squash_output)
    return StateDependentNoise.of(
        output, deviation, ActionBounds.of(space, squashed=squashed)
    )
