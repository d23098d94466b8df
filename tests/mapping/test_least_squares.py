"""Least squares near a start, against numbers worked by hand."""

import pytest
import torch
from torch import Tensor

from rltransfer.mapping import least_squares_near, relative_residuals
from rltransfer.mapping.objectives.unpaired import relative_error

ROWS = torch.ones(1, 1)


def test_one_step_of_a_linear_problem_is_the_ridge_solution() -> None:
    # (2x - 6)² + 4 (x - 1)²: 2 (2x - 6) + 4 (x - 1) = 0, so x = 2.
    found = least_squares_near(
        torch.ones(1), lambda x, y: 2 * x - y, ROWS * 6, ridge=4.0, iterations=1
    )
    assert found.item() == pytest.approx(2.0, abs=1e-5)


def test_it_stays_where_the_residuals_say_nothing() -> None:
    start = torch.tensor([1.0, 7.0])
    found = least_squares_near(
        start, lambda x, y: 100 * (x[:1] - y), ROWS * 3, ridge=1e-4, iterations=3
    )
    torch.testing.assert_close(found, torch.tensor([3.0, 7.0]), atol=1e-4, rtol=0)


def test_a_curved_valley_is_followed_to_its_end() -> None:
    # Rosenbrock's function as two residuals; its least is at (1, 1).
    def residuals(x: Tensor, one: Tensor) -> Tensor:
        return torch.cat([10 * (x[1:] - x[:1] ** 2), one - x[:1]])

    start = torch.tensor([-1.2, 1.0])
    found = least_squares_near(start, residuals, ROWS, ridge=1e-12, iterations=60)
    assert found.tolist() == pytest.approx([1.0, 1.0], abs=1e-3)


def test_what_is_not_finite_is_not_stepped_to() -> None:
    # A full step of Newton's goes below 0, where there is no root.
    found = least_squares_near(
        torch.full((1,), 0.1),
        lambda x, y: x.sqrt() - y,
        ROWS * 0.01,
        ridge=1e-6,
        iterations=20,
    )
    assert found.isfinite().all()
    broken = least_squares_near(
        torch.zeros(1), lambda x, y: x * y, ROWS * float("nan"), ridge=1.0, iterations=3
    )
    assert broken.item() == 0.0


def test_without_a_ridge_it_is_refused() -> None:
    with pytest.raises(ValueError, match="ridge must be above 0, got 0"):
        least_squares_near(
            torch.zeros(1), lambda x, y: x, ROWS, ridge=0.0, iterations=1
        )


def test_squares_of_relative_residuals_sum_to_the_relative_error() -> None:
    predicted, delta = torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 1.0]])
    # An error of 4 in two numbers is 2 in the mean, relative to 1 + 1.
    found = relative_residuals(predicted, delta, floor=1.0)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0]]))
    assert found.square().sum().item() == pytest.approx(
        relative_error(predicted, delta, floor=1.0).item()
    )
