"""An ensemble of mapped policies: who has how much say, where, and how sure it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rltransfer.domain import Domain, codec_of
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.mapping import Affine
from rltransfer.translation import (
    EnsembleConfig,
    EnsemblePolicy,
    MappedPolicy,
    Translation,
)
from rltransfer.translation.ensemble_policy import Regions
from rltransfer.translation.ensemble_store import load_ensemble, save_ensemble
from rltransfer.wrappers import StepBudget
from tests.worlds.line import Line, homeward
from tests.worlds.points import Chooser

BOX = codec_of(spaces.Box(-2.0, 2.0, (1,), np.float32), "line")
TWO = codec_of(spaces.Discrete(2), "line")
THREE = codec_of(spaces.Discrete(3), "three")
CONFIG = EnsembleConfig(members=4, neighbours=2, return_scale=0.1)


def mapped(policy: Any, codec: Any = BOX) -> MappedPolicy:
    return MappedPolicy(policy, Translation.identity(1), codec, codec)


def always(action: Any) -> Chooser:
    def choose(seen: Any) -> Any:
        shape = (*seen.shape[:-1], *np.shape(action))
        return np.broadcast_to(np.asarray(action), shape)

    return Chooser(choose)


def right_on(side: float, continuous: bool = True) -> Chooser:
    """Returns who goes home on one side of 0, and away on the other."""
    home, away = homeward(continuous), homeward(continuous, way=-1.0)

    def choose(seen: Any) -> Any:
        there = seen * side > 0 if continuous else seen[..., 0] * side > 0
        return np.where(there, home.predict(seen)[0], away.predict(seen)[0])

    return Chooser(choose)


def regions(*errors: list[float]) -> Regions:
    """Returns errors at eleven places from -1 to 1."""
    places = np.linspace(-1, 1, 11, dtype=np.float32)[:, None]
    still = np.zeros(1, np.float32), np.eye(1, dtype=np.float32)
    return Regions(*still, places, np.array(errors, np.float32))


def halves() -> Regions:
    """Returns those of two, each of which explains one side, and both the middle."""
    right, left = [1.0] * 5 + [0.0] * 6, [0.0] * 6 + [1.0] * 5
    return regions(right, left)


def earned(policy: Any, continuous: bool = True) -> float:
    line = Domain(lambda: Line(continuous=continuous), "line", StepBudget(400))
    return line.collect(policy, purpose="test", seed=3, steps=400).mean_return


@pytest.mark.parametrize("continuous", [True, False])
def test_two_that_are_each_right_on_one_side_are_right_together(
    continuous: bool,
) -> None:
    codec = BOX if continuous else TWO
    members = [mapped(right_on(side, continuous), codec) for side in (1.0, -1.0)]
    policy = EnsemblePolicy(members, [1.0, 1.0], halves(), CONFIG)
    home = earned(homeward(continuous), continuous)
    alone = max(earned(one, continuous) for one in members)
    assert alone < 2 * home < 0  # returns are costs
    assert earned(policy, continuous) == pytest.approx(home, rel=0.02)
    blind = EnsemblePolicy(members, [1.0, 1.0], None, CONFIG)
    assert earned(blind, continuous) <= alone + 1e-6


def test_those_that_agree_are_sure_and_those_that_differ_are_not() -> None:
    same = [mapped(always([1.0])) for _ in range(3)]
    assert EnsemblePolicy(same, [1.0] * 3, None, CONFIG).confidence([0.5]) == 1.0
    apart = [mapped(always([value])) for value in (-2.0, 2.0)]
    sure = EnsemblePolicy(apart, [1.0, 1.0], None, CONFIG).confidence([0.5])
    assert sure == pytest.approx(0.5, abs=1e-3)
    # Half of a width apart, of a box whose half is 2: exp(-(1/2)^2 / 2) of the other.
    near = [mapped(always([value])) for value in (0.0, 0.25)]
    sure = EnsemblePolicy(near, [1.0, 1.0], None, CONFIG).confidence([0.5])
    assert sure == pytest.approx(0.5 + 0.5 * np.exp(-0.125), abs=1e-4)


def test_two_that_pull_opposite_ways_do_not_stand_still() -> None:
    apart = [mapped(always([value])) for value in (2.0, -2.0)]
    policy = EnsemblePolicy(apart, [1.0, 0.9], None, CONFIG)
    np.testing.assert_allclose(policy.predict(np.zeros(1))[0], [2.0], atol=0.01)


def test_choices_are_settled_by_weight() -> None:
    members = [mapped(always(choice), THREE) for choice in (0, 1, 1, 2)]
    policy = EnsemblePolicy(members, [1.0, 1.0, 1.0, 0.5], None, CONFIG)
    said = policy.say(np.zeros((1, 1), np.float32))
    assert policy.predict(np.zeros(1))[0] == 1
    np.testing.assert_allclose(said.shares[:, 0], [0, 0.5, 0.5, 0])
    worth = np.exp(-0.5 / CONFIG.return_scale)
    assert said.confidence[0] == pytest.approx(2 / (3 + worth))


def test_who_is_always_wrong_has_no_say() -> None:
    good, wrong = mapped(homeward()), mapped(homeward(way=-1.0))
    policy = EnsemblePolicy([good, wrong, wrong], [1.0, 0.0, 0.0], None, CONFIG)
    said = policy.say(np.linspace(-1, 1, 7, dtype=np.float32)[:, None])
    assert said.shares[0].min() > 0.999 and said.confidence.min() > 0.999
    assert earned(policy) == pytest.approx(earned(good), rel=1e-3)


def test_rows_and_single_observations_get_the_same_actions_of_their_shapes() -> None:
    for continuous, codec in ((True, BOX), (False, TWO)):
        members = [mapped(right_on(side, continuous), codec) for side in (1.0, -1.0)]
        policy = EnsemblePolicy(members, [1.0, 0.9], halves(), CONFIG)
        rows = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
        actions, state = policy.predict(rows)
        assert state is None and policy.confidence(rows).shape == (8,)
        assert np.shape(actions) == ((8, 1) if continuous else (8,))
        one = [policy.predict(row)[0] for row in rows]
        assert np.shape(one[0]) == ((1,) if continuous else ())
        np.testing.assert_allclose(actions, one, atol=1e-6)
        np.testing.assert_array_equal(actions, policy.predict(rows)[0])
        said = policy.say(rows)
        np.testing.assert_allclose(said.shares.sum(axis=0), 1, rtol=1e-5)
        assert (said.confidence > 0).all() and (said.confidence <= 1).all()


class Counting:
    """Remembers how often it was asked in an episode, and does that."""

    def predict(
        self, observation: Any, state: Any, episode_start: Any, deterministic: bool
    ) -> Any:
        count = np.zeros(1) if state is None else state[0] + 1
        return np.clip(count / 10, -2, 2).astype(np.float32), (count,)


def test_each_member_keeps_a_state_of_its_own() -> None:
    members = [mapped(always([0.2])), mapped(Counting())]
    policy = EnsemblePolicy(members, [0.0, 1.0], None, CONFIG)
    state: Any = None
    taken = []
    for _ in range(4):
        action, state = policy.predict(np.zeros(1, np.float32), state)
        taken.append(float(action[0]))
    np.testing.assert_allclose(taken, [0, 0.1, 0.2, 0.3], atol=1e-3)


def test_what_is_stored_acts_alike(tmp_path: Path) -> None:
    sides = [right_on(side) for side in (1.0, -1.0)]
    members = [mapped(side) for side in sides]
    policy = EnsemblePolicy(members, [1.0, 0.9], halves(), CONFIG)
    save_ensemble(tmp_path, policy, [0, 1], ["Line-v0"])
    stored = load_ensemble(tmp_path)
    assert (stored.sources, stored.homes) == ((0, 1), ("Line-v0",))
    again = stored.of(
        [
            MappedPolicy(side, translation, BOX, BOX)
            for side, translation in zip(sides, stored.translations, strict=True)
        ]
    )
    rows = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(again.predict(rows)[0], policy.predict(rows)[0])
    assert again.lead is again.members[0]


def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    members = [mapped(always([0.2])) for _ in range(2)]
    policy = EnsemblePolicy(members, [1.0, 1.0], regions([0.0] * 11), CONFIG)
    save_ensemble(tmp_path, policy, [0, 0])  # errors of one member for two
    with pytest.raises(ArtifactRefused, match="parts belong together"):
        load_ensemble(tmp_path)
    save_ensemble(tmp_path, replace_regions(policy, None), [0, 17])
    with pytest.raises(ArtifactRefused, match="make the transfer again"):
        load_ensemble(tmp_path)


def replace_regions(policy: EnsemblePolicy, found: Regions | None) -> EnsemblePolicy:
    return EnsemblePolicy(policy.members, policy.returns, found, policy.config)


def test_what_makes_no_ensemble_is_refused() -> None:
    with pytest.raises(ValueError, match="2 to 16 members"):
        EnsemblePolicy([mapped(always([0.0]))], [1.0], None, CONFIG)
    stacks = Affine.of(torch.ones(3, 1), torch.zeros(1))
    unchanged = Affine.of(torch.eye(1), torch.zeros(1))
    looks_back = Translation(stacks, unchanged, None, None, steps=2)
    member = MappedPolicy(always([0.0]), looks_back, BOX, BOX)
    with pytest.raises(ValueError, match="one observation"):
        EnsemblePolicy([member, member], [1.0, 1.0], None, CONFIG)
    for wrong in ({"members": 1}, {"members": 17}, {"members": -1}):
        with pytest.raises(InputError, match=r"ensemble\.members is 0 for none"):
            EnsembleConfig(**wrong)
    with pytest.raises(InputError, match="must be above 0"):
        replace(CONFIG, width=0.0)
    with pytest.raises(InputError, match="at least 1"):
        replace(CONFIG, neighbours=0)
