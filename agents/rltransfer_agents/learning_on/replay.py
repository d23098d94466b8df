"""Steps in the target that a learner draws from: standardised, and n steps at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float32, Int64
from numpy.typing import NDArray

from rltransfer.domain import Domain, Policy, Transitions
from rltransfer.translation import EnsemblePolicy, MappedPolicy

Array = NDArray[np.float32]
_LEAST_SPREAD = 1e-3
"""Of a variable that hardly moved while it was explored, against the largest."""
_VALUE = 10.0
"""About what a return of rewards of usual size comes to, in units of the learner."""


@final
@dataclass(frozen=True, eq=False)
class Units:
    """In which units a learner sees the target; fixed before it learns."""

    shift: Float32[Array, " observation"]
    spread: Float32[Array, " observation"]
    reward: float
    """What one unit of a learner's reward is worth to the environment."""

    @classmethod
    def of(cls, rows: Transitions, discount: float) -> "Units":
        """Returns units in which these rows are of ordinary size."""
        seen = rows.observation.numpy().astype(np.float64)
        spread = seen.std(axis=0)
        # What did not move at all keeps its own unit.
        spread = np.where(spread > _LEAST_SPREAD * max(spread.max(), 1e-12), spread, 1)
        size = float(np.sqrt(np.square(rows.reward.numpy()).mean()))
        return cls(
            seen.mean(axis=0).astype(np.float32),
            spread.astype(np.float32),
            (size or 1.0) / (_VALUE * (1 - discount)),
        )

    def standard(self, observation: Array) -> Array:
        """Returns observations in these units."""
        return ((observation - self.shift) / self.spread).astype(np.float32)


class Batch(NamedTuple):
    """Rows to learn from, in the units of the learner."""

    observation: Float32[Array, "row observation"]
    action: Float32[Array, "row action"]
    reward: Float32[Array, " row"]
    """Of up to n steps, discounted."""
    discount: Float32[Array, " row"]
    """Of what follows after them; 0 where the episode has terminated."""
    next_observation: Float32[Array, "row observation"]
    mapped: Float32[Array, "row action"]
    """What the mapped policy would have done; of no meaning where there is none."""
    next_mapped: Float32[Array, "row action"]
    potential: Float32[Array, " row"]
    """What the source's value says of the observation; 0 where nobody asked."""
    next_potential: Float32[Array, " row"]
    confidence: Float32[Array, " row"]
    """Of the mapped policy in its action, from 0 to 1; 1 where it does not say."""


@final
class Replay:
    """All steps seen in the target, in the order in which they came.

    Args:
        domain: the target.
        units: of what comes out.
        mapped: whose actions are kept beside those taken; None where there is none.
        discount: of a step.
        n_steps: that a reward is summed over.
        potential: of stacks of observations, as the environment pays; None for none.
    """

    def __init__(
        self,
        domain: Domain,
        units: Units,
        mapped: Policy | None,
        discount: float,
        n_steps: int,
        potential: Callable[[Array], Array] | None = None,
    ) -> None:
        self._domain, self._units, self.mapped = domain, units, mapped
        self._potential = potential
        self._discount, self._n_steps = discount, n_steps
        self._columns: list[Array] | None = None
        self._length = 0
        self.lowest = self.highest = 0.0
        """Rewards seen of one step, and 0, in the learner's units."""

    def __len__(self) -> int:
        return self._length

    def add(self, rows: Transitions) -> None:
        """Adds steps of episodes, in their order; the last episode may be cut off."""
        if not len(rows):
            return
        reward = (rows.reward.numpy() / self._units.reward).astype(np.float32)
        self.lowest = min(self.lowest, float(reward.min()))
        self.highest = max(self.highest, float(reward.max()))
        episode = rows.episode.numpy()
        over = np.append(episode[1:] != episode[:-1], True)
        last = _last_of_n(over, self._n_steps)
        steps = last - np.arange(len(rows)) + 1
        after = rows.next_observation.numpy()
        goes_on = 1 - rows.terminated.numpy()[last].astype(np.float32)
        shown, taken = rows.observation.numpy(), rows.action.numpy()
        stacks = self._stacks(rows)
        mapped, next_mapped = map(self._mapped_actions, stacks)
        potential, next_potential = map(self._potentials, stacks)
        columns = [
            self._units.standard(shown),
            taken,
            _summed(reward, last, self._discount)[:, None],
            (goes_on * self._discount**steps).astype(np.float32)[:, None],
            self._units.standard(after[last]),
            mapped,
            next_mapped[last],
            potential,
            next_potential[last],
            self._confidence(stacks[0]),
        ]
        self._append(columns)

    def batch(self, size: int, rng: np.random.Generator) -> Batch:
        """Returns rows drawn evenly, with replacement."""
        return self.at(rng.integers(self._length, size=size))

    def at(self, places: Int64[np.ndarray, " row"]) -> Batch:
        """Returns the rows at these places."""
        assert self._columns is not None
        rows = [column[places] for column in self._columns]
        single = (rows[n][:, 0] for n in (2, 3, 7, 8, 9))
        reward, discount, potential, after, confidence = single
        shown, taken, _, _, following, mapped, next_mapped, *_ = rows
        return Batch(
            *(shown, taken, reward, discount, following),
            *(mapped, next_mapped, potential, after, confidence),
        )

    @property
    def observations(self) -> Float32[Array, "row observation"]:
        """All that was seen, standardised."""
        assert self._columns is not None
        return self._columns[0][: self._length]

    def _stacks(self, rows: Transitions) -> tuple[Array, Array]:
        """Returns what the mapped policy looks at at each step, and after it."""
        looks_back = (
            self.mapped.history if isinstance(self.mapped, MappedPolicy) else None
        )
        stacks = rows if looks_back is None else looks_back.stacked(rows)
        return stacks.observation.numpy(), stacks.next_observation.numpy()

    def _mapped_actions(self, stack: Array) -> Array:
        """Returns what the mapped policy would do."""
        if self.mapped is None:
            return np.zeros((len(stack), self._domain.actions.size), np.float32)
        size = len(self._units.shift)
        memory = None if stack.shape[1] == size else (stack[:, size:],)
        action, _ = self.mapped.predict(stack[:, :size], memory, None, True)
        return np.asarray(self._domain.actions.encode(action), np.float32)

    def _confidence(self, stack: Array) -> Array:
        """Returns the mapped policy's confidence in its actions, as a column."""
        if not isinstance(self.mapped, EnsemblePolicy) or not len(stack):
            return np.ones((len(stack), 1), np.float32)
        return self.mapped.say(stack).confidence[:, None]

    def _potentials(self, stack: Array) -> Array:
        """Returns them in units of the learner, as a column."""
        if self._potential is None:
            return np.zeros((len(stack), 1), np.float32)
        value = self._potential(stack) / self._units.reward
        return value.astype(np.float32)[:, None]

    def _append(self, columns: list[Array]) -> None:
        rows = len(columns[0])
        if self._columns is None:
            self._columns = [
                np.zeros((0, column.shape[1]), np.float32) for column in columns
            ]
        if self._length + rows > len(self._columns[0]):
            room = max(4096, 2 * (self._length + rows))
            kept, self._columns = self._columns, []
            for column in kept:
                larger = np.zeros((room, column.shape[1]), np.float32)
                larger[: self._length] = column[: self._length]
                self._columns.append(larger)
        for column, new in zip(self._columns, columns, strict=True):
            column[self._length : self._length + rows] = new
        self._length += rows


def _last_of_n(over: NDArray[np.bool_], n_steps: int) -> Int64[np.ndarray, " row"]:
    """Returns for each row the last one of its next n steps within the episode."""
    rows = np.arange(len(over))
    ends = np.where(over, rows, len(over))
    ends = np.minimum.accumulate(ends[::-1])[::-1]
    return np.minimum(rows + n_steps - 1, ends)


def _summed(
    reward: Float32[Array, " row"], last: Int64[np.ndarray, " row"], discount: float
) -> Float32[Array, " row"]:
    """Returns the discounted sum of the rewards from each row to its `last` one."""
    rows = np.arange(len(reward))
    total = np.zeros(len(reward), np.float64)
    for ahead in range(int((last - rows).max()) + 1):
        inside = rows + ahead <= last
        total[inside] += discount**ahead * reward[rows[inside] + ahead]
    return total.astype(np.float32)
