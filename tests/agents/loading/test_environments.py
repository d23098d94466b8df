"""What files say about environments, and what folders of runs say about writing."""

import os
from pathlib import Path
from typing import Any

import pytest

from rltransfer_agents.loading import Refusal
from rltransfer_agents.loading.agent_files import (
    mark_logs,
    require_own_files,
    require_own_logs,
)
from rltransfer_agents.loading.environment_spec import (
    require_harmless,
    require_registered,
)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"g": 9.81, "hard": True, "none": None},
        {"base": "CartPole-v1", "seed": 3},
        {"base": "rltransfer/CartPole-v0"},
        {"xml_file": "./robots/go1.xml"},
        {"map": ["SFFF", "FHFH"], "names": {"a": [1, 2]}},
        {"render_mode": "rgb_array", "max_episode_steps": 500},
    ],
)
def test_plain_arguments_pass(kwargs: dict[str, Any]) -> None:
    assert require_harmless(kwargs) == kwargs


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"base": "antigravity:X-v0"}, "name no module, got 'antigravity:X-v0'"),
        ({"a": [{"b": ("antigravity:X-v0",)}]}, "name no module"),
        ({"a": {"antigravity:X-v0": 1}}, "name no module"),
        ({"antigravity:X-v0": 1}, "may not set 'antigravity:X-v0'"),
        ({"env_id": "CartPole-v1"}, "may not set 'env_id'"),
        ({"id": "CartPole-v1"}, "may not set 'id'"),
        ({"base": "Nothing-v0"}, "must be registered"),
        ({"base": "Hopper-v3"}, "must be registered"),
        ({"render_mode": "human"}, "show itself, got 'human'"),
        ({"render_mode": ["human"]}, "show itself, got list"),
        ({"max_episode_steps": 0}, "must lie in 1..1000000, got 0"),
        ({"max_episode_steps": 10**9}, "must lie in"),
        ({"max_episode_steps": 1 << 20_000}, "must lie in .* a number of 20001 bits"),
        ({"max_episode_steps": True}, "must lie in"),
        ({"a": "\x1b[2J"}, r"must be plain .* got '\\x1b\[2J'"),
        ({"a": "[/red]"}, "must be plain"),
        ({"a": "x" * 2000}, "must be plain"),
        ({"a": float("nan")}, "must be finite, got nan"),
        ({"a": object()}, "numbers and text, got object"),
    ],
)
def test_what_could_import_show_or_never_end_is_refused(
    kwargs: dict[str, Any], told: str
) -> None:
    with pytest.raises(Refusal, match=told) as refused:
        require_harmless(kwargs)
    assert refused.value.code == "environment"
    assert str(refused.value).isprintable()


def test_values_without_end_are_refused() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    wide: Any = "x"
    for _ in range(30):
        wide = [wide, wide]
    itself: list[Any] = []
    itself.append(itself)
    for value in (deep, wide, itself):
        with pytest.raises(Refusal, match="may have") as refused:
            require_harmless({"a": value})
        assert refused.value.code == "environment"


def test_ids_in_files_must_be_registered_unless_the_user_named_their_module() -> None:
    assert require_registered("CartPole-v1") == "CartPole-v1"
    for env_id in ("antigravity:X-v0", "Nothing-v0", "Hopper-v3", "", "a:b:c-v0"):
        with pytest.raises(Refusal, match="must be registered and name no module"):
            require_registered(env_id)
        with pytest.raises(Refusal, match="name no module"):
            require_registered(env_id, typed=["mine:Target-v0"])
    assert require_registered("mine:X-v0", typed=["mine:Target-v0"]) == "mine:X-v0"
    with pytest.raises(Refusal):
        require_registered("mine:os:X-v0", typed=["mine:Target-v0"])


def test_a_folder_that_is_written_to_holds_plain_files_only(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "inner").mkdir(parents=True)
    (run / "inner" / "file").touch()
    require_own_files(run)
    (run / "inner" / "link").symlink_to(tmp_path)
    with pytest.raises(Refusal, match="inner/link is neither") as refused:
        require_own_files(run)
    assert refused.value.code == "folder"


def test_a_draft_that_its_owner_renames_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seen where many resume one run: the owner writes while the others look.
    (tmp_path / "file").touch()
    listed = [(str(tmp_path), [], [".draft.tmp", "file"])]
    monkeypatch.setattr(os, "walk", lambda _: iter(listed))
    require_own_files(tmp_path)
    (tmp_path / ".draft.tmp").symlink_to(tmp_path)
    with pytest.raises(Refusal, match=r"\.draft\.tmp is neither"):
        require_own_files(tmp_path)


def test_logs_elsewhere_must_bear_the_mark_of_their_run(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    logs = tmp_path / "logs"
    require_own_logs(run / "tensorboard", run)
    with pytest.raises(Refusal, match="bears no mark"):
        require_own_logs(logs, run)
    mark_logs(logs, run)
    require_own_logs(logs, run)
    with pytest.raises(Refusal, match="bears no mark"):
        require_own_logs(logs, other)
    with pytest.raises(Refusal, match="bears no mark"):
        require_own_logs(run / ".." / "elsewhere", run)
