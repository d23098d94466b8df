"""Acts with published agents by SB3's own loading; run as a child process.

The files are known, and yet their code runs here: that is what the reader is compared
with. Prints actions as JSON.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

# Old pickles name gym, which gymnasium continues under the same names.
sys.modules["gym"] = gym
for part in ("spaces", "spaces.box", "spaces.discrete", "spaces.dict"):
    sys.modules[f"gym.{part}"] = sys.modules[f"gymnasium.{part}"]

from stable_baselines3 import A2C, DQN, PPO, SAC  # noqa: E402  after the names above
from stable_baselines3.common.save_util import load_from_zip_file  # noqa: E402
from stable_baselines3.common.vec_env import VecNormalize  # noqa: E402

_CLASSES: dict[str, Any] = {"a2c": A2C, "dqn": DQN, "ppo": PPO, "sac": SAC}


def main() -> None:
    warnings.simplefilter("ignore")
    answers = [actions(*question) for question in json.loads(sys.stdin.read())]
    print(json.dumps(answers))


def actions(path: str, statistics: str | None, observations: Any) -> Any:
    """Returns what an agent does."""
    algorithm = _CLASSES[Path(path).parts[-3]]
    replaced = {
        "lr_schedule": lambda _: 0.0,
        "clip_range": lambda _: 0.0,
        "exploration_schedule": lambda _: 0.0,
    }
    model = _loaded(algorithm, path, replaced)
    rows = np.asarray(observations, np.float32)
    if statistics is not None:
        import pickle

        with open(statistics, "rb") as file:
            normalise: VecNormalize = pickle.load(file)
        normalise.training = False
        rows = normalise.normalize_obs(rows)
    return model.predict(rows, deterministic=True)[0].tolist()


def _loaded(algorithm: Any, path: str, replaced: dict[str, Any]) -> Any:
    """Returns the policy of a file, built as `algorithm.load` builds it."""
    data, parameters, _ = load_from_zip_file(path, custom_objects=replaced)
    assert data is not None
    keywords = data["policy_kwargs"]
    keywords.pop("device", None)
    for name in ("observation_space", "action_space"):
        data[name] = _modern(data[name])
    keywords["use_sde"] = data["use_sde"]
    if algorithm is DQN:
        del keywords["use_sde"]
    policy = data["policy_class"](
        data["observation_space"], data["action_space"], lambda _: 0.0, **keywords
    )
    weights = parameters["policy"]
    # Version 1.7 gave extractors second names; these policies' extractors are empty.
    policy.load_state_dict(weights)
    return policy


def _modern(space: Any) -> Any:
    """Returns a space whose fields have the names of today."""
    if isinstance(space, gym.spaces.Discrete):
        return gym.spaces.Discrete(int(space.n))
    return gym.spaces.Box(space.low, space.high, dtype=np.float32)


main()
