"""A correction behind a state map, fitted to a target's steps from the last map on."""

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.func import jacrev, vmap

from rltransfer.domain import Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, least_squares_near, relative_residuals
from rltransfer.source_models import SourceModel

_STEPS = 2_000
"""Of the source, by which changes are weighed."""


@final
@dataclass(frozen=True)
class AdaptConfig:
    """When a map is fitted anew, and to what."""

    window: int = 300
    """Last steps that it is fitted to: what is older was shown by other sensors."""
    every: int = 50
    """Steps between two looks at the alignment error, which is a mean over them."""
    noticed: float = 1.0
    """Times the source model's error on the source's own steps: above it, the target is
    held to have changed."""
    held_out: float = 0.25
    """Share of the window that is not fitted to, and decides whether a fit is kept."""
    ridge: float = 0.1
    """Of the change, by how much it moves what is missed in the source's own steps: as
    if the last map had explained a tenth of a window of them. It stays near the last
    map in what the window tells less of."""
    least: float = 0.1
    """Added to that weight for what no step tells of, such as where the origin is."""
    starts: int = 4
    """Last episodes whose first observation is to be one of the source's."""
    anchor: float = 1e-4
    """Weight of that, in the source's deviations. Steps alone do not tell where a cart
    is on its track, and what they do not tell would wander off, fit by fit."""
    iterations: int = 3
    """Gauss-Newton steps of a fit."""
    resting: float = 0.05
    """As `SelectionConfig.resting`."""

    def __post_init__(self) -> None:
        for name, holds, rule in (
            ("every", self.every >= 1, "at least 1"),
            ("window", self.window >= max(self.every, 8), "at least 8 and `every`"),
            ("noticed", self.noticed >= 0, "at least 0"),
            ("held_out", 0 < self.held_out < 1, "between 0 and 1"),
            ("ridge", self.ridge > 0, "above 0"),
            ("least", self.least > 0, "above 0"),
            ("starts", self.starts >= 1, "at least 1"),
            ("anchor", self.anchor >= 0, "at least 0"),
            ("iterations", self.iterations >= 1, "at least 1"),
            ("resting", self.resting > 0, "above 0"),
        ):
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)}")


class MappedSteps(NamedTuple):
    """Steps through a map: white source states, and actions of the source."""

    state: Float[Tensor, "step state"]
    action: Float[Tensor, "step action"]
    after: Float[Tensor, "step state"]

    def at(self, rows: Any) -> "MappedSteps":
        """Returns these rows."""
        return MappedSteps(*(part[rows] for part in self))


@final
class MapCorrection:
    """Fits z ↦ z + zC + d to steps through the last map, near C = 0 and d = 0.

    What the source model misses is told in the coordinates of the last map, relative
    to what was seen there. In those of the corrected map a fit would have less to miss
    that shrinks a coordinate, and while sensors turn, no map misses nothing.

    Steps alone do not tell all: a slow motion looks like a slow turn. So the change is
    weighed by how much it moves what is missed in the source's own steps, and the first
    states of episodes are to be like the source's.

    Args:
        model: of the source.
        own: steps of the source's policy at home, in the model's coordinates.
        starts: how episodes begin there.
        config: weights and effort.
    """

    def __init__(
        self,
        model: SourceModel,
        own: Transitions,
        starts: Float[Tensor, "episode state"],
        config: AdaptConfig,
    ) -> None:
        self._model, self._config = model, config
        self._begins = Whitening.of(starts)
        self.size = len(model.scale)
        at_home = MappedSteps(own.observation, own.action, own.next_observation)
        self.own_error = self.error(at_home)
        """Alignment error of the source's own steps."""
        self._basis = self._basis_of(at_home)

    def error(
        self,
        steps: MappedSteps,
        change: Float[Tensor, "one_more state"] | None = None,
    ) -> float:
        """Returns the alignment error: relative, of one step.

        Args:
            steps: through the last map.
            change: C above d; without, that of the last map.
        """
        with torch.no_grad():
            missed = self._missed(self._none if change is None else change, steps)
        return float(missed.square().sum(dim=-1).mean())

    def fit(
        self,
        steps: MappedSteps,
        starts: Float[Tensor, "episode state"],
        generator: Generator,
    ) -> Affine | None:
        """Returns a correction, or None if it explains held-out steps no better.

        Args:
            steps: the last ones; two or more.
            starts: first states of the last episodes, through the last map.
            generator: draws which steps are held out.
        """
        order = torch.randperm(len(steps.state), generator=generator)
        count = max(1, round(self._config.held_out * len(order)))
        held_out, fitted = steps.at(order[:count]), steps.at(order[count:])
        change = self._fitted(fitted, starts)
        # What is not finite is not less.
        if not self.error(held_out, change) < self.error(held_out):
            return None
        return Affine.of(torch.eye(self.size) + change[:-1], change[-1])

    def _fitted(self, steps: MappedSteps, starts: Tensor) -> Tensor:
        count, episodes = len(steps.state), len(starts)
        # Starts are rows as well, of steps that go nowhere and count for no step.
        resting = torch.zeros(episodes, steps.action.shape[1])
        joined = zip(steps, (starts, resting, starts), strict=True)
        share = torch.zeros(count + episodes, 1)
        share[:count] = count**-0.5

        def residuals(x: Tensor, *row: Tensor) -> Tensor:
            *parts, weight = (part[None] for part in row)
            change, one = self._change(x), MappedSteps(*parts)
            off = self._begins.whiten(_changed(one.state, change))
            of_start = self._config.anchor**0.5 * off
            return torch.where(
                weight > 0, weight * self._missed(change, one), of_start
            )[0]

        found = least_squares_near(
            torch.zeros(self._none.numel()),
            residuals,
            *(torch.cat(parts) for parts in joined),
            share,
            ridge=self._config.ridge,
            iterations=self._config.iterations,
        )
        return self._change(found)

    @property
    def _none(self) -> Float[Tensor, "one_more state"]:
        return torch.zeros(self.size + 1, self.size)

    def _change(self, x: Float[Tensor, " parameter"]) -> Tensor:
        return (self._basis @ x).reshape(self.size + 1, self.size)

    def _basis_of(self, own: MappedSteps) -> Float[Tensor, "parameter parameter"]:
        """Returns changes, one a column, that weigh alike on the source's own steps.

        With S the slopes of what is missed there, M = SᵀS + εI says what a change does
        to it; changes Bx with BᵀMB = I have ‖x‖² for their weight.
        """
        few = torch.linspace(0, len(own.state) - 1, min(_STEPS, len(own.state)))

        def missed(change: Tensor, *row: Tensor) -> Tensor:
            one = MappedSteps(*(part[None] for part in row))
            return self._missed(change, one)[0]

        slopes = vmap(jacrev(missed), (None, 0, 0, 0))
        found = slopes(self._none, *own.at(few.long())).flatten(2).flatten(0, 1)
        weight = (found.T @ found / len(few)).double()
        weight += self._config.least * torch.eye(len(weight))
        basis: Tensor = torch.linalg.inv(torch.linalg.cholesky(weight)).T.float()
        return basis

    def _missed(self, change: Tensor, steps: MappedSteps) -> Tensor:
        """Returns residuals; the alignment error is the mean sum of their squares."""
        state, after = (_changed(x, change) for x in (steps.state, steps.after))
        scale = self._model.scale
        predicted = self._model.predict(state, steps.action).delta * scale
        weight = torch.eye(self.size) + change[:-1]
        missed = torch.linalg.solve(weight.T, (predicted - (after - state)).T).T
        delta = (steps.after - steps.state) / scale
        return relative_residuals(missed / scale + delta, delta, self._config.resting)


def _changed(state: Tensor, change: Tensor) -> Tensor:
    return state + state @ change[:-1] + change[-1]
