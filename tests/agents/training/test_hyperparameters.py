"""The stored hyperparameters are valid, and the right entry is found."""

import ast
from importlib.resources import files

import pytest
import yaml

from rltransfer.errors import InputError
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


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        (
            "policy_kwargs",
            "dict(net_arch=[8], activation_fn=nn.ReLU, ortho_init=False)",
            "\"policy_kwargs={'net_arch': [8], 'activation_fn': 'relu', "
            "'ortho_init': False}\"",
        ),
        (
            "policy_kwargs",
            "dict(net_arch=[dict(pi=[8], vf=[8])])",
            "\"policy_kwargs={'net_arch': {'pi': [8], 'vf': [8]}}\"",
        ),
        ("net_arch", [8], "\"policy_kwargs={'net_arch': [8]}\""),
        ("normalize", "{'norm_obs': True}", "\"normalize={'norm_obs': True}\""),
    ],
)
def test_rl_zoos_spelling_is_answered_with_ours(
    key: str, value: object, remedy: str
) -> None:
    with pytest.raises(InputError) as refusal:
        tuned_hyperparameters("ppo", "CartPole-v1", {}, {key: value})
    assert str(refusal.value).endswith(f"; write --hyperparams {remedy}")
    written = ast.literal_eval(remedy.strip('"').partition("=")[2])
    name = remedy.strip('"').partition("=")[0]
    found = tuned_hyperparameters("ppo", "CartPole-v1", {}, {name: written})
    assert found[name]


def test_what_is_an_option_is_no_hyperparameter() -> None:
    with pytest.raises(InputError, match="use --seed 3"):
        tuned_hyperparameters("ppo", "CartPole-v1", {}, {"seed": 3})


def test_code_in_a_hyperparameter_is_not_run() -> None:
    code = "dict(net_arch=__import__('os').getpid())"
    with pytest.raises(InputError, match="policy_kwargs"):
        tuned_hyperparameters("ppo", "CartPole-v1", {}, {"policy_kwargs": code})
