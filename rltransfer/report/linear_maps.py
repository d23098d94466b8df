"""The maps of an alignment as matrices, and what each variable became by them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray

from rltransfer.alignment import Alignment
from rltransfer.domain import History
from rltransfer.report.transfer_picture import LinearMap
from rltransfer.report.variable_names import action_names, observation_names
from rltransfer.translation import MappedPolicy

_DRAWS = 256
_FLAT = 1e-9
"""Standard deviation below which a sensor is taken not to move."""
_ABOUT = 2.0
"""Times the error of the chosen candidate that is about as little."""


@final
@dataclass(frozen=True, eq=False)
class MapMatrices:
    """State and action maps: of the chosen candidate, and of those that are asked.

    State maps are in standard deviations, so that cells compare. What is not affine is
    shown by the affine map that is nearest to it where candidates acted, what sees
    pictures by its mean slope there. Asked are those that were acted with and explain
    the target about as well as the chosen one.
    """

    state: Float64[np.ndarray, "seen stack"]
    action: Float64[np.ndarray, "wanted taken"]
    """Which source action, as it is encoded, each target action is taken for.

    Discrete target actions are shown one by one, continuous ones by what a change does.
    """
    asked_states: Float64[np.ndarray, "candidate seen stack"]
    asked_actions: Float64[np.ndarray, "candidate wanted taken"]
    history: History
    """What a stack of target observations holds."""
    discrete: bool
    """Whether target actions are."""

    @classmethod
    def of(cls, alignment: Alignment) -> "MapMatrices":
        """Returns the maps that an alignment came to."""
        most = _ABOUT * alignment.chosen.candidate.alignment_error
        asked = [t for t in alignment.trials if t.candidate.alignment_error <= most]
        own = [t.policy for t in asked if isinstance(t.policy, MappedPolicy)]
        policies = [alignment.lead, *own]
        states = np.stack([_state_matrix(alignment, policy) for policy in policies])
        actions = np.stack([_action_matrix(alignment, policy) for policy in policies])
        return cls(
            states[0],
            actions[0],
            states[1:],
            actions[1:],
            alignment.lead.history,
            alignment.target.actions.discrete,
        )

    def state_map(self, source_id: str, target_id: str) -> LinearMap:
        """Returns the state map with the names of these environments."""
        return LinearMap(
            self.state,
            observation_names(source_id, len(self.state)),
            _stack_names(self.history, target_id),
            "deviations that the source variable moves\n"
            "when the target variable moves by one of its own",
        )

    def action_map(self, source_id: str, target_id: str) -> LinearMap:
        """Returns the action map, likewise."""
        return LinearMap(
            self.action,
            action_names(source_id, self.action.shape[0]),
            action_names(target_id, self.action.shape[1]),
            "part of the source action"
            if self.discrete
            else "how far the source action moves\nwhen the target action moves by one",
        )

    def meanings(self, source_id: str, target_id: str) -> tuple["Meaning", ...]:
        """Returns for each target variable the source variable that it became.

        Candidates agree where they name the same variable and direction.
        """
        sources = observation_names(source_id, len(self.state))
        targets = observation_names(target_id, self.history.observation)
        return meanings_of(self.state, self.asked_states, sources, targets)

    def action_meanings(self, source_id: str, target_id: str) -> tuple["Meaning", ...]:
        """Returns for each target action the source action that it is taken for."""
        shown = self.action_map(source_id, target_id)
        names = shown.source_names, shown.target_names
        return meanings_of(self.action, self.asked_actions, *names)


def _state_matrix(alignment: Alignment, policy: MappedPolicy) -> NDArray[np.float64]:
    stacked = policy.history.stacked(alignment.acted_upon).observation
    translation = policy.translation
    if policy.pictured:
        values = _mean_slope(policy, stacked)
    else:
        with torch.no_grad():
            carried = translation.unwhiten(translation.state(stacked))
        values = _slope(stacked, carried)
    source_spread = _spread(alignment.model_data.model.whitening.inverse)
    target_spread = _spread(alignment.whitening.inverse)
    return values * target_spread / np.maximum(source_spread, _FLAT)[:, None]


def _action_matrix(alignment: Alignment, policy: MappedPolicy) -> NDArray[np.float64]:
    network, codec = policy.translation.action, alignment.target.actions
    if network is None:
        return np.eye(alignment.model_data.source.domain.actions.size)
    if codec.discrete:
        with torch.no_grad():
            values: NDArray[np.float64] = (
                network(torch.eye(codec.size)).double().numpy()
            )
        return values.T
    drawn = np.random.default_rng(0).uniform(-1, 1, (_DRAWS, codec.size))
    rows = torch.from_numpy(drawn).float()
    with torch.no_grad():
        return _slope(torch.from_numpy(drawn), network(rows))


@final
@dataclass(frozen=True)
class Meaning:
    """What one target variable was taken for, and how sure that is."""

    target: str
    source: str
    """The source variable that it moves most; `nothing` where it moves none."""
    reversed: bool
    """Whether that one falls when it rises."""
    share: float | None
    """Of all that it moves, what that one gets; None where it moves nothing."""
    agreeing: int
    """Candidates that say the same, of those that are asked."""
    candidates: int


def meanings_of(
    chosen: NDArray[np.float64],
    asked: Iterable[NDArray[np.float64]],
    sources: Sequence[str],
    targets: Sequence[str],
) -> tuple[Meaning, ...]:
    """Returns for each target variable, a column, the row that it became.

    Args:
        chosen: state map that was kept.
        asked: those of the candidates that are asked.
        sources: names of the rows.
        targets: names of the first columns; memory has no meaning of its own.
    """
    votes = [_strongest(values) for values in asked]
    moved = np.abs(chosen).sum(axis=0)
    found = []
    for place, name in enumerate(targets):
        strongest = _strongest(chosen)[place]
        row, sign = strongest
        still = sign == 0
        found.append(
            Meaning(
                target=name,
                source="nothing" if still else sources[row],
                reversed=sign < 0,
                share=None if still else float(abs(chosen[row, place]) / moved[place]),
                agreeing=sum(vote[place] == strongest for vote in votes),
                candidates=len(votes),
            )
        )
    return tuple(found)


def _strongest(values: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Returns for each column the row of its largest number, and the number's sign.

    Row and sign are 0 where all numbers of the column are.
    """
    sizes = np.abs(values)
    return [
        (int(row), int(np.sign(values[row, column])))
        if sizes[:, column].sum() > _FLAT
        else (0, 0)
        for column, row in enumerate(sizes.argmax(axis=0))
    ]


def _stack_names(history: History, target_id: str) -> tuple[str, ...]:
    """Returns a name for each number of a stack of target observations."""
    seen = observation_names(target_id, history.observation)
    taken = action_names(target_id, history.action)
    before = [
        f"{name}, {back} before"
        for names in (seen, taken)
        for back in range(1, history.steps)
        for name in names
    ]
    return (*seen, *before)


def _slope(inputs: torch.Tensor, outputs: torch.Tensor) -> NDArray[np.float64]:
    """Returns the matrix of the affine map nearest to these pairs of rows."""
    rows, columns = inputs.double().numpy(), outputs.double().numpy()
    solved: NDArray[np.float64] = np.linalg.lstsq(
        rows - rows.mean(axis=0), columns - columns.mean(axis=0), rcond=None
    )[0]
    return solved.T


def _mean_slope(policy: MappedPolicy, inputs: torch.Tensor) -> NDArray[np.float64]:
    """Returns the mean slope of a map at these rows: of pixels no fit would tell it."""
    every = max(1, len(inputs) // _DRAWS)
    shown = inputs[::every].clone().requires_grad_(True)
    translation = policy.translation
    carried = translation.unwhiten(translation.state(shown)).sum(dim=0)
    slopes = [
        torch.autograd.grad(one, shown, retain_graph=True)[0].mean(dim=0)
        for one in carried
    ]
    values: NDArray[np.float64] = torch.stack(slopes).double().numpy()
    return values


def _spread(root: torch.Tensor) -> NDArray[np.float64]:
    """Returns standard deviations from the square root of a covariance."""
    deviations: NDArray[np.float64] = root.double().square().sum(dim=0).sqrt().numpy()
    return deviations
