"""Which tensors act, and how: PPO, A2C, TRPO, ARS; SAC, TQC, TD3, DDPG, DQN, QR-DQN."""

from typing import Any

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
    Gaussian,
    Head,
    SquashedGaussian,
    StateDependentNoise,
)
from rltransfer_agents.policies.discrete_heads import (
    Bernoulli,
    Categorical,
    GreedyValues,
    MultiCategorical,
)

_IDLE = (
    "features_extractor.",
    "vf_features_extractor.",
    "pi_features_extractor.",
    "mlp_extractor.value_net.",
    "value_net.",
)


def actor_critic(data: PolicyData, extractor: str) -> FrozenPolicy:
    """Returns the acting part of an actor-critic policy."""
    weights = Weights(data.tensors)
    activation = ACTIVATIONS[data.keywords.activation_fn or "Tanh"]
    # Version 1.7 gave the actor an extractor of its own name.
    own = "pi_features_extractor."
    is_own = any(name.startswith(own) for name in data.tensors)
    encoder, features = build_encoder(
        data, weights, own if is_own else "features_extractor.", extractor
    )
    layers = [
        *front_layers(data, weights),
        # Shared layers existed up to version 1.7.
        *weights.chain("mlp_extractor.shared_net", activation),
        *weights.chain("mlp_extractor.policy_net", activation),
    ]
    output = weights.dense("action_net")
    check_chain([*layers, output], features, _output_size(data.action_space))
    head = _head(data, weights, output)
    weights.check_rest(_IDLE)
    return FrozenPolicy(
        data.observation_space, data.action_space, encoder, tuple(layers), head
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


def _head(data: PolicyData, weights: Weights, output: Dense) -> Head:
    space = data.action_space
    match space:
        case spaces.Discrete():
            return Categorical(output)
        case spaces.MultiDiscrete():
            return MultiCategorical(output, tuple(int(size) for size in space.nvec))
        case spaces.Box():
            return _continuous(data, space, weights, output)
        case _:
            return Bernoulli(output)


def _continuous(
    data: PolicyData, space: spaces.Box, weights: Weights, output: Dense
) -> Head:
    # The noise matrix of state-dependent exploration has two dimensions.
    if "log_std" not in weights or data.tensors["log_std"].ndim != 2:
        log_deviation = weights.take("log_std", rank=1)
        if log_deviation.shape != output.bias.shape:
            raise Refusal("network", "log_std must have one number for each action")
        deviation = noise_deviation(log_deviation, use_expln=False)
        return Gaussian(output, deviation, ActionBounds.of(space, squashed=False))
    deviation = noise_deviation(
        weights.take("log_std", rank=2), use_expln=data.keywords.use_expln
    )
    check_noise(deviation, *output.weight.shape)
    squashed = bool(data.keywords.squash_output)
    return StateDependentNoise.of(
        output, deviation, ActionBounds.of(space, squashed=squashed)
    )


def random_search(data: PolicyData, extractor: str) -> FrozenPolicy:
    """Returns the acting part of ARS."""
    weights = Weights(data.tensors)
    activation = ACTIVATIONS[data.keywords.activation_fn or "ReLU"]
    layers = weights.chain("action_net", activation)
    # The first versions of the linear policy had the bare layer.
    if not layers and "action_net.weight" in weights:
        layers = [weights.dense("action_net")]
    if not layers:
        raise Refusal("network", "the layers of the policy are missing")
    *hidden, last = layers
    output = Dense(last.weight, last.bias)
    prefix = "features_extractor."
    encoder, features = build_encoder(data, weights, prefix, extractor)
    head: Head
    match data.action_space:
        case spaces.Discrete() as space:
            actions = int(space.n)
            head = GreedyValues(output)
        case spaces.Box() as space:
            actions = int(np.prod(space.shape))
            # By default the linear class clips and the other one squashes.
            is_linear = data.policy_class.endswith("ARSLinearPolicy")
            chosen = data.keywords.squash_output
            squashed = not is_linear if chosen is None else chosen
            head = Deterministic(output, ActionBounds.of(space, squashed=squashed))
        case _:
            raise Refusal("space", "ARS needs Discrete actions or a Box")
    check_chain([*hidden, output], features, actions)
    weights.check_rest(())
    return FrozenPolicy(
        data.observation_space, data.action_space, encoder, tuple(hidden), head
    )


_IDLE_OFF_POLICY = ("critic.", "critic_target.", "actor_target.")


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
    weights.check_rest(_IDLE_OFF_POLICY)
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
