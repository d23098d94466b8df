import sys
from typing import Any

import gymnasium as gym
import pytest

from rltransfer.errors import InputError
from rltransfer_envs.making import make, nearest_ids


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("CartPol-v1", "not registered .* nearest: CartPole-v1"),
        ("lunarlander-v3", "not registered .* nearest: LunarLander-v3"),
        ("LunarLander-v2", "not registered .* nearest: LunarLander-v3"),
        ("Scrambled-v9", "nearest: rltransfer/Scrambled-v0"),
        ("no such thing", "not registered .*pprint_registry"),
        ("", "not registered"),
        ("nowhere:Thing-v0", "cannot be imported: No module named 'nowhere'"),
        ("Humanoid-v2", "cannot be imported: .* nearest: Humanoid-v5"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_unknown_environment_is_answered_with_the_nearest(
    env_id: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make(env_id)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("LunarLander-v3", {"gravty": -7}, "takes .*gravity.*; got gravty=-7"),
        ("LunarLander-v3", {"gravity": 3}, "refuses gravity=3: .* between -12 and 0"),
        (
            "rltransfer/Scrambled-v0",
            {"base": "CartPole-v1", "graviti": 3},
            "'CartPole-v1' takes .*; got graviti=3$",
        ),
        (
            "rltransfer/Scrambled-v0",
            {"base": "LunarLander-v3", "gravity": 3},
            "'LunarLander-v3' refuses gravity=3: .* between -12 and 0",
        ),
    ],
)
def test_wrong_arguments_are_answered_with_the_right_ones(
    env_id: str, kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make(env_id, **kwargs)


@pytest.mark.parametrize(
    ("env_id", "package", "page", "extra"),
    [
        ("LunarLander-v3", "Box2D", "gymnasium.envs.box2d", "box2d"),
        ("InvertedPendulum-v5", "mujoco", "gymnasium.envs.mujoco", "mujoco"),
        ("rltransfer/Swimmer-v0", "mujoco", "gymnasium.envs.mujoco", "mujoco"),
    ],
)
@pytest.mark.parametrize("within", [False, True])
def test_a_missing_extra_is_named(
    env_id: str,
    package: str,
    page: str,
    extra: str,
    within: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages = (page, "rltransfer_envs.mujoco_bodies")
    for name in list(sys.modules):
        if name.startswith(pages):
            monkeypatch.delitem(sys.modules, name)
    # Python's own way of saying that a package cannot be imported.
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf'pip install "rltransfer\[{extra}\]"'):
        if within:
            make("rltransfer/Scrambled-v0", base=env_id)
        else:
            make(env_id)


def broken(**_: object) -> gym.Env[Any, Any]:
    raise TypeError("unsupported operand")


def test_a_fault_of_the_environment_itself_is_not_hidden() -> None:
    gym.register("BrokenForTest-v0", entry_point=broken)
    try:
        with pytest.raises(TypeError, match="unsupported operand"):
            make("BrokenForTest-v0")
    finally:
        del gym.registry["BrokenForTest-v0"]


def test_the_newest_version_is_nearest() -> None:
    assert nearest_ids("halfcheetah")[0] == "HalfCheetah-v5"


@pytest.mark.parametrize("env_id", ["PandaReach-v1", "ALE/Pong-v5"])
def test_a_name_that_shares_a_part_is_no_suggestion(env_id: str) -> None:
    assert nearest_ids(env_id) == []


def test_what_cannot_be_made_is_no_suggestion() -> None:
    assert all(not near.endswith("-v3") for near in nearest_ids("Hopper-v2"))
