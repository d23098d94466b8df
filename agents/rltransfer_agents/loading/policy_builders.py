"""The stock policy classes, and which of their tensors act, and how."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from gymnasium import spaces
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer_agents.loading.policy_data import EXTRACTORS, PolicyData
from rltransfer_agents.loading.policy_parts import (
    Weights,
    build_encoder,
    check_chain,
    front_layers,
)
from rltransfer_agents.loading.refusal import Refusal, quoted
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import ACTIVATIONS, Activation, Dense
from rltransfer_agents.policies.heads import (
    ActionBounds,
    Bernoulli,
    Categorical,
    Deterministic,
    Gaussian,
    GreedyValues,
    Head,
    MultiCategorical,
    SquashedGaussian,
    StateDependentNoise,
)


class _Acting(NamedTuple):
    """What acts on the features of an observation."""

    extractor: str
    """Where the names of the tensors begin that extract the features."""
    layers: list[Dense]
    """The last one gives the outputs."""
    actions: int
    """Numbers that an action is chosen from."""
    head: Head
    quantiles: int = 1
    """Outputs whose mean each of the numbers is."""


def _actor_critic(data: PolicyData, weights: Weights, unit: Activation) -> _Acting:
    """PPO, A2C, TRPO."""
    # Version 1.7 gave the actor an extractor of its own name.
    own = "pi_features_extractor."
    is_own = any(name.startswith(own) for name in data.tensors)
    layers = [
        # Shared layers existed up to version 1.7.
        *weights.chain("mlp_extractor.shared_net", unit),
        *weights.chain("mlp_extractor.policy_net", unit),
        weights.dense("action_net"),
    ]
    actions, head = _actions(data, weights, layers[-1])
    return _Acting(own if is_own else "features_extractor.", layers, actions, head)


def _actions(data: PolicyData, weights: Weights, output: Dense) -> tuple[int, Head]:
    match data.action_space:
        case spaces.Discrete() as space:
            return int(space.n), Categorical()
        case spaces.MultiDiscrete() as space:
            sizes = tuple(int(size) for size in space.nvec)
            return sum(sizes), MultiCategorical(sizes)
        case spaces.MultiBinary(n=int(count)):
            return count, Bernoulli()
        case spaces.Box() as space:
            return math.prod(space.shape), _gaussian(data, weights, space, output)
        case _:
            raise Refusal("space", "actions of this kind are not supported")


def _gaussian(
    data: PolicyData, weights: Weights, space: spaces.Box, output: Dense
) -> Head:
    # The noise matrix of state-dependent exploration has two dimensions.
    if "log_std" in weights and data.tensors["log_std"].ndim == 2:
        noise = _noise_matrix(data, weights, "log_std", output)
        bounds = ActionBounds.of(space, squashed=bool(data.keywords.squash_output))
        return StateDependentNoise.of(bounds, noise)
    deviation = weights.deviation("log_std", output.bias.shape)
    return Gaussian(ActionBounds.of(space, squashed=False), deviation)


def _noise_matrix(
    data: PolicyData, weights: Weights, name: str, output: Dense
) -> Float32[NDArray[np.float32], "latent actions"]:
    latent, actions = output.weight.shape
    # One column may stand for all actions.
    shapes = (latent, actions), (latent, 1)
    deviation = weights.deviation(name, *shapes, use_expln=data.keywords.use_expln)
    return np.broadcast_to(deviation, shapes[0])


def _random_search(data: PolicyData, weights: Weights, unit: Activation) -> _Acting:
    """ARS."""
    layers = weights.chain("action_net", unit)
    # The first versions of the linear policy had the bare layer.
    if not layers and "action_net.weight" in weights:
        layers = [weights.dense("action_net")]
    head: Head
    match data.action_space:
        case spaces.Discrete() as space:
            actions, head = int(space.n), GreedyValues()
        case spaces.Box() as space:
            # By default the linear class clips and the other one squashes.
            is_linear = data.policy_class.endswith("ARSLinearPolicy")
            chosen = data.keywords.squash_output
            squashed = not is_linear if chosen is None else chosen
            bounds = ActionBounds.of(space, squashed=squashed)
            actions, head = math.prod(space.shape), Deterministic(bounds)
        case _:
            raise Refusal("space", "ARS needs Discrete actions or a Box")
    return _Acting("features_extractor.", layers, actions, head)


def _stochastic_actor(data: PolicyData, weights: Weights, unit: Activation) -> _Acting:
    """SAC, TQC."""
    # A limited mean is a sequence of the layer and its limit.
    is_limited = "actor.mu.0.weight" in weights
    mean = weights.dense("actor.mu.0" if is_limited else "actor.mu")
    actions, bounds = _box(data)
    head: Head
    if "actor.log_std" in weights:
        noise = _noise_matrix(data, weights, "actor.log_std", mean)
        limit = data.keywords.clip_mean if is_limited else np.inf
        head = StateDependentNoise.of(bounds, noise, mean_limit=limit)
    else:
        log_deviation = weights.dense("actor.log_std")
        if log_deviation.weight.shape != mean.weight.shape:
            raise Refusal("network", "means and deviations must have the same shape")
        head = SquashedGaussian(bounds, log_deviation)
    layers = [*weights.chain("actor.latent_pi", unit), mean]
    return _Acting("actor.features_extractor.", layers, actions, head)


def _deterministic_actor(
    data: PolicyData, weights: Weights, unit: Activation
) -> _Acting:
    """TD3, DDPG."""
    layers = weights.chain("actor.mu", unit)
    actions, bounds = _box(data)
    head = Deterministic(bounds)
    return _Acting("actor.features_extractor.", layers, actions, head)


def _box(data: PolicyData) -> tuple[int, ActionBounds]:
    """Returns the number of an actor's actions, and the bounds it squashes them to."""
    space = data.action_space
    if not isinstance(space, spaces.Box):
        raise Refusal("space", "an actor of this class needs actions in a Box")
    return math.prod(space.shape), ActionBounds.of(space, squashed=True)


def _action_values(data: PolicyData, weights: Weights, unit: Activation) -> _Acting:
    """DQN."""
    return _greedy(data, "q_net", weights.chain("q_net.q_net", unit), quantiles=1)


def _action_quantiles(data: PolicyData, weights: Weights, unit: Activation) -> _Acting:
    """QR-DQN, which acts on the mean of quantiles."""
    layers = weights.chain("quantile_net.quantile_net", unit)
    return _greedy(data, "quantile_net", layers, data.keywords.n_quantiles or 200)


def _greedy(
    data: PolicyData, network: str, layers: list[Dense], quantiles: int
) -> _Acting:
    space = data.action_space
    if not isinstance(space, spaces.Discrete):
        raise Refusal("space", "values of actions need Discrete actions")
    prefix, head = f"{network}.features_extractor.", GreedyValues(data.exploration)
    return _Acting(prefix, layers, int(space.n), head, quantiles)


def _mean_of(last: Dense, quantiles: int) -> Dense:
    """Returns the layer of the means of so many outputs: they are linear, too."""
    inputs, outputs = last.weight.shape
    weight = last.weight.reshape(inputs, quantiles, outputs // quantiles)
    bias = last.bias.reshape(quantiles, outputs // quantiles)
    return Dense(
        np.ascontiguousarray(weight.mean(axis=1, dtype=np.float64), np.float32),
        bias.mean(axis=0, dtype=np.float64).astype(np.float32),
    )


_Build = Callable[[PolicyData, Weights, Activation], _Acting]


class _Stock(NamedTuple):
    """A stock policy class."""

    build: _Build
    idle: tuple[str, ...]
    """Where the names of tensors begin that never act."""
    activation: str
    """Its default, as is the extractor."""
    extractor: str


def _stock(
    first: str,
    build: _Build,
    idle: str = "",
    activation: str = "ReLU",
    others: str = "CnnPolicy MultiInputPolicy",
) -> dict[str, _Stock]:
    """Returns the class for vectors, and those for pictures and parts beside it."""
    module, _, name = first.rpartition(".")
    return {
        f"{module}.{name}": _Stock(build, tuple(idle.split()), activation, extractor)
        for name, extractor in zip([name, *others.split()], EXTRACTORS, strict=False)
    }


_CRITICS = "critic. critic_target. actor_target."
_CRITIC = "features_extractor. vf_features_extractor. pi_features_extractor. "
_CRITIC += "mlp_extractor.value_net. value_net."
_SB3, _CONTRIB = "stable_baselines3.", "sb3_contrib."
_ARS = f"{_CONTRIB}ars.policies.ARS"
STOCK_POLICIES = {
    **_stock(
        f"{_SB3}common.policies.ActorCriticPolicy",
        _actor_critic,
        _CRITIC,
        "Tanh",
        "ActorCriticCnnPolicy MultiInputActorCriticPolicy",
    ),
    **_stock(f"{_SB3}dqn.policies.DQNPolicy", _action_values, "q_net_target."),
    **_stock(f"{_SB3}sac.policies.SACPolicy", _stochastic_actor, _CRITICS),
    **_stock(f"{_SB3}td3.policies.TD3Policy", _deterministic_actor, _CRITICS),
    **_stock(
        f"{_CONTRIB}qrdqn.policies.QRDQNPolicy",
        _action_quantiles,
        "quantile_net_target.",
    ),
    **_stock(f"{_CONTRIB}tqc.policies.TQCPolicy", _stochastic_actor, _CRITICS),
    **_stock(f"{_ARS}Policy", _random_search, others=""),
    **_stock(f"{_ARS}LinearPolicy", _random_search, others=""),
}
_NEEDS = {
    "Recurrent": "keep a memory, which cannot be carried over",
    "Maskable": "need a mask of allowed actions, which cannot be carried over",
}
"""What policies of these names need besides an observation."""


def build_policy(data: PolicyData) -> FrozenPolicy:
    """Returns the acting part of an agent's policy.

    Raises:
        Refusal: if the policy is not one of the stock ones, or its weights do not fit.
    """
    stock = STOCK_POLICIES.get(data.policy_class)
    if stock is None:
        raise _not_stock(data.policy_class)
    keywords, weights = data.keywords, Weights(data.tensors)
    unit = ACTIVATIONS[keywords.activation_fn or stock.activation]
    acting = stock.build(data, weights, unit)
    if not acting.layers:
        raise Refusal("network", "the layers of the policy are missing")
    extractor = keywords.features_extractor_class or stock.extractor
    encoder, features = build_encoder(data, weights, acting.extractor, extractor)
    layers = [*front_layers(data, weights), *acting.layers]
    check_chain(layers, features, acting.actions * acting.quantiles)
    *hidden, last = layers
    weights.check_rest(stock.idle)
    declared, widths = keywords.actor_widths(), [len(layer.bias) for layer in hidden]
    if declared is not None and declared != widths:
        raise Refusal(
            "network",
            f"the file announces hidden layers of {declared}, the weights have "
            f"{widths}",
        )
    spaces_of = data.observation_space, data.action_space
    output = _mean_of(last, acting.quantiles)
    policy = FrozenPolicy(*spaces_of, encoder, tuple(hidden), output, acting.head)
    return policy.seeded(0)


def _not_stock(policy_class: str) -> Refusal:
    if not policy_class.startswith((_SB3, _CONTRIB)):
        return Refusal(
            "class",
            "a policy must be of a stock class of Stable-Baselines3, got "
            f"{quoted(policy_class)}",
        )
    needs = [why for word, why in _NEEDS.items() if word in policy_class]
    why = needs[0] if needs else "are not read yet"
    return Refusal("unsupported", f"policies of the class {quoted(policy_class)} {why}")
