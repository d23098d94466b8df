"""What is learned of a source is kept, and a kept one changes no number."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
import pytest

import rltransfer
from rltransfer.alignment import AlignConfig, Source, SourceModelData
from rltransfer.domain import Domain, LoggedRows
from rltransfer.io.tensor_files import kind_of, pack, unpack
from rltransfer.source_models import LearnConfig
from rltransfer.workflows import source_model_cache
from rltransfer.workflows.environments import MakeEnv
from rltransfer.workflows.policy_loading import opened_home
from rltransfer.workflows.source_model_cache import FOLDER, SourceModelCache
from rltransfer.workflows.train_source import resume_training
from tests.worlds.logs import columns_of

CONFIG = AlignConfig(
    source_steps=300, learning=LearnConfig(width=8, updates=5, batch_size=64)
)
Learn: TypeAlias = Callable[..., tuple[SourceModelData, list[str]]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = rltransfer.train_source(
        "CartPole-v1", "a2c", 64, log_folder=tmp_path_factory.mktemp("runs")
    )
    return found.folder


@pytest.fixture
def agent(trained: Path, tmp_path: Path) -> Path:
    """A run folder that holds no source model yet."""
    return shutil.copytree(trained, tmp_path / trained.name)


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch) -> Learn:
    """Asks a new cache for an agent's model; returns it, and the notes with "learned".

    Whoever learned it is told by whether `learn_source_model` was called.
    """

    def call(
        agent: Path,
        config: AlignConfig = CONFIG,
        env: str | MakeEnv | None = None,
        log: int = 0,
    ) -> tuple[SourceModelData, list[str]]:
        calls: list[str] = []
        with monkeypatch.context() as patch:
            own = source_model_cache.learn_source_model

            def counted(*what: Any, **options: Any) -> SourceModelData:
                calls.append("learned")
                return own(*what, **options)

            patch.setattr(source_model_cache, "learn_source_model", counted)
            loaded = rltransfer.load_agent(agent, env=env)
            with opened_home(loaded) as (domain, _):
                rows = logged(domain, log) if log else None
                cache = SourceModelCache(loaded, rows)
                own_rows = rows and rows.transitions
                source = Source(domain, loaded.policy, "agent", logged=own_rows)
                found = cache(source, config)
        return found, [*calls, *cache.notes]

    return call


def logged(domain: Domain, steps: int) -> LoggedRows:
    columns = columns_of(gym.make("CartPole-v1"), steps)
    sha256 = f"{steps:064}"
    about: dict[str, Any] = {"origin": "a.npz", "sha256": sha256, "least": 1}
    return LoggedRows.of(columns, domain, **about, most=1000)


def kept_by(agent: Path) -> Path:
    (path,) = (agent / FOLDER).iterdir()
    return path


def bits_of(found: SourceModelData) -> dict[str, bytes]:
    numbers = dict(found.model.numbers)
    for part in ("rows", "at_random"):
        columns = vars(getattr(found, part)).items()
        numbers |= {f"{part} {name}": column for name, column in columns}
    bits = {name: x.numpy().tobytes() for name, x in numbers.items()}
    return bits | {"returns": found.home_returns.tobytes()}


def test_what_was_kept_is_what_was_learned(agent: Path, learn: Learn) -> None:
    first, told = learn(agent)
    again, told_again = learn(agent)
    assert told == ["learned"]
    assert told_again == []
    assert bits_of(again) == bits_of(first)
    assert again.terminates == first.terminates


def test_the_seed_of_a_transfer_has_no_part_in_it(agent: Path, learn: Learn) -> None:
    first, _ = learn(agent)
    other, told = learn(agent, AlignConfig(**vars(CONFIG) | {"seed": 7}))
    assert told == []
    assert bits_of(other) == bits_of(first)


def test_other_settings_are_learned_beside_it(agent: Path, learn: Learn) -> None:
    learn(agent)
    more = AlignConfig(**vars(CONFIG) | {"source_steps": 330})
    assert learn(agent, more)[1] == ["learned"]
    assert learn(agent, more)[1] == learn(agent)[1] == []
    assert len(list((agent / FOLDER).iterdir())) == 2


def test_what_logs_added_is_kept_by_their_hash(agent: Path, learn: Learn) -> None:
    alone, _ = learn(agent)
    first, told = learn(agent, log=40)
    again, told_again = learn(agent, log=40)
    assert told == ["learned"] and told_again == []
    assert bits_of(again) == bits_of(first) != bits_of(alone)
    assert len(again.rows) == len(alone.rows) + 40
    assert learn(agent, log=41)[1] == ["learned"] and learn(agent)[1] == []


def test_other_arguments_of_the_environment_are_another_source(
    agent: Path, learn: Learn
) -> None:
    learn(agent)
    gym.register("test/Longer-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    assert learn(agent, env="test/Longer-v0")[1] == ["learned"]
    del gym.registry["test/Longer-v0"]


def test_an_environment_that_a_callable_makes_is_learned_each_time(
    agent: Path, learn: Learn
) -> None:
    def make() -> Any:
        return gym.make("CartPole-v1")

    for _ in range(2):
        assert learn(agent, env=make)[1] == ["learned"]
    assert not (agent / FOLDER).exists()


def test_a_damaged_file_is_made_anew_with_a_word(agent: Path, learn: Learn) -> None:
    first, _ = learn(agent)
    path = kept_by(agent)
    whole = path.read_bytes()
    for place in (3, 40, 100, len(whole) // 2, len(whole) - 1):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        for data in (bytes(flipped), whole[:place]):
            path.write_bytes(data)
            found, told = learn(agent)
            said, last = sorted(told)
            assert said == "learned"
            assert last.startswith("source model learned anew: ")
            assert path.name in last
            assert bits_of(found) == bits_of(first)
            assert path.read_bytes() == whole


def rewritten(
    path: Path, change: Callable[[dict[str, Any], dict[str, Any]], Any]
) -> None:
    """Changes what a file says or holds, with a hash that fits."""
    data = path.read_bytes()
    found, kind = unpack(data), kind_of(data)
    assert kind is not None
    change(found.content, found.arrays)
    path.write_bytes(pack(kind, found.content, found.arrays))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c, _: c["versions"].update(torch="1.0"), "stale (torch was 1.0"),
        (lambda c, _: c["identity"].update(agent="0"), "it is of another source"),
        (lambda c, _: c.pop("identity"), "damaged"),
        (lambda c, _: c.update(versions=[]), "damaged"),
        (lambda _, a: a["shown.reward"].fill(2.0), "acts otherwise by now"),
        (lambda _, a: a.pop("rows.reward"), "damaged"),
        (lambda _, a: a["rows.reward"].fill(np.nan), "damaged"),
        (lambda _, a: a["rows.episode"].fill(5), "damaged"),
        (lambda _, a: a.update({"rows.action": a["rows.action"][:, :1]}), "damaged"),
        (lambda _, a: a.update({"model.reward": np.zeros(3)}), "damaged"),
        (lambda _, a: a["model.scale"].fill(np.inf), "damaged"),
        (lambda _, a: a.update({"model.more": np.zeros(3)}), "damaged"),
        (lambda _, a: a.update({"home_returns": np.zeros((2, 2))}), "damaged"),
        (lambda _, a: a["home_returns"].fill(np.nan), "damaged"),
    ],
)
def test_a_file_with_a_right_hash_is_not_trusted_either(
    agent: Path, learn: Learn, change: Any, reason: str
) -> None:
    first, _ = learn(agent)
    rewritten(kept_by(agent), change)
    found, told = learn(agent)
    assert "learned" in told and any(reason in note for note in told), told
    assert bits_of(found) == bits_of(first)
    assert learn(agent)[1] == []


def test_what_cannot_be_written_is_learned_each_time_with_a_word(
    agent: Path, learn: Learn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (agent / FOLDER).write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("likewise")
    for _ in range(2):
        told = learn(agent)[1]
        assert told[0] == "learned" and told[1].startswith("source model not kept: ")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert learn(agent)[1] == ["learned"]
    assert learn(agent)[1] == []
    (kept,) = (tmp_path / "cache" / "rltransfer" / "source-models").iterdir()
    assert kept.suffix == ".safetensors"


def test_nothing_is_written_through_a_link(
    agent: Path, learn: Learn, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (agent / FOLDER).symlink_to(elsewhere)
    assert learn(agent)[1] == ["learned"]
    assert list(elsewhere.iterdir()) == []


def test_an_environment_that_ignores_seeds_is_learned_each_time(
    agent: Path, learn: Learn
) -> None:
    class Unseeded(gym.Wrapper[Any, Any, Any, Any]):
        def reset(self, **_: Any) -> Any:
            return self.env.reset()

    gym.register("test/Unseeded-v0", lambda: Unseeded(gym.make("CartPole-v1")))
    for _ in range(2):
        assert learn(agent, env="test/Unseeded-v0")[1] == ["learned"]
    del gym.registry["test/Unseeded-v0"]
    assert not (agent / FOLDER).exists()


def test_training_keeps_one_where_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learn: Learn
) -> None:
    monkeypatch.setattr(source_model_cache, "AlignConfig", lambda: CONFIG)
    found = rltransfer.train_source(
        "CartPole-v1", "a2c", 16, log_folder=tmp_path, source_model=True
    )
    assert found.notes == ()
    assert learn(found.folder)[1] == []


def test_a_training_that_is_gone_on_with_keeps_one_too(
    agent: Path, monkeypatch: pytest.MonkeyPatch, learn: Learn
) -> None:
    monkeypatch.setattr(source_model_cache, "AlignConfig", lambda: CONFIG)
    assert resume_training([agent], source_model=True).notes == ()
    assert learn(agent)[1] == []
