"""Untrained agents of every stock kind, with weights that make choices clear."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from torch import nn


@final
class Still(gym.Env[Any, Any]):
    """An environment of any spaces in which nothing happens."""

    def __init__(self, observation: spaces.Space[Any], action: spaces.Space[Any]):
        self.observation_space = observation
        self.action_space = action

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        return self.observation_space.sample(), 0.0, False, False, {}


def numbers(*shape: int) -> spaces.Box:
    return spaces.Box(-2.0, 3.0, shape, np.float32)


def picture(*shape: int) -> spaces.Box:
    return spaces.Box(0, 255, shape, np.uint8)


UNEVEN = spaces.Box(
    np.array([-2.0, 0.0, -1.0], np.float32), np.array([2.0, 1.0, 5.0], np.float32)
)
PARTS = spaces.Dict(
    {"where": numbers(3), "what": spaces.Discrete(4), "seen": picture(36, 36, 1)}
)


@final
@dataclass(frozen=True)
class Stock:
    """How to make an agent, and what the reader should call its algorithm."""

    algorithm: str
    observation: spaces.Space[Any]
    action: spaces.Space[Any]
    policy: str = "MlpPolicy"
    policy_kwargs: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def make(self, seed: int = 0) -> Any:
        """Returns the agent."""
        torch.set_num_threads(1)
        model = algorithm_class(self.algorithm)(
            self.policy,
            Still(self.observation, self.action),
            # A copy: SB3 writes settings of its own into the dict.
            policy_kwargs=dict(self.policy_kwargs) or None,
            device="cpu",
            **self.settings,
        )
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in model.policy.named_parameters():
                # As drawn, all actions of PPO are nearly alike; deviations stay small.
                scale = (
                    0.3 / max(1, parameter[0].numel() if parameter.dim() else 1) ** 0.5
                )
                shift = -1.0 if "log_std" in name and parameter.dim() < 2 else 0.0
                drawn = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(drawn * scale * 4 + shift)
        return model

    def save(self, path: Path, seed: int = 0) -> Any:
        """Writes the agent's zip and returns the agent."""
        model = self.make(seed)
        model.save(path)
        return model


def algorithm_class(name: str) -> Callable[..., Any]:
    """Returns a class of SB3, or of sb3-contrib where that is installed."""
    own = {"ppo": PPO, "a2c": A2C, "dqn": DQN, "sac": SAC, "td3": TD3, "ddpg": DDPG}
    if name in own:
        return own[name]
    contrib = pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")
    found: Callable[..., Any] = getattr(contrib, name.upper())
    return found


_SMALL: dict[str, Any] = {"net_arch": [16, 16]}
_BUFFER: dict[str, Any] = {"buffer_size": 10}
_FOUR = spaces.Discrete(4)
_CNN: dict[str, Any] = {"features_extractor_kwargs": {"features_dim": 32}}

STOCK: dict[str, Stock] = {
    "ppo": Stock("ppo", numbers(5), _FOUR),
    "ppo-box": Stock("ppo", numbers(5), UNEVEN),
    "ppo-table-of-numbers": Stock("ppo", numbers(4, 3), numbers(2, 2)),
    "ppo-many-choices": Stock("ppo", numbers(5), spaces.MultiDiscrete([3, 2, 4])),
    "ppo-switches": Stock("ppo", numbers(5), spaces.MultiBinary(3)),
    "ppo-elu": Stock(
        "ppo",
        numbers(5),
        _FOUR,
        policy_kwargs={
            "net_arch": {"pi": [12], "vf": [8, 8]},
            "activation_fn": nn.ELU,
        },
    ),
    "ppo-linear": Stock("ppo", numbers(5), UNEVEN, policy_kwargs={"net_arch": []}),
    "ppo-noise": Stock("ppo", numbers(5), UNEVEN, settings={"use_sde": True}),
    "ppo-squashed-noise": Stock(
        "ppo",
        numbers(5),
        UNEVEN,
        policy_kwargs={"squash_output": True, "use_expln": True, "full_std": False},
        settings={"use_sde": True},
    ),
    "ppo-pictures": Stock("ppo", picture(36, 36, 3), _FOUR, "CnnPolicy", _CNN),
    "ppo-pictures-apart": Stock(
        "ppo",
        picture(36, 36, 3),
        _FOUR,
        "CnnPolicy",
        _CNN | {"share_features_extractor": False},
    ),
    "ppo-flat-pictures": Stock("ppo", picture(8, 8, 3), _FOUR, policy_kwargs=_SMALL),
    "ppo-parts": Stock("ppo", PARTS, _FOUR, "MultiInputPolicy"),
    "a2c-place": Stock("a2c", spaces.Discrete(6), _FOUR),
    "a2c-places": Stock("a2c", spaces.MultiDiscrete([3, 4]), UNEVEN),
    "a2c-switches": Stock("a2c", spaces.MultiBinary(5), _FOUR),
    "a2c-noise": Stock("a2c", numbers(5), UNEVEN, settings={"use_sde": True}),
    "dqn": Stock("dqn", numbers(5), _FOUR, settings=_BUFFER),
    "dqn-gelu": Stock(
        "dqn",
        numbers(5),
        _FOUR,
        policy_kwargs={"net_arch": [20, 9, 7], "activation_fn": nn.GELU},
        settings=_BUFFER,
    ),
    "dqn-pictures": Stock("dqn", picture(36, 36, 3), _FOUR, "CnnPolicy", _CNN, _BUFFER),
    "sac": Stock("sac", numbers(5), UNEVEN, settings=_BUFFER, policy_kwargs=_SMALL),
    "sac-double": Stock(
        "sac",
        spaces.Box(-1.0, 1.0, (5,), np.float64),
        spaces.Box(-3.0, 1.0, (2,), np.float64),
        settings=_BUFFER,
        policy_kwargs={"net_arch": {"pi": [16], "qf": [8]}},
    ),
    "sac-noise": Stock(
        "sac",
        numbers(5),
        UNEVEN,
        settings=_BUFFER | {"use_sde": True},
        policy_kwargs=_SMALL | {"use_expln": True},
    ),
    "sac-parts": Stock(
        "sac",
        spaces.Dict({"b": numbers(3), "a": spaces.MultiBinary(2)}),
        UNEVEN,
        "MultiInputPolicy",
        _SMALL,
        _BUFFER,
    ),
    "td3": Stock("td3", numbers(5), UNEVEN, settings=_BUFFER, policy_kwargs=_SMALL),
    "ddpg": Stock("ddpg", numbers(5), UNEVEN, settings=_BUFFER, policy_kwargs=_SMALL),
    "qrdqn": Stock(
        "qrdqn",
        numbers(5),
        _FOUR,
        settings=_BUFFER,
        policy_kwargs=_SMALL | {"n_quantiles": 7},
    ),
    "tqc": Stock("tqc", numbers(5), UNEVEN, settings=_BUFFER, policy_kwargs=_SMALL),
    "trpo": Stock("trpo", numbers(5), _FOUR),
    "ars": Stock("ars", numbers(5), _FOUR),
    "ars-box": Stock("ars", numbers(5), UNEVEN),
    "ars-linear": Stock("ars", numbers(5), UNEVEN, "LinearPolicy"),
    "ars-linear-discrete": Stock("ars", numbers(5), _FOUR, "LinearPolicy"),
}

# Several suites need one of each way to act, not one of each spelling.
BRIEF = ("ppo", "ppo-box", "dqn", "sac", "td3", "a2c-noise")
