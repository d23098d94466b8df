"""The stored hyperparameters are valid, and the right entry is found."""

from importlib.resources import files

import pytest
import yaml

from rltransfer_agents.training import ALGORITHMS, tuned_hyperparameters

ENTRIES = [
    (algorithm, env_id)
    for algorithm in ALGORITHMS
    for env_id in yaml.safe_load(
        (files("rltransfer_agents") / f"hyperparameters/{algorithm}.yml").read_text()
    )
]


@pytest.mark.parametrize(("algorithm", "env_id"), ENTRIES)
def test_every_stored_entry_is_valid(algorithm: str, env_id: str) -> None:
    assert tuned_hyperparameters(algorithm, env_id)["n_timesteps"] >= 10_000


@pytest.mark.parametrize(
    ("env_id", "env_kwargs", "entry"),
    [
        ("CartPole-v0", {}, "CartPole-v1"),
        ("rltransfer/CartPole-v3", {}, "CartPole-v1"),
        ("rltransfer/Scrambled-v0", {"base": "Acrobot-v1"}, "Acrobot-v1"),
        ("rltransfer/Scrambled-v0", {"base": "Unknown-v1"}, "default"),
        ("Unknown-v1", {}, "default"),
    ],
)
def test_relatives_share_an_entry(
    env_id: str, env_kwargs: dict[str, object], entry: str
) -> None:
    assert tuned_hyperparameters("ppo", env_id, env_kwargs) == (
        tuned_hyperparameters("ppo", entry)
    )


def test_an_override_replaces_one_value() -> None:
    tuned = tuned_hyperparameters("ppo", "CartPole-v1")
    changed = tuned_hyperparameters("ppo", "CartPole-v1", {}, {"n_epochs": 3})
    assert changed == {**tuned, "n_epochs": 3}
