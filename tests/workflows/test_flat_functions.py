"""The functions of the package: callables, results that print, folders that move."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import rltransfer
from rltransfer.domain import Domain
from rltransfer.errors import InputError, StorageError
from rltransfer.translation import MappedPolicy
from rltransfer.translation.altered_translations import opposite
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer.workflows.transfer_run import resume_transfer
from tests.effort import QUICK


class Gain(gym.Env[Any, Any]):
    """A point that is paid for standing at the origin; actions are multiplied."""

    def __init__(self, gain: float = 1.0) -> None:
        self.observation_space = spaces.Box(-10, 10, (2,), np.float32)
        self.action_space = spaces.Discrete(3)
        self._gain, self._place = gain, 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._place, self._steps = float(self.np_random.uniform(-1, 1)), 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._place += 0.1 * (int(action) - 1) * self._gain
        self._place = float(np.clip(self._place, -10, 10))
        self._steps += 1
        return self._seen(), -abs(self._place), False, self._steps >= 20, {}

    def _seen(self) -> Any:
        return np.array([self._place, self._gain], np.float32)


@pytest.fixture(scope="module", autouse=True)
def registered() -> Any:
    gym.register("test/Gain-v0", Gain)
    gym.register("test/Gain-v1", Gain)
    yield
    for version in (0, 1):
        del gym.registry[f"test/Gain-v{version}"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained with a gain that its run records."""
    found = rltransfer.train_source(
        "test/Gain-v0",
        "a2c",
        64,
        env_kwargs={"gain": 5.0},
        log_folder=tmp_path_factory.mktemp("runs"),
        device="cpu",
    )
    return found.folder


def transferred(source: Any, folder: Path, target: Any, **options: Any) -> Any:
    found = rltransfer.transfer(
        source,
        target,
        steps=600,
        log_folder=folder,
        hyperparams=QUICK,
        weak_source=True,
        **options,
    )
    assert isinstance(found, TransferResult)
    return found


@pytest.fixture(scope="module")
def result(source: Path, tmp_path_factory: pytest.TempPathFactory) -> TransferResult:
    folder = tmp_path_factory.mktemp("transfers")
    found = transferred(source, folder, "test/Gain-v1", target_kwargs={"gain": 2.0})
    assert isinstance(found, TransferResult)
    return found


def test_the_package_lists_its_functions() -> None:
    for name in rltransfer.__all__:
        assert callable(getattr(rltransfer, name))
    assert set(rltransfer.__all__) <= set(dir(rltransfer))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rltransfer.nothing  # noqa: B018


def test_recorded_arguments_are_kept_when_the_environment_is_named(
    source: Path,
) -> None:
    kept = rltransfer.evaluate(source, "test/Gain-v1", episodes=2)
    assert kept.as_json()["env_kwargs"] == {"gain": 5.0}
    assert "test/Gain-v1 (gain=5.0)" in str(kept)
    own = rltransfer.evaluate(source, episodes=2)
    assert kept.returns.tolist() == own.returns.tolist()
    typed = rltransfer.evaluate(source, env_kwargs={"gain": 1.0}, episodes=2)
    assert typed.as_json()["env_kwargs"] == {"gain": 1.0}


def test_recorded_arguments_of_the_source_are_kept_in_a_transfer(
    source: Path, result: TransferResult, tmp_path: Path
) -> None:
    assert result.as_json()["source_kwargs"] == {"gain": 5.0}
    renamed = transferred(
        source, tmp_path, "test/Gain-v0", source_env="test/Gain-v1"
    ).as_json()
    assert renamed["source_env"] == "test/Gain-v1"
    assert renamed["source_kwargs"] == {"gain": 5.0}
    replaced = transferred(
        source, tmp_path, "test/Gain-v0", source_kwargs={"gain": 3.0}
    )
    assert replaced.as_json()["source_kwargs"] == {"gain": 3.0}
    assert "test/Gain-v0 (gain=3.0)" in str(replaced)


def test_a_transfer_elsewhere_says_what_its_mapping_was_made_for(
    result: TransferResult,
) -> None:
    there = rltransfer.evaluate(result.folder, env_kwargs={"gain": 1.0}, episodes=1)
    made_for = {"env": "test/Gain-v1", "env_kwargs": {"gain": 2.0}}
    assert there.as_json()["made_for"] == made_for
    assert "made for test/Gain-v1 (gain=2.0)" in str(there)
    assert "seed     0" in str(there)
    here = rltransfer.evaluate(result.folder, episodes=2)
    assert "made for" not in str(here)
    assert "0 to 1" in str(here)


def test_a_saved_transfer_acts_without_its_agent(
    result: TransferResult, source: Path, tmp_path: Path
) -> None:
    saved = result.save(tmp_path / "saved")
    with pytest.raises(InputError, match="exists already"):
        result.save(tmp_path / "saved")
    away = source.rename(tmp_path / "away")
    try:
        rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
        moved = rltransfer.load_agent(saved)
        expected, _ = result.policy.predict(rows, deterministic=True)
        assert moved.predict(rows, deterministic=True)[0].tolist() == expected.tolist()
        assert rltransfer.evaluate(moved, episodes=2).summary.episodes == 2
        assert "gone" not in str(rltransfer.inspect(saved))
    finally:
        away.rename(source)


def test_a_transfer_of_a_transfer_moves_too(
    result: TransferResult, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(result.folder, tmp_path / "first"))
    second = transferred(copy, tmp_path, "test/Gain-v0")
    shutil.rmtree(copy)
    moved = second.folder.rename(tmp_path / "second")
    assert rltransfer.evaluate(moved, episodes=1).summary.episodes == 1


def test_a_folder_without_its_agent_is_refused_wherever_the_agent_lay(
    result: TransferResult, tmp_path: Path
) -> None:
    emptied = result.save(tmp_path / "emptied")
    shutil.rmtree(emptied / "source")
    with pytest.raises(InputError, match="is gone: put it back or make the transfer"):
        rltransfer.evaluate(emptied, episodes=2)


def test_a_callable_makes_the_environment(source: Path, tmp_path: Path) -> None:
    def doubled(gain: float = 2.0) -> gym.Env[Any, Any]:
        return Gain(gain)

    found = rltransfer.evaluate(source, doubled, episodes=1)
    assert found.as_json()["env"] == "python/doubled-v0"
    moved = transferred(rltransfer.load_agent(source), tmp_path, doubled)
    assert moved.target.env_id == "python/doubled-v0"
    # Other tests of this process may have named lambdas before.
    before = sum(env_id.startswith("python/lambda-v") for env_id in gym.registry)
    other = rltransfer.evaluate(source, lambda gain: Gain(1.0), episodes=1)
    assert other.as_json()["env"] == f"python/lambda-v{before}"


def of_no_worth(source: Path, log_folder: Path) -> None:
    """Transfers from where nothing that the source does helps."""
    rltransfer.transfer(
        source,
        "test/Gain-v1",
        source_kwargs={"gain": 0.0},
        steps=600,
        log_folder=log_folder,
        hyperparams=QUICK,
    )


def test_a_source_that_is_worth_nothing_at_home_is_refused_and_leaves_nothing(
    source: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"must beat .* at random .*--weak-source"):
        of_no_worth(source, tmp_path)
    assert not list(tmp_path.glob("transfer/*"))
    warned = transferred(source, tmp_path, "test/Gain-v1", source_kwargs={"gain": 0.0})
    assert str(warned).startswith("note: a source must beat acting at random")


def test_a_disk_that_keeps_what_a_refused_source_left_is_named(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(StorageError, match=r"the disk failed .*; check it"):
        of_no_worth(source, tmp_path)


def test_objects_are_no_arguments_of_environments(source: Path) -> None:
    with pytest.raises(InputError, match=r"got gain of object; pass a callable"):
        rltransfer.evaluate(source, env_kwargs={"gain": object()})


def test_values_of_the_configuration_can_be_replaced_and_are_checked(
    source: Path, tmp_path: Path
) -> None:
    for values, told in (
        ({"restart": 1}, "hyperparams of a transfer are without, restarts, updates"),
        ({"learning": 1}, "got learning"),
        ({"seed": 1}, "got seed"),
        ({"restarts": 1.5}, "restarts is a whole number, got 1.5"),
        ({"learning.updates": 10**9}, "at most 100 times its default"),
    ):
        with pytest.raises(InputError, match=told):
            rltransfer.transfer(
                source, "test/Gain-v0", hyperparams=values, log_folder=tmp_path
            )


def test_a_mapping_may_be_altered_but_not_where_the_run_goes_on(
    source: Path, tmp_path: Path
) -> None:
    def refuse(policy: MappedPolicy, target: Domain) -> MappedPolicy:
        assert target.name.startswith("test/Gain-v1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transferred(source, tmp_path, "test/Gain-v1", alter=refuse)
    with pytest.raises(InputError, match="a function that alters the mapping"):
        resume_transfer(tmp_path / "transfer" / "test-Gain-v1_1")

    found = transferred(
        source, tmp_path, "test/Gain-v1", alter=lambda p, _: opposite(p)
    )
    seen, mirrored = (
        translation.state(torch.ones(1, 2)).tolist()
        for translation in (
            found.policy.translation,
            opposite(found.policy).translation,
        )
    )
    assert seen == [[-x for x in row] for row in mirrored]
    kept = rltransfer.load_agent(found.folder).policy
    observation = np.array([0.3, 1.0], np.float32)
    assert kept.predict(observation)[0] == found.policy.predict(observation)[0]
