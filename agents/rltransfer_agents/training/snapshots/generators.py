"""The generators that training draws from.

Python's own is for environments alone: one that draws from it only where an episode
ends is stepped again to the same state, and yet goes another way from there.
"""

import copy
import random
from typing import Any

import numpy as np
import torch

from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.snapshots.item import Item


def _take_torch(learner: Learner) -> torch.Tensor:
    del learner  # there is one for the process, as Stable-Baselines3 has it
    return torch.get_rng_state()


def _put_torch(learner: Learner, state: torch.Tensor) -> None:
    del learner
    torch.set_rng_state(state)


TORCH = Item(_take_torch, _put_torch)


def _take_numpy(learner: Learner) -> dict[str, Any]:
    del learner
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    return state


def _put_numpy(learner: Learner, state: dict[str, Any]) -> None:
    del learner
    np.random.set_state(state)


NUMPY = Item(_take_numpy, _put_numpy)


def _take_python(learner: Learner) -> tuple[Any, ...]:
    del learner
    return random.getstate()


def _put_python(learner: Learner, state: tuple[Any, ...]) -> None:
    del learner
    random.setstate(state)


PYTHON = Item(_take_python, _put_python)


def _take_actions(learner: Learner) -> dict[str, Any]:
    state = learner.action_space.np_random.bit_generator.state
    return dict(copy.deepcopy(state))


def _put_actions(learner: Learner, state: dict[str, Any]) -> None:
    learner.action_space.np_random.bit_generator.state = state


RANDOM_ACTIONS = Item(_take_actions, _put_actions)
