"""What a learner draws from, worked by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.domain import Domain, Policy, StickyRandomPolicy, Transitions
from rltransfer.mapping import Affine
from rltransfer.translation import (
    EnsembleConfig,
    EnsemblePolicy,
    MappedPolicy,
    Translation,
)
from rltransfer_agents.learning_on.replay import Batch, Replay, Units
from tests.worlds.line import Line, homeward
from tests.worlds.points import Chooser

PLAIN = Units(np.zeros(1, np.float32), np.ones(1, np.float32), 1.0)


def rows(
    reward: list[float],
    episode: list[int] | None = None,
    ended: tuple[int, ...] = (),
    cut_off: tuple[int, ...] = (),
) -> Transitions:
    """Returns steps from 0 to 1, from 1 to 2 and so on."""
    size = len(reward)
    seen, place = torch.arange(float(size))[:, None], torch.arange(size)
    return Transitions(
        episode=torch.tensor(episode or [0] * size),
        observation=seen,
        action=torch.full((size, 1), 0.5),
        reward=torch.tensor(reward, dtype=torch.float32),
        next_observation=seen + 1,
        terminated=torch.isin(place, torch.tensor(ended, dtype=torch.long)),
        truncated=torch.isin(place, torch.tensor(cut_off, dtype=torch.long)),
    )


def replay(
    *parts: Transitions,
    units: Units = PLAIN,
    mapped: Policy | None = None,
    n_steps: int = 1,
    domain: Domain | None = None,
) -> Replay:
    domain = domain or Domain(Line, "line")
    kept = Replay(domain, units, mapped, 0.5, n_steps)
    for part in parts:
        kept.add(part)
    return kept


def everything(kept: Replay) -> Batch:
    return kept.at(np.arange(len(kept)))


def test_one_step_is_what_was_seen() -> None:
    got = everything(replay(rows([1, 2, 3], ended=(2,))))
    assert got.observation[:, 0].tolist() == [0, 1, 2]
    assert got.next_observation[:, 0].tolist() == [1, 2, 3]
    assert got.reward.tolist() == [1, 2, 3]
    assert got.discount.tolist() == [0.5, 0.5, 0]


def test_rewards_of_n_steps_are_summed_up_to_the_end_of_the_episode() -> None:
    # Discount 1/2: 1 + 2/2 + 4/4 = 3, 2 + 4/2 + 8/4 = 6, 4 + 8/2 = 8, 8.
    got = everything(replay(rows([1, 2, 4, 8], ended=(3,)), n_steps=3))
    assert got.reward.tolist() == [3, 6, 8, 8]
    assert got.next_observation[:, 0].tolist() == [3, 4, 4, 4]
    # Only the first looks on past its three steps: all others reach the end.
    assert got.discount.tolist() == [0.125, 0, 0, 0]


def test_a_truncated_episode_has_a_future_and_a_terminated_one_has_none() -> None:
    two = rows([1, 2, 4, 8], [0, 0, 1, 1], ended=(3,), cut_off=(1,))
    got = everything(replay(two, n_steps=3))
    assert got.reward.tolist() == [2, 2, 8, 8]
    # Fewer steps than three are discounted as what they are.
    assert got.discount.tolist() == [0.25, 0.5, 0, 0]
    assert got.next_observation[:, 0].tolist() == [2, 2, 4, 4]


def test_where_the_rows_were_cut_the_last_one_stands_for_the_rest() -> None:
    got = everything(replay(rows([1, 2]), rows([4, 8]), n_steps=3))
    # Episode 0 of each part: what was added later is not its continuation.
    assert got.reward.tolist() == [2, 2, 8, 8]
    assert got.discount.tolist() == [0.25, 0.5, 0.25, 0.5]


def test_no_rows_add_nothing() -> None:
    kept = replay(rows([1.0])[:0])
    assert len(kept) == 0
    kept.add(rows([1, 2]))
    kept.add(rows([1.0])[:0])
    assert len(kept) == 2


def test_it_grows_past_its_first_room() -> None:
    kept, expected = replay(), []
    for number in range(7):
        reward = np.arange(1500.0) + 10_000 * number
        kept.add(rows(reward.tolist()))
        expected += reward.tolist()
    assert len(kept) == 10_500
    assert everything(kept).reward.tolist() == expected
    drawn = kept.batch(2000, np.random.default_rng(0)).reward
    assert drawn.min() < 1500 and drawn.max() > 60_000


def test_the_range_of_rewards_is_known_in_its_units_and_holds_zero() -> None:
    units = Units(PLAIN.shift, PLAIN.spread, 2.0)
    kept = replay(rows([-4, -6]), units=units)
    assert (kept.lowest, kept.highest) == (-3, 0)
    kept.add(rows([5.0]))
    assert (kept.lowest, kept.highest) == (-3, 2.5)


def test_observations_come_out_standardised() -> None:
    units = Units(np.float32([1]), np.float32([4]), 1.0)
    got = everything(replay(rows([0, 0]), units=units))
    assert got.observation[:, 0].tolist() == [-0.25, 0]
    assert got.next_observation[:, 0].tolist() == [0, 0.25]


def observed(columns: Any, reward: Any) -> Transitions:
    seen = torch.tensor(columns)
    size = len(seen)
    no = torch.zeros(size, dtype=torch.bool)
    zero = torch.zeros(size, dtype=torch.long)
    return Transitions(zero, seen, seen[:, :1], torch.tensor(reward), seen, no, no)


def test_units_make_what_was_seen_of_ordinary_size() -> None:
    units = Units.of(observed([[10.0, 7.0], [14.0, 7.0]], [3.0, -3.0]), 0.9)
    # The second number never moved: its own unit is as good as any.
    assert units.shift.tolist() == [12, 7] and units.spread.tolist() == [2, 1]
    shown = units.standard(np.float32([[10, 7], [14, 8]]))
    assert shown.tolist() == [[-1, 0], [1, 1]]
    # A reward of usual size for ever is worth as much as any other target's.
    worth = 3.0 / units.reward / (1 - 0.9)
    other = Units.of(observed([[0.0], [1.0]], [200.0, 200.0]), 0.99)
    assert 200.0 / other.reward / (1 - 0.99) == pytest.approx(worth)


def test_units_of_a_world_that_never_pays_and_never_moves_are_finite() -> None:
    units = Units.of(observed([[5.0], [5.0]], [0.0, 0.0]), 0.99)
    assert units.spread.tolist() == [1] and 0 < units.reward < np.inf
    assert units.standard(np.float32([5])).tolist() == [0]


def explored(domain: Domain, policy: Policy | None = None) -> Transitions:
    policy = policy or StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    return domain.collect(policy, purpose="trial", seed=0, steps=50).transitions


@pytest.mark.parametrize("continuous", [True, False])
def test_the_mapped_action_stands_beside_the_one_taken(continuous: bool) -> None:
    domain = Domain(lambda: Line(continuous=continuous), "line")
    mapped, seen = homeward(continuous), explored(domain)
    got = everything(replay(seen, mapped=mapped, domain=domain))
    for shown, chosen in (
        (seen.observation, got.mapped),
        (seen.next_observation, got.next_mapped),
    ):
        expected = domain.actions.encode(mapped.predict(shown.numpy())[0])
        np.testing.assert_array_equal(chosen, expected)
    np.testing.assert_array_equal(got.action, seen.action)
    assert not np.array_equal(got.action, got.mapped)


def test_what_the_mapped_policy_does_after_n_steps_is_kept() -> None:
    domain = Domain(lambda: Line(continuous=True), "line")
    mapped = Chooser(lambda seen: np.float32(0.1 * seen))
    kept = rows([1, 2, 4, 8], ended=(3,))
    got = everything(replay(kept, mapped=mapped, n_steps=3, domain=domain))
    np.testing.assert_allclose(got.mapped[:, 0], [0, 0.05, 0.1, 0.15], atol=1e-6)
    np.testing.assert_allclose(got.next_mapped[:, 0], [0.15, 0.2, 0.2, 0.2], atol=1e-6)


def test_the_confidence_of_an_ensemble_is_kept_beside_its_actions() -> None:
    domain = Domain(lambda: Line(continuous=True), "line")
    codec = domain.actions
    members = [
        MappedPolicy(Chooser(choose), Translation.identity(1), codec, codec)
        for choose in (
            lambda seen: np.where(seen < 1.5, 1, 2).astype(np.float32),
            lambda seen: np.where(seen < 1.5, 1, -2).astype(np.float32),
        )
    ]
    mapped = EnsemblePolicy(members, [1.0, 1.0], None, EnsembleConfig())
    got = everything(replay(rows([1, 2, 4, 8]), mapped=mapped, domain=domain))
    np.testing.assert_allclose(got.confidence, [1, 1, 0.5, 0.5], atol=1e-3)
    np.testing.assert_allclose(got.mapped[:, 0], [0.5, 0.5, 1, 1], atol=1e-3)
    alone = everything(replay(rows([1, 2]), mapped=members[0], domain=domain))
    assert alone.confidence.tolist() == [1, 1]


def looking_back(domain: Domain) -> MappedPolicy:
    """Returns who acts by two observations and the action between them."""
    state = Affine.of(torch.tensor([[1.0], [0.7], [-0.4]]), torch.tensor([0.1]))
    same = Affine.of(torch.eye(1), torch.zeros(1))
    translation = Translation(state, same, None, None, steps=2)
    return MappedPolicy(homeward(), translation, domain.actions, domain.actions)


def test_a_mapped_policy_that_looks_back_is_asked_as_when_it_acts() -> None:
    domain = Domain(Line, "line")
    mapped = looking_back(domain)
    acted = explored(domain, mapped)
    got = everything(replay(acted, mapped=mapped, domain=domain))
    assert len(np.unique(acted.action)) > 10
    np.testing.assert_allclose(got.mapped, acted.action, atol=1e-5)
    goes_on = (acted.episode[1:] == acted.episode[:-1]).numpy()
    np.testing.assert_allclose(
        got.next_mapped[:-1][goes_on], acted.action[1:][goes_on], atol=1e-5
    )


def test_it_looks_back_on_what_was_done_not_on_what_it_would_have_done() -> None:
    domain = Domain(Line, "line")
    mapped, seen = looking_back(domain), explored(domain)
    got = everything(replay(seen, mapped=mapped, domain=domain))
    shown, taken = seen.observation.numpy(), seen.action.numpy()
    for at in (1, 2, 7):
        assert seen.episode[at] == seen.episode[at - 1]
        carried = shown[at] + 0.7 * shown[at - 1] - 0.4 * taken[at - 1] + 0.1
        expected = np.clip(-8 * carried, -2, 2) / 2
        np.testing.assert_allclose(got.mapped[at], expected, atol=1e-4)
