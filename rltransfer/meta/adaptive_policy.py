"""A mapped policy in a target that changes while it acts."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.domain import Transitions, Whitening
from rltransfer.domain.policies import State
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    in_turn,
    least_squares_near,
    relative_residuals,
)
from rltransfer.source_models import SourceModel
from rltransfer.translation import MappedPolicy


@final
@dataclass(frozen=True)
class AdaptConfig:
    """When a map is fitted anew, and to what."""

    window: int = 500
    """Last steps that it is fitted to: what is older was shown by other sensors."""
    every: int = 50
    """Steps between two looks at the alignment error, which is a mean over them."""
    noticed: float = 1.0
    """Times the source model's error on the source's own steps: above it, the target is
    held to have changed."""
    held_out: float = 0.25
    """Share of the window that is not fitted to, and decides whether a fit is kept."""
    ridge: float = 0.1
    """Of the change, as it moves the states that the source's policy usually visits: a
    fit is warm, it stays near the last map where the window says nothing."""
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
            ("starts", self.starts >= 1, "at least 1"),
            ("anchor", self.anchor >= 0, "at least 0"),
            ("iterations", self.iterations >= 1, "at least 1"),
            ("resting", self.resting > 0, "above 0"),
        ):
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)}")


class Look(NamedTuple):
    """What a look at the alignment error came to."""

    steps: int
    """Target steps learned from so far."""
    alignment_error: float
    """Of the last map, on the steps since the last look."""
    refits: int
    """Kept so far, this one included."""
    refused: int
    """Fits so far that explained the held-out steps no better than the last map."""


@final
class AdaptivePolicy:
    """Acts through a mapping, and corrects the mapping while the target changes.

    It sees its own transitions in what `predict` is asked, from the first step of an
    episode to the last but one. The alignment error, which is the relative one-step
    error of the source model on them, tells when the target has changed. Then a
    correction z ↦ z + zC + d behind the last state map is fitted to the last steps
    by least squares, from C = 0 and d = 0, and to how the last episodes began, which
    says what no step does: where the origin is. It is kept only where it explains
    steps that were held out better than the last map does. The action map stays: with
    both free, maps of little error and no worth are found, since the actions of a
    policy follow from states.

    Args:
        policy: that acts through the mapping as it was found.
        model: of the source.
        own: steps of the source's policy at home, in the model's coordinates.
        starts: how episodes begin at home, in the same coordinates; two or more.
        config: when and how it is corrected.
        seed: of which steps are held out.
        watch: called after every look.

    Raises:
        InputError: the mapping is to another source.
    """

    def __init__(
        self,
        policy: MappedPolicy,
        model: SourceModel,
        own: Transitions,
        starts: Float[Tensor, "episode state"],
        config: AdaptConfig | None = None,
        *,
        seed: int = 0,
        watch: Callable[[Look], None] | None = None,
    ) -> None:
        self.config, self._model, self._watch = config or AdaptConfig(), model, watch
        found, size = policy.translation, len(model.scale)
        if found.unwhiten.outputs != size:
            raise InputError(
                f"a mapping and its source model have sensors of one number, got "
                f"{found.unwhiten.outputs} and {size}; use the model of its source"
            )
        # As white coordinates of the model, should it have been learned anew.
        white = model.whitening
        anew = Affine.of(white.matrix, -white.mean @ white.matrix)
        self._first = replace(
            found,
            state=in_turn(in_turn(found.state, found.unwhiten), anew),
            unwhiten=Affine.of(white.inverse, white.mean),
            gain=None if found.gain is None else model.gain,
        )
        self._usual = Whitening.of(own.observation)
        self._begins = Whitening.of(starts)
        self._correction = Affine.of(torch.eye(size), torch.zeros(size))
        self.policy = policy.through(self._first)
        """That acts now."""
        self.threshold = self.config.noticed * self._error(
            torch.zeros(size + 1, size),
            _Seen(own.observation, own.action, own.next_observation),
        )
        """Alignment error above which the target is held to have changed."""
        self._rows: deque[tuple[NDArray[Any], ...]] = deque(maxlen=self.config.window)
        self._starts: deque[NDArray[Any]] = deque(maxlen=self.config.starts)
        self._generator = torch.Generator().manual_seed(seed)
        self._fresh = 0
        self.steps = self.refits = self.refused = 0

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the target action, and what the next call in the episode is handed.

        Args:
            observation: of the target; shape (observation,) or (row, observation).
            state: what the call before returned; None where episodes begin.
            episode_start: for each row whether its episode begins.
            deterministic: whether the source's policy may draw.
        """
        inner = None if state is None else state[2:] or None
        stack = self.policy.stacked(observation, inner, episode_start)
        begun = np.full(stack.shape[:-1], state is None)
        if episode_start is not None:
            begun |= np.reshape(episode_start, begun.shape).astype(bool)
        before, last = (stack, stack) if state is None else state[:2]
        rows = (np.atleast_2d(part) for part in (before, last, stack))
        self._see(*rows, begun=np.atleast_1d(begun))
        action, after = self.policy.predict(
            observation, inner, episode_start, deterministic
        )
        return action, (stack, self.policy.target.encode(action), *(after or ()))

    def _see(
        self,
        before: NDArray[Any],
        action: NDArray[Any],
        after: NDArray[Any],
        *,
        begun: NDArray[np.bool_],
    ) -> None:
        """Takes in one step of each row, and looks at the error now and then."""
        for row in range(len(after)):
            step = before[row], action[row], after[row]
            if not all(np.isfinite(part).all() for part in step):
                continue
            if begun[row]:
                self._starts.append(after[row])
            else:
                self._rows.append(step)
                self.steps += 1
                self._fresh += 1
        if self._fresh >= self.config.every and len(self._rows) > 1:
            self._look()

    def _look(self) -> None:
        seen = _Seen(
            *(
                torch.from_numpy(np.array(x, np.float32))
                for x in zip(*self._rows, strict=True)
            )
        )
        translation = self.policy.translation
        with torch.no_grad():
            state, after = map(translation.state, (seen.state, seen.after))
            action = seen.action
            if translation.action is not None:
                action = translation.action(action)
        seen = _Seen(state, action, after)
        unchanged = torch.zeros(state.shape[1] + 1, state.shape[1])
        error = self._error(unchanged, seen.at(slice(-self._fresh, None)))
        if not error <= self.threshold:
            self._refit(seen, unchanged)
        self._fresh = 0
        if self._watch is not None:
            self._watch(Look(self.steps, error, self.refits, self.refused))

    def _refit(self, seen: "_Seen", unchanged: Tensor) -> None:
        order = torch.randperm(len(seen.state), generator=self._generator)
        count = max(1, round(self.config.held_out * len(order)))
        held_out, fitted = seen.at(order[:count]), seen.at(order[count:])
        begins = self._start_rows(fitted)
        rows = (torch.cat(parts) for parts in zip(fitted, begins, strict=True))
        weight = torch.cat(
            [
                torch.full((len(fitted.state), 1), len(fitted.state) ** -0.5),
                torch.zeros(len(begins.state), 1),
            ]
        )

        def residuals(x: Tensor, *row: Tensor) -> Tensor:
            *parts, share = (part[None] for part in row)
            change, one = x.reshape(unchanged.shape), _Seen(*parts)
            of_step = share * self._residuals(change, one)
            of_start = self.config.anchor**0.5 * self._off_start(change, one)
            return torch.where(share > 0, of_step, of_start)[0]

        change = least_squares_near(
            unchanged.reshape(-1),
            residuals,
            *rows,
            weight,
            ridge=self.config.ridge,
            iterations=self.config.iterations,
        ).reshape(unchanged.shape)
        # What is not finite is not less.
        if not self._error(change, held_out) < self._error(unchanged, held_out):
            self.refused += 1
            return
        self.refits += 1
        usual, last = self._usual, self._correction
        with torch.no_grad():
            weight = usual.matrix @ change[:-1]
            moved = Affine.of(
                torch.eye(len(weight)) + weight, change[-1] - usual.mean @ weight
            )
            self._correction = moved.after(last.weight, last.bias)
        state = in_turn(self._first.state, self._correction)
        self.policy = self.policy.through(replace(self._first, state=state))

    def _residuals(
        self, change: Float[Tensor, "one_more state"], seen: "_Seen"
    ) -> Float[Tensor, "step state"]:
        """Returns residuals; the alignment error is the mean sum of their squares."""
        state, after = (self._changed(x, change) for x in (seen.state, seen.after))
        predicted = self._model.predict(state, seen.action).delta
        delta = (after - state) / self._model.scale
        return relative_residuals(predicted, delta, self.config.resting)

    def _changed(self, state: Tensor, change: Tensor) -> Tensor:
        return state + self._usual.whiten(state) @ change[:-1] + change[-1]

    def _off_start(self, change: Tensor, seen: "_Seen") -> Tensor:
        """Returns how far states are from where episodes begin, in deviations."""
        return self._begins.whiten(self._changed(seen.state, change))

    def _start_rows(self, like: "_Seen") -> "_Seen":
        """Returns the last starts as rows of steps that go nowhere."""
        if not self._starts:
            return like.at(slice(0))
        stack = torch.from_numpy(np.array(self._starts, np.float32))
        with torch.no_grad():
            state = self.policy.translation.state(stack)
        return _Seen(state, torch.zeros(len(state), like.action.shape[1]), state)

    def _error(self, change: Tensor, seen: "_Seen") -> float:
        with torch.no_grad():
            return float(self._residuals(change, seen).square().sum(dim=-1).mean())


class _Seen(NamedTuple):
    """Steps: in white source coordinates, but for what comes from the target."""

    state: Float[Tensor, "step state"]
    action: Float[Tensor, "step action"]
    after: Float[Tensor, "step state"]

    def at(self, rows: Any) -> "_Seen":
        return _Seen(*(part[rows] for part in self))
