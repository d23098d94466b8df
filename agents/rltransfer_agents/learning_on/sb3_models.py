"""Learners as plain Stable-Baselines3 models, which act the same to rounding.

A learner sees standardised observations and counts rewards in a unit of its own; both
are folded into the first and last layers, so that the model needs no statistics.
Whoever learns on with such a model begins where the learner stopped: it never acts at
random first, and explores and pays for entropy as the learner did.
"""

from typing import Any, NamedTuple, TypeAlias

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DQN, PPO, SAC, TD3
from stable_baselines3.common.noise import NormalActionNoise

from rltransfer.domain import codec_of
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.network_stack import NetworkStack
from rltransfer_agents.learning_on.replay import Units

Array = NDArray[np.float32]
Model: TypeAlias = DQN | PPO | SAC | TD3
"""A plain Stable-Baselines3 model."""
_ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


class ActorCriticNetworks(NamedTuple):
    """What acts, what rates, and the slow copies that targets are made with."""

    actor: NetworkStack
    slow_actor: NetworkStack
    critic: NetworkStack
    slow_critic: NetworkStack


class PpoNetworks(NamedTuple):
    """What draws actions, and what values states."""

    actor: NetworkStack
    critic: NetworkStack


def td3_model(
    env: gym.Env[Any, Any],
    config: LearnerConfig,
    units: Units,
    networks: ActorCriticNetworks,
) -> TD3:
    """Returns a TD3 with these networks."""
    kwargs = _actor_and_critics(networks)
    size = networks.critic.sizes[0] - len(units.shift)
    # Without any it would never try anything new.
    noise = NormalActionNoise(np.zeros(size), np.full(size, config.noise))
    model = TD3(
        "MlpPolicy", env, action_noise=noise, policy_kwargs=kwargs, **_shared(config)
    )
    _fill(model.actor, networks.actor, 0, units)
    _fill(model.actor_target, networks.slow_actor, 0, units)
    _fill_critics(model, networks, units)
    return model


def sac_model(
    env: gym.Env[Any, Any],
    config: LearnerConfig,
    units: Units,
    networks: ActorCriticNetworks,
    temperature: float,
) -> SAC:
    """Returns a SAC with these networks.

    Args:
        env: the target.
        config: how it learned.
        units: of what the networks see.
        networks: the actor's outputs are means, then logs of standard deviations.
        temperature: in units of the learner's reward.
    """
    kwargs = _actor_and_critics(networks)
    model = SAC("MlpPolicy", env, policy_kwargs=kwargs, **_shared(config))
    _fill(model.actor, networks.actor, 0, units)
    _fill_critics(model, networks, units)
    assert model.log_ent_coef is not None
    with torch.no_grad():
        model.log_ent_coef.fill_(float(np.log(temperature * units.reward)))
    return model


def dqn_model(
    env: gym.Env[Any, Any],
    config: LearnerConfig,
    units: Units,
    network: NetworkStack,
    slow: NetworkStack,
) -> DQN:
    """Returns a DQN with these networks."""
    model = DQN(
        "MlpPolicy",
        env,
        # The slow copy follows in every update, and every step has one.
        target_update_interval=1,
        train_freq=1,
        # The schedule of random choices would start over with nothing but them.
        exploration_initial_eps=config.random_choices,
        exploration_final_eps=config.random_choices,
        policy_kwargs={
            "net_arch": list(network.sizes[1:-1]),
            "activation_fn": _ACTIVATIONS[network.activation],
        },
        **_shared(config),
    )
    _fill(model.q_net, network, 0, units, units.reward)
    _fill(model.q_net_target, slow, 0, units, units.reward)
    return model


def ppo_model(
    env: gym.Env[Any, Any],
    config: LearnerConfig,
    units: Units,
    networks: PpoNetworks,
    log_std: Array | None,
    how: dict[str, Any],
) -> PPO:
    """Returns a PPO with these networks.

    Args:
        env: the target.
        config: how it learned.
        units: of what the networks see.
        networks: the actor's outputs are logits, or means where full actions are 1.
        log_std: logarithms of the deviations of draws in these units; None for choices.
        how: more keyword arguments of PPO.
    """
    actor, critic = networks.actor, networks.critic
    kwargs = {
        "net_arch": {"pi": list(actor.sizes[1:-1]), "vf": list(critic.sizes[1:-1])},
        "activation_fn": _ACTIVATIONS[actor.activation],
    }
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=config.rate,
        gamma=config.discount,
        device="cpu",
        policy_kwargs=kwargs,
        **how,
    )
    hidden, reach, centre = model.policy.mlp_extractor, np.ones(1), np.zeros(1)
    if log_std is not None:
        codec = codec_of(env.action_space, "the target")
        centre, edge = (
            codec.decode(np.full(codec.size, at)).astype(np.float64)
            for at in (0.0, 1.0)
        )
        reach = edge - centre
        with torch.no_grad():
            # Where it began anew, draws would be as wide as the motors go.
            wide = log_std + np.log(reach)
            model.policy.log_std.copy_(torch.from_numpy(wide))
    acts = torch.nn.Sequential(hidden.policy_net, model.policy.action_net)
    values = torch.nn.Sequential(hidden.value_net, model.policy.value_net)
    _fill(acts, actor, 0, units, reach, centre)
    _fill(values, critic, 0, units, units.reward)
    return model


def _actor_and_critics(networks: ActorCriticNetworks) -> dict[str, Any]:
    """Returns what the policy class has to know of the networks' shapes."""
    actor, critic = networks.actor, networks.critic
    return {
        "net_arch": {"pi": list(actor.sizes[1:-1]), "qf": list(critic.sizes[1:-1])},
        "activation_fn": _ACTIVATIONS[actor.activation],
        "n_critics": critic.copies,
    }


def _shared(config: LearnerConfig) -> dict[str, Any]:
    return {
        "learning_rate": config.rate,
        "batch_size": config.batch,
        "gamma": config.discount,
        "tau": config.follow,
        "device": "cpu",
        # Steps at random: `learn` counts anew, and what was learned would not act.
        "learning_starts": 0,
        # So many rows are allocated at once.
        "buffer_size": 100_000,
    }


def _fill_critics(
    model: SAC | TD3, networks: ActorCriticNetworks, units: Units
) -> None:
    for copy in range(networks.critic.copies):
        for ours, theirs in (
            (networks.critic, model.critic),
            (networks.slow_critic, model.critic_target),
        ):
            _fill(theirs.q_networks[copy], ours, copy, units, units.reward)


def _fill(
    module: torch.nn.Module,
    network: NetworkStack,
    copy: int,
    units: Units,
    unit: float | NDArray[np.float64] = 1.0,
    centre: float | NDArray[np.float64] = 0.0,
) -> None:
    """Gives the linear layers of a torch module the weights of one network.

    Args:
        module: takes raw inputs, and returns outputs in their own unit.
        network: fed with standardised observations, and actions behind them, if any.
        copy: which of its networks.
        units: of the observations.
        unit: what 1 of the network's outputs is worth.
        centre: what 0 of them is.
    """
    actions = network.sizes[0] - len(units.shift)
    shift = np.append(units.shift, np.zeros(actions))
    spread = np.append(units.spread, np.ones(actions))
    layers = [
        (weight[copy].T.astype(np.float64), bias[copy, 0].astype(np.float64))
        for weight, bias in network.layers
    ]
    weight, bias = layers[0]
    layers[0] = weight / spread, bias - (weight / spread) @ shift
    weight, bias = layers[-1]
    layers[-1] = (weight.T * unit).T, bias * unit + centre
    # Several last layers, as SAC has them, are one here.
    weights, biases = zip(*layers, strict=True)
    linear = [part for part in module.modules() if isinstance(part, torch.nn.Linear)]
    last = linear[len(layers) - 1 :]
    cuts = np.cumsum([part.out_features for part in last])[:-1]
    numbers = [
        *zip(weights[:-1], biases[:-1], strict=True),
        *zip(np.split(weights[-1], cuts), np.split(biases[-1], cuts), strict=True),
    ]
    with torch.no_grad():
        for part, (weight, bias) in zip(linear, numbers, strict=True):
            part.weight.copy_(torch.from_numpy(weight))
            part.bias.copy_(torch.from_numpy(bias))
