"""A mapped policy in a target that changes while it acts."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.domain import Transitions
from rltransfer.domain.policies import State
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, in_turn
from rltransfer.meta.map_correction import AdaptConfig, MapCorrection, MappedSteps
from rltransfer.source_models import SourceModel
from rltransfer.translation import MappedPolicy


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
    correction behind the last state map is fitted to the last steps (`MapCorrection`),
    and kept only where it explains steps that were held out better than the last map
    does. The action map stays: with both free, maps of little error and no worth are
    found, since the actions of a policy follow from states.

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
        self.config, self._watch = config or AdaptConfig(), watch
        found, size = policy.translation, len(model.scale)
        if found.unwhiten.outputs != size:
            raise InputError(
                f"a mapping and its source model have sensors of one number, got "
                f"{found.unwhiten.outputs} and {size}; use the model of its source"
            )
        # In white coordinates of the model, should it have been learned anew.
        white = model.whitening
        anew = Affine.of(white.matrix, -white.mean @ white.matrix)
        self._first = replace(
            found,
            state=in_turn(in_turn(found.state, found.unwhiten), anew),
            unwhiten=Affine.of(white.inverse, white.mean),
            gain=None if found.gain is None else model.gain,
        )
        self._corrected = Affine.of(torch.eye(size), torch.zeros(size))
        self.policy = policy.through(self._first)
        """That acts now."""
        self._correction = MapCorrection(model, own, starts, self.config)
        self.threshold = self.config.noticed * self._correction.own_error
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
                self.steps += 1
                self._rows.append(step)
                self._fresh += 1
        if self._fresh >= self.config.every and len(self._rows) > 1:
            self._look()

    def _look(self) -> None:
        columns = zip(*self._rows, strict=True)
        before, action, after = (
            torch.from_numpy(np.array(column, np.float32)) for column in columns
        )
        translation = self.policy.translation
        with torch.no_grad():
            if translation.action is not None:
                action = translation.action(action)
            steps = MappedSteps(
                translation.state(before), action, translation.state(after)
            )
        error = self._correction.error(steps.at(slice(-self._fresh, None)))
        if not error <= self.threshold:
            self._refit(steps)
        self._fresh = 0
        if self._watch is not None:
            self._watch(Look(self.steps, error, self.refits, self.refused))

    def _refit(self, steps: MappedSteps) -> None:
        starts = steps.state[:0]
        if self._starts:
            stack = torch.from_numpy(np.array(self._starts, np.float32))
            with torch.no_grad():
                starts = self.policy.translation.state(stack)
        found = self._correction.fit(steps, starts, self._generator)
        if found is None:
            self.refused += 1
            return
        self.refits += 1
        self._corrected = found.after(self._corrected.weight, self._corrected.bias)
        state = in_turn(self._first.state, self._corrected)
        self.policy = self.policy.through(replace(self._first, state=state))
