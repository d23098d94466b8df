"""Acts with a policy out of an .npz file; needs NumPy and nothing else.

Discrete actions are counted from 0: add the start of an environment's action space.
Observations are those behind the wrappers that the policy's "wrappers" lists, if any.
"""

import json
import math
from typing import Any

import numpy as np

_SELU = 1.0507009873554805, 1.6732632423543772
ACTIVATIONS: dict[str, Any] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.maximum(x, 0.01 * x),
    "elu": lambda x: np.maximum(x, 0) + np.expm1(np.minimum(x, 0)),
    "selu": lambda x: (
        _SELU[0] * (np.maximum(x, 0) + _SELU[1] * np.expm1(np.minimum(x, 0)))
    ),
    "sigmoid": lambda x: 0.5 * (np.tanh(0.5 * x) + 1),
    "silu": lambda x: x * 0.5 * (np.tanh(0.5 * x) + 1),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hardtanh": lambda x: np.clip(x, -1, 1),
}


def load_policy(path: Any) -> Any:
    """Returns a function from an observation, or a batch, to the likeliest action."""
    with np.load(path, allow_pickle=False) as file:
        a = dict(file)
    policy = json.loads(str(a["policy"]))

    def act(observation: Any) -> Any:
        x = np.asarray(observation)
        x = x.reshape(*x.shape[: x.ndim - len(policy["observation_shape"])], -1)
        x = np.clip((x - a["mean"]) / a["deviation"], -a["clip"], a["clip"])
        x = x.astype(np.float32)
        for i, name in enumerate(policy["activations"]):
            x = ACTIVATIONS[name](x @ a[f"weight{i}"] + a[f"bias{i}"])
        if policy["choice"] == "largest":
            parts = np.split(x, policy["splits"], axis=-1)
            x = np.stack([part.argmax(axis=-1) for part in parts], axis=-1)
        elif policy["choice"] == "above zero":
            x = (x > 0).astype(np.float32)
        else:
            x, low, high = np.clip(x, -a["limit"], a["limit"]), a["low"], a["high"]
            squashed = low + 0.5 * (np.tanh(x) + 1) * (high - low)
            x = squashed if policy["choice"] == "squashed" else np.clip(x, low, high)
        return x.reshape((*x.shape[:-1], *policy["action_shape"]))

    return act
