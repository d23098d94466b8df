"""Acts with a policy out of an .npz file; needs NumPy and nothing else."""

import json
from typing import Any

import numpy as np

ACTIVATIONS: dict[str, Any] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.maximum(x, 0) + np.expm1(np.minimum(x, 0)),
    "silu": lambda x: x * 0.5 * (np.tanh(0.5 * x) + 1),
}


def load_policy(path: Any) -> Any:
    """Returns a function from an observation, or a batch, to the likeliest action."""
    with np.load(path, allow_pickle=False) as file:
        a = dict(file)
    recipe = json.loads(str(a["recipe"]))

    def act(observation: Any) -> Any:
        x = np.asarray(observation)
        x = x.reshape(*x.shape[: x.ndim - len(recipe["observation_shape"])], -1)
        x = np.clip((x - a["mean"]) / a["deviation"], -a["clip"], a["clip"])
        x = x.astype(np.float32)
        for i, name in enumerate(recipe["activations"]):
            x = ACTIVATIONS[name](x @ a[f"weight{i}"] + a[f"bias{i}"])
        if recipe["choice"] == "largest":
            parts = np.split(x, recipe["borders"], axis=-1)
            actions = np.stack([part.argmax(axis=-1) for part in parts], axis=-1)
            return actions if recipe["several"] else actions[..., 0]
        x, low, high = np.clip(x, -a["limit"], a["limit"]), a["low"], a["high"]
        squashed = low + 0.5 * (np.tanh(x) + 1) * (high - low)
        x = squashed if recipe["choice"] == "squashed" else np.clip(x, low, high)
        return x.reshape(*x.shape[:-1], *recipe["action_shape"])

    return act
