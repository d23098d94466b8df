"""Rows of steps, and the coordinates that they are looked at in."""

from dataclasses import replace

import pytest
import torch

from rltransfer.domain import Transitions, Whitening


def rows(count: int) -> Transitions:
    """Returns steps of episodes of two steps each."""
    return Transitions(
        episode=torch.arange(count) // 2,
        observation=torch.arange(2.0 * count).reshape(count, 2),
        action=torch.eye(2)[torch.arange(count) % 2],
        reward=torch.arange(float(count)),
        next_observation=torch.ones(count, 2),
        terminated=torch.zeros(count, dtype=torch.bool),
        truncated=torch.arange(count) % 2 == 1,
    )


def test_rows_are_picked_and_joined_in_order() -> None:
    joined = Transitions.join(rows(3), rows(2)[torch.tensor([1])])
    assert joined.reward.tolist() == [0.0, 1.0, 2.0, 1.0]
    assert joined.observation[3].tolist() == [2.0, 3.0]
    assert joined.truncated.tolist() == [False, True, False, True]


def test_episodes_of_joined_parts_keep_apart() -> None:
    nothing = rows(2)[:0]
    joined = Transitions.join(rows(3), nothing, rows(4)[2:], rows(1))
    assert joined.episode.tolist() == [0, 0, 1, 3, 3, 4]
    again = Transitions.join(joined, rows(1))
    assert again.episode.tolist() == [0, 0, 1, 3, 3, 4, 5]


def test_uneven_columns_are_refused_by_name() -> None:
    whole = rows(3)
    # The run-time check of shapes is the first to see it, where it is switched on.
    with pytest.raises(Exception, match=r"one row per step|Type-check error"):
        replace(whole, reward=whole.reward[:2])


def test_whitening_of_two_axes_divides_by_their_deviation() -> None:
    sample = torch.tensor([[3.0, 1.0], [-1.0, 1.0], [1.0, 5.0], [1.0, -3.0]])
    whitening = Whitening.of(sample)
    # Variances are 8/3 and 32/3, the mean is (1, 1), nothing is correlated.
    expected = torch.tensor([2.0, 0.0]) / (8 / 3) ** 0.5
    torch.testing.assert_close(whitening.whiten(sample[0]), expected)


def test_unwhitening_undoes_whitening() -> None:
    sample = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    sample = sample @ torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 3.0]])
    whitening = Whitening.of(sample)
    white = whitening.whiten(sample)
    torch.testing.assert_close(white.T.cov(), torch.eye(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(whitening.unwhiten(white), sample, atol=1e-4, rtol=0)


def test_a_sensor_that_never_moved_is_not_blown_up() -> None:
    sample = torch.tensor([[0.0, 7.0], [1.0, 7.0], [2.0, 7.0]])
    white = Whitening.of(sample).whiten(torch.tensor([[1.0, 8.0]]))
    torch.testing.assert_close(white, torch.tensor([[0.0, 1.0]]))


def test_units_of_sensors_do_not_matter() -> None:
    sample = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))
    units = torch.tensor([1.0, 1e-4, 1e3])
    white = Whitening.of(sample).whiten(sample)
    other = Whitening.of(sample * units).whiten(sample * units)
    torch.testing.assert_close(white, other, atol=1e-3, rtol=0)


def test_one_observation_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="needs 2 observations, got 1"):
        Whitening.of(torch.zeros(1, 2))
