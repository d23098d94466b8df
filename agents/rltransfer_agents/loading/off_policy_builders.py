"""SAC, TQC, TD3, DDPG, DQN and QR-DQN: actors and action values."""

import numpy as np
from gymnasium import spaces

from rltransfer_agents.loading.feature_builders import build_encoder, front_layers
from rltransfer_agents.loading.policy_data import (
    PolicyData,
    Weights,
    check_chain,
    check_noise,
    noise_deviation,
)
from rltransfer_agents.loading.refusal import Refusal
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import ACTIVATIONS, Dense
from rltransfer_agents.policies.continuous_heads import (
    ActionBounds,
    Deterministic,
    Head,
    SquashedGaussian,
    StateDependentNoise,
)
from rltransfer_agents.policies.discrete_heads import GreedyValues

_IDLE = ("critic.", "critic_target.", "actor_target.")


def stochastic_actor(data: PolicyData, extractor: str) -> FrozenPolicy:
    """Returns the acting part of SAC or TQC."""
    weights = Weights(data.tensors)
    activation = ACTIVATIONS[data.keywords.activation_fn or "ReLU"]
    layers = [
        *front_layers(data, weights),
        *weights.chain("actor.latent_pi", activation),
    ]
    # A limited mean is a sequence of the layer and its limit.
    is_limited = "actor.mu.0.weight" in weights
    mean = weights.dense("actor.mu.0" if is_limited else "actor.mu")
    space = _box(data)
    bounds = ActionBounds.of(space, squashed=True)
    head: Head
    if "actor.log_std" in weights:
        deviation = noise_deviation(
            weights.take("actor.log_std", rank=2), use_expln=data.keywords.use_expln
        )
        check_noise(deviation, *mean.weight.shape)
        limit = data.keywords.clip_mean if is_limited else None
        head = StateDependentNoise.of(mean, deviation, bounds, mean_limit=limit)
    else:
        log_deviation = weights.dense("actor.log_std")
        if log_deviation.weight.shape != mean.weight.shape:
            raise Refusal("network", "means and deviations must have the same shape")
        head = SquashedGaussian(mean, log_deviation, bounds)
    return _assembled(data, weights, extractor, layers, mean, head)


def deterministic_actor(data: PolicyData, extractor: str) -> FrozenPolicy:
    """Returns the acting part of TD3 or DDPG."""
    weights = Weights(data.tensors)
    activation = ACTIVATIONS[data.keywords.activation_fn or "ReLU"]
    layers = [
        *front_layers(data, weights),
        *weights.chain("actor.mu", activation),
    ]
    if not layers:
        raise Refusal("network", "the actor's layers are missing")
    *hidden, last = layers
    mean = Dense(last.weight, last.bias)
    head = Deterministic(mean, ActionBounds.of(_box(data), squashed=True))
    return _assembled(data, weights, extractor, hidden, mean, head)


def _assembled(
    data: PolicyData,
    weights: Weights,
    extractor: str,
    layers: list[Dense],
    mean: Dense,
    head: Head,
) -> FrozenPolicy:
    prefix = "actor.features_extractor."
    encoder, features = build_encoder(data, weights, prefix, extractor)
    actions = int(np.prod(_box(data).shape))
    check_chain([*layers, mean], features, actions)
    weights.check_rest(_IDLE)
    return FrozenPolicy(
        data.observation_space, data.action_space, encoder, tuple(layers), head
    )


def _box(data: PolicyData) -> spaces.Box:
    if not isinstance(data.action_space, spaces.Box):
        raise Refusal("space", "an actor of this class needs actions in a Box")
    return data.action_space


def action_values(data: PolicyData, extractor: str) -> FrozenPolicy:
    """Returns the acting part of DQN."""
    return _frozen(data, extractor, "q_net", quantiles=1)


def action_quantiles(data: PolicyData, extractor: str) -> FrozenPolicy:
    """Returns the acting part of QR-DQN, which acts on the mean of quantiles."""
    quantiles = data.keywords.n_quantiles or 200
    return _frozen(data, extractor, "quantile_net", quantiles=quantiles)


def _frozen(
    data: PolicyData, extractor: str, network: str, quantiles: int
) -> FrozenPolicy:
    if not isinstance(data.action_space, spaces.Discrete):
        raise Refusal("space", "values of actions need Discrete actions")
    weights = Weights(data.tensors)
    activation = ACTIVATIONS[data.keywords.activation_fn or "ReLU"]
    layers = [
        *front_layers(data, weights),
        *weights.chain(f"{network}.{network}", activation),
    ]
    if not layers:
        raise Refusal("network", "the layers of the value network are missing")
    prefix = f"{network}.features_extractor."
    encoder, features = build_encoder(data, weights, prefix, extractor)
    actions = int(data.action_space.n)
    check_chain(layers, features, quantiles * actions)
    weights.check_rest((f"{network}_target.",))
    *hidden, last = layers
    values = _mean_of_quantiles(last, quantiles)
    return FrozenPolicy(
        data.observation_space,
        data.action_space,
        encoder,
        tuple(hidden),
        GreedyValues(values, data.exploration),
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
