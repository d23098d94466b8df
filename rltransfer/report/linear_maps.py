"""The maps of an alignment as matrices, with the names of well-known variables."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.alignment import Alignment
from rltransfer.domain import History
from rltransfer.report.transfer_picture import LinearMap
from rltransfer.translation import MappedPolicy

OBSERVATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Acrobot": (
            "cos upper angle",
            "sin upper angle",
            "cos lower angle",
            "sin lower angle",
            "upper velocity",
            "lower velocity",
        ),
        "CartPole": ("cart position", "cart velocity", "pole angle", "pole velocity"),
        "InvertedPendulum": (
            "cart position",
            "pole angle",
            "cart velocity",
            "pole velocity",
        ),
        "LunarLander": (
            "x",
            "y",
            "x velocity",
            "y velocity",
            "angle",
            "angular velocity",
            "left leg",
            "right leg",
        ),
        "MountainCar": ("position", "velocity"),
        "MountainCarContinuous": ("position", "velocity"),
        "Pendulum": ("cos angle", "sin angle", "angular velocity"),
    }
)
ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Acrobot": ("torque -1", "torque 0", "torque +1"),
        "CartPole": ("push left", "push right"),
        "InvertedPendulum": ("force",),
        "LunarLander": ("nothing", "left engine", "main engine", "right engine"),
        "MountainCar": ("push left", "nothing", "push right"),
        "MountainCarContinuous": ("force",),
        "Pendulum": ("torque",),
    }
)
# With `continuous=True` the same environment has other actions: their number tells.
_CONTINUOUS_LANDER = ("main engine", "side engines")


def observation_names(env_id: str, size: int) -> tuple[str, ...]:
    """Returns a name for each number of an observation.

    Args:
        env_id: as registered; any version.
        size: how many numbers there are. Where the table knows another number of
            them, it is about another environment of the same name.
    """
    return _named(OBSERVATIONS, env_id, size, "observation")


def action_names(env_id: str, size: int) -> tuple[str, ...]:
    """Returns a name for each action, or each number of a continuous action."""
    if _stem(env_id) == "LunarLander" and size == len(_CONTINUOUS_LANDER):
        return _CONTINUOUS_LANDER
    return _named(ACTIONS, env_id, size, "action")


def _named(
    table: Mapping[str, tuple[str, ...]], env_id: str, size: int, word: str
) -> tuple[str, ...]:
    known = table.get(_stem(env_id), ())
    return known if len(known) == size else tuple(f"{word} {n}" for n in range(size))


def _stem(env_id: str) -> str:
    return re.sub(r"-v\d+$", "", re.split(r"[/:]", env_id)[-1])


_DRAWS = 256
_FLAT = 1e-9
"""Standard deviation below which a sensor is taken not to move."""
_ABOUT = 2.0
"""Times the error of the chosen candidate that is about as little."""


def state_map(alignment: Alignment, source_id: str, target_id: str) -> LinearMap:
    """Returns the state map over the observations that candidates saw.

    In standard deviations, so that cells compare. A map that is not affine is shown by
    the affine one that is nearest to it there.
    """
    values = _state_matrix(alignment, alignment.policy)
    return LinearMap(
        values,
        observation_names(source_id, len(values)),
        _stack_names(alignment.policy.history, target_id),
        "deviations that the source variable moves\n"
        "when the target variable moves by one of its own",
    )


def _state_matrix(alignment: Alignment, policy: MappedPolicy) -> NDArray[np.float64]:
    stacked = policy.history.stacked(alignment.acted_upon).observation
    translation = policy.translation
    with torch.no_grad():
        carried = translation.unwhiten(translation.state(stacked))
    values = _slope(stacked, carried)
    source_spread = _spread(alignment.model_data.model.whitening.inverse)
    target_spread = _spread(alignment.whitening.inverse)
    return values * target_spread / np.maximum(source_spread, _FLAT)[:, None]


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


def meanings(
    alignment: Alignment, source_id: str, target_id: str
) -> tuple[Meaning, ...]:
    """Returns for each target variable the source variable that it became.

    Candidates agree where they name the same variable and direction. Asked are those
    that were acted with and explain the target about as well as the chosen one.
    """
    most = _ABOUT * alignment.chosen.candidate.alignment_error
    asked = [t for t in alignment.trials if t.candidate.alignment_error <= most]
    chosen = _state_matrix(alignment, alignment.policy)
    return meanings_of(
        chosen,
        [_state_matrix(alignment, trial.policy) for trial in asked],
        observation_names(source_id, len(chosen)),
        observation_names(target_id, alignment.policy.history.observation),
    )


def meanings_of(
    chosen: NDArray[np.float64],
    asked: Sequence[NDArray[np.float64]],
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
    """Returns a name for each number of a stack of observations."""
    seen = observation_names(target_id, history.observation)
    taken = action_names(target_id, history.action)
    before = [
        f"{name}, {back} before"
        for names in (seen, taken)
        for back in range(1, history.steps)
        for name in names
    ]
    return (*seen, *before)


def action_map(alignment: Alignment, source_id: str, target_id: str) -> LinearMap:
    """Returns which source action, as it is encoded, each target action is taken for.

    Discrete target actions are shown one by one, continuous ones by what a change does.
    """
    network = alignment.policy.translation.action
    codec = alignment.target.actions
    if network is None:
        values = np.eye(alignment.model_data.source.domain.actions.size)
    elif codec.discrete:
        with torch.no_grad():
            values = network(torch.eye(codec.size)).double().numpy().T
    else:
        drawn = np.random.default_rng(0).uniform(-1, 1, (_DRAWS, codec.size))
        rows = torch.from_numpy(drawn).float()
        with torch.no_grad():
            values = _slope(torch.from_numpy(drawn), network(rows))
    return LinearMap(
        values,
        action_names(source_id, values.shape[0]),
        action_names(target_id, values.shape[1]),
        "part of the source action"
        if codec.discrete
        else "how far the source action moves\nwhen the target action moves by one",
    )


def _slope(inputs: torch.Tensor, outputs: torch.Tensor) -> NDArray[np.float64]:
    """Returns the matrix of the affine map nearest to these pairs of rows."""
    rows, columns = inputs.double().numpy(), outputs.double().numpy()
    solved: NDArray[np.float64] = np.linalg.lstsq(
        rows - rows.mean(axis=0), columns - columns.mean(axis=0), rcond=None
    )[0]
    return solved.T


def _spread(root: torch.Tensor) -> NDArray[np.float64]:
    """Returns standard deviations from the square root of a covariance."""
    deviations: NDArray[np.float64] = root.double().square().sum(dim=0).sqrt().numpy()
    return deviations
