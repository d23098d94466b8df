"""What was acted is logged, given back, and refused where it is damaged."""

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.domain import Domain, MixturePolicy, Policy, StickyRandomPolicy
from rltransfer.domain.policies import StatefulPolicy
from rltransfer.errors import ArtifactRefused, EnvironmentFault
from rltransfer.resume.replay_log import ReplayLog
from rltransfer.wrappers import StepBudget
from tests.effort import SCALE, SEED
from tests.worlds.fault_injection import injected, random_faults, send
from tests.worlds.forked_runs import carried_apart
from tests.worlds.points import Broken, Chooser, Home, Point

KILLS = 6 * SCALE
FLIPS = 12 * SCALE
"""Bits of each file of a replay log."""
LONGEST = 300
"""Steps of a stretch, at most."""


def domain(replay_log: ReplayLog | None, make: Callable[[], Any] = Point) -> Domain:
    made = Domain(make, "point", StepBudget(500))
    if replay_log is not None:
        made.use_replay_log(replay_log, "target")
    return made


def act(place: Domain, seed: int = 3) -> dict[str, Any]:
    """Acts in three ways that hang together through one generator."""
    rng = np.random.default_rng(seed)
    explorer = StickyRandomPolicy(place.actions, rng)
    policies = (explorer, MixturePolicy(Home(), explorer, 0.4, rng), Home())
    rollouts = [
        place.collect(policy, purpose="exploration", seed=seed + i, steps=40)
        for i, policy in enumerate(policies)
    ]
    reported = place.report(explorer, episodes=2, seed=seed)
    return {
        "observations": [r.transitions.observation.tolist() for r in rollouts],
        "rewards": [r.transitions.reward.tolist() for r in rollouts],
        "terminated": [r.transitions.terminated.tolist() for r in rollouts],
        "returns": [r.returns.tolist() for r in rollouts],
        "unfinished": [(r.unfinished_return, r.unfinished_steps) for r in rollouts],
        "lengths": [r.lengths.tolist() for r in (*rollouts, reported)],
        "reported": reported.returns.tolist(),
        "taken": place.budget.taken,
        "budget reported": place.budget.reported,
        "last draw": rng.random(),
    }


@pytest.fixture
def written(tmp_path: Path) -> Path:
    act(domain(ReplayLog(tmp_path / "j", {"seed": 1})))
    return tmp_path / "j"


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_policy_goes_on_from_its_memory(continuous: bool, mixed: bool) -> None:
    codec = Domain(partial(Point, continuous=continuous), "point").actions

    def fresh(seed: int) -> Policy:
        rng = np.random.default_rng(seed)
        explorer = StickyRandomPolicy(codec, rng)
        return MixturePolicy(explorer, explorer, 0.5, rng) if mixed else explorer

    first, second = fresh(0), fresh(1)
    assert isinstance(first, StatefulPolicy) and isinstance(second, StatefulPolicy)
    for _ in range(7):
        first.predict(None)
    second.load_state(json.loads(json.dumps(first.state())))
    for _ in range(20):
        one, other = first.predict(None)[0], second.predict(None)[0]
        assert type(one) is type(other)
        np.testing.assert_array_equal(one, other)


def test_what_was_logged_is_not_acted_again(written: Path) -> None:
    without = act(domain(None))
    again = ReplayLog(written, {"seed": 1})
    with injected(None) as events:
        assert act(domain(again)) == without
    assert events["step"] == 0
    assert (again.resumed, again.reproducibility_warnings) == ("exact", ())


def test_an_environment_that_drifts_is_where_it_was(tmp_path: Path) -> None:
    kwargs = {"base": "Pendulum-v1", "seed": 3, "steps": 300}
    make = partial(gym.make, "rltransfer_envs:rltransfer/Drifting-v0", **kwargs)

    def acted(log: ReplayLog | None, stretches: int) -> list[Any]:
        place = domain(log, make)
        policy = StickyRandomPolicy(place.actions, np.random.default_rng(0))
        steps: dict[str, Any] = {"purpose": "exploration", "seed": 3, "steps": 40}
        seen = [place.collect(policy, **steps) for _ in range(stretches)]
        return [rollout.transitions.observation.tolist() for rollout in seen]

    acted(ReplayLog(tmp_path, {"seed": 1}), stretches=2)
    resumed = acted(ReplayLog(tmp_path, {"seed": 1}), stretches=3)
    assert resumed == acted(None, stretches=3)


def test_a_stretch_that_was_interrupted_is_acted_again_and_its_steps_are_counted(
    tmp_path: Path,
) -> None:
    replay_log = ReplayLog(tmp_path, {"seed": 1})
    assert replay_log.resumed == "no"
    with pytest.raises(EnvironmentFault, match="step 60"):
        act(domain(replay_log, partial(Broken, "reward", at=60)))
    assert replay_log.interrupted_steps == {"target": 20}
    resumed = ReplayLog(tmp_path, {"seed": 1})
    with injected(None) as events:
        assert act(domain(resumed)) == act(domain(None))
    assert resumed.interrupted_steps == {"target": 20}
    assert events["step"] > 80
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files[:2] == ["0000.safetensors", "0001.safetensors"]


def test_steps_lost_in_one_of_two_domains_of_one_name_are_its_own(
    tmp_path: Path,
) -> None:
    replay_log = ReplayLog(tmp_path, {})
    home = Domain(partial(Broken, "reward", at=20), "point")
    target = Domain(Point, "point", StepBudget(500))
    home.use_replay_log(replay_log, "source 1")
    target.use_replay_log(replay_log, "target")
    target.collect(Home(), purpose="exploration", seed=0, steps=30)
    with pytest.raises(EnvironmentFault, match="step 20"):
        home.collect(Home(), purpose="source model", seed=0, steps=30)
    assert replay_log.interrupted_steps == {"source 1": 20}


@pytest.mark.torture
def test_every_flipped_bit_is_refused_by_the_name_of_its_file(
    count: Any, written: Path
) -> None:
    rng = np.random.default_rng(SEED)
    damages = 0
    for path in sorted(written.iterdir()):
        whole = path.read_bytes()
        for place in rng.integers(len(whole), size=FLIPS):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            with pytest.raises(ArtifactRefused) as refusal:
                act(domain(ReplayLog(written, {"seed": 1})))
            assert path.name in str(refusal.value), f"seed {SEED}, byte {place}"
            damages += 1
        path.write_bytes(whole)
    assert damages == FLIPS * 5
    count("S3", replay_log_flips=damages)


def test_an_entry_that_is_gone_is_refused_by_its_name(written: Path) -> None:
    (written / "0001.safetensors").unlink()
    with pytest.raises(ArtifactRefused, match=r"0001\.safetensors is missing"):
        ReplayLog(written, {"seed": 1})


def test_a_log_of_version_0_1_0_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"content": {"format": 1}, "sha256": ""}')
    with pytest.raises(ArtifactRefused, match=r"finish it with version 0\.1\.0, or"):
        ReplayLog(tmp_path, {"seed": 1})


def test_another_request_is_refused(written: Path) -> None:
    with pytest.raises(ArtifactRefused, match="has seed=1 and now it is 2"):
        ReplayLog(written, {"seed": 2})


def test_other_acting_is_refused(written: Path) -> None:
    with pytest.raises(ArtifactRefused, match="has seed=3 and now it is 4"):
        act(domain(ReplayLog(written, {"seed": 1})), seed=4)


def test_another_policy_is_refused(written: Path) -> None:
    replay_log = ReplayLog(written, {"seed": 1})
    place = domain(replay_log)
    options = {"purpose": "exploration", "steps": 40}
    rng = np.random.default_rng(3)
    explorer = StickyRandomPolicy(place.actions, rng)
    place.collect(explorer, seed=3, **options)  # type: ignore[arg-type]
    place.collect(MixturePolicy(Home(), explorer, 0.4, rng), seed=4, **options)  # type: ignore[arg-type]

    away = Chooser(lambda seen: Home().predict(-seen)[0])
    with pytest.raises(ArtifactRefused, match="actions are others"):
        place.collect(away, seed=5, **options)  # type: ignore[arg-type]


def test_other_versions_make_a_run_approximate_for_good(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "abacus")
        replay_log = ReplayLog(written, {"seed": 1})
        assert replay_log.resumed == "approximate"
        assert "abacus" in replay_log.reproducibility_warnings[0]
    assert ReplayLog(written, {"seed": 1}).resumed == "approximate"


def test_an_environment_that_ignores_its_seed_makes_a_run_approximate(
    written: Path,
) -> None:
    class Careless(Point):
        def reset(self, **options: Any) -> Any:
            return super().reset(seed=77)

    replay_log = ReplayLog(written, {"seed": 1})
    act(domain(replay_log, Careless))
    assert replay_log.resumed == "approximate"
    assert "another state than before" in replay_log.reproducibility_warnings[0]


@pytest.mark.torture
def test_a_transfer_that_is_killed_ends_as_if_it_had_not(
    count: Any, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.json"
    assert carried_apart(tmp_path / "whole", answer, None) == 0
    whole = json.loads(answer.read_text())
    kills = random_faults(whole["events"], KILLS, SEED, action=send(signal.SIGKILL))
    for number, fault in enumerate(kills):
        folder = tmp_path / str(number)
        assert carried_apart(folder, answer, fault) == -signal.SIGKILL
        assert carried_apart(folder, answer, None) == 0
        found = json.loads(answer.read_text())
        left, after = found["left"], found["events"].get("step", 0)
        told = f"seed {SEED}, {fault}"
        assert left == whole["left"] | {"resumed": left["resumed"]}, told
        if fault.kind == "step":
            # Only the stretch that broke off is acted twice.
            again = fault.at - 1 + after - whole["events"]["step"]
            assert again <= LONGEST, told
    count("R1", alignment_kills=KILLS)
