"""DQN and QR-DQN: values of actions, the highest of which is taken."""

import numpy as np
from gymnasium import spaces

from rltransfer_agents.frozen import FrozenPolicy
from rltransfer_agents.frozen.activations import ACTIVATIONS
from rltransfer_agents.frozen.heads import GreedyValues
from rltransfer_agents.frozen.layers import Dense
from rltransfer_agents.reading.policies.features import build_encoder, front_layers
from rltransfer_agents.reading.policies.stored import StoredPolicy
from rltransfer_agents.reading.policies.weights import Weights, check_chain
from rltransfer_agents.reading.refusal import Refusal


def action_values(stored: StoredPolicy, extractor: str) -> FrozenPolicy:
    """Returns the acting part of DQN."""
    return _frozen(stored, extractor, "q_net", quantiles=1)


def action_quantiles(stored: StoredPolicy, extractor: str) -> FrozenPolicy:
    """Returns the acting part of QR-DQN, which acts on the mean of quantiles."""
    quantiles = stored.keywords.n_quantiles or 200
    return _frozen(stored, extractor, "quantile_net", quantiles=quantiles)


def _frozen(
    stored: StoredPolicy, extractor: str, network: str, quantiles: int
) -> FrozenPolicy:
    if not isinstance(stored.action_space, spaces.Discrete):
        raise Refusal("space", "values of actions need Discrete actions")
    weights = Weights(stored.tensors)
    activation = ACTIVATIONS[stored.keywords.activation_fn or "ReLU"]
    layers = [
        *front_layers(stored, weights),
        *weights.chain(f"{network}.{network}", activation),
    ]
    if not layers:
        raise Refusal("network", "the layers of the value network are missing")
    prefix = f"{network}.features_extractor."
    encoder, features = build_encoder(stored, weights, prefix, extractor)
    actions = int(stored.action_space.n)
    check_chain(layers, features, quantiles * actions)
    weights.check_rest((f"{network}_target.",))
    *hidden, last = layers
    values = _mean_of_quantiles(last, quantiles)
    return FrozenPolicy(
        stored.observation_space,
        stored.action_space,
        encoder,
        tuple(hidden),
        GreedyValues(values, stored.exploration),
    )


def _mean_of_quantiles(last: Dense, quantiles: int) -> Dense:
    # The mean is linear, so it can be taken once, in the weights.
    inputs, outputs = last.weight.shape
    weight = last.weight.reshape(inputs, quantiles, outputs // quantiles)
    bias = last.bias.reshape(quantiles, outputs // quantiles)
    return Dense(
        np.ascontiguousarray(weight.mean(axis=1, dtype=np.float64), np.float32),
        bias.mean(axis=0, dtype=np.float64).astype(np.float32),
    )
