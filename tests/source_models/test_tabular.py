import pytest
import torch

from rltransfer.errors import InputError
from rltransfer.mapping import Transitions
from rltransfer.source_models import LearnConfig, TabularModel
from rltransfer.source_models.tabular import fit_tabular


def rows() -> Transitions:
    state, action = torch.eye(2), torch.eye(2)
    ended = torch.tensor([False, False, True])
    return Transitions(
        torch.zeros(3, dtype=torch.int64),
        state[[0, 0, 1]],
        action[[0, 0, 1]],
        torch.tensor([0.0, 3.0, 3.0]),
        state[[0, 1, 1]],
        ended,
        torch.zeros(3, dtype=torch.bool),
    )


def fitted(steps: Transitions) -> TabularModel:
    return fit_tabular(steps, LearnConfig(), torch.Generator())


def test_it_predicts_the_mean_of_what_was_seen() -> None:
    told = fitted(rows()).predict(torch.eye(2)[[0, 1, 1]], torch.eye(2)[[0, 1, 0]])
    # Two states: a step to the other has a mean squared change of one. The first was
    # left in half of the steps; of the last pair nothing is known.
    torch.testing.assert_close(told.delta, torch.tensor([[-0.5, 0.5], [0, 0], [0, 0]]))
    assert told.termination.tolist() == [-10, 10, -10]
    # Mean 2, deviation √3: 1.5 and 3 in standard units.
    torch.testing.assert_close(
        told.reward, torch.tensor([-0.5, 1.0, 0.0]) / 3**0.5, rtol=1e-3, atol=1e-3
    )


def test_its_gain_is_where_actions_lead() -> None:
    gain = fitted(rows()).gain(torch.eye(2)).reshape(2, 2, 2)
    assert gain[0].T.tolist() == [[0.5, 0.5], [1.0, 0.0]]


def test_it_is_its_numbers() -> None:
    model = fitted(rows())
    again = TabularModel.restored(model.numbers, 2, 2, LearnConfig())
    assert all(again.numbers[name].equal(x) for name, x in model.numbers.items())
    with pytest.raises(ValueError, match="after must be finite"):
        TabularModel.restored(model.numbers, 3, 2, LearnConfig())


def test_quantities_are_refused() -> None:
    halved = rows().observation / 2
    steps = Transitions(*vars(rows()).values())
    wrong = Transitions(**{**vars(steps), "observation": halved})
    with pytest.raises(InputError, match="of numbered states"):
        fitted(wrong)
