"""The policy that acts in the target as the source's policy would."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.domain import (
    ActionCodec,
    History,
    ObservationCodec,
    Policy,
    Whitening,
)
from rltransfer.domain.observation_codec import VectorObservations
from rltransfer.domain.policies import State
from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import (
    Affine,
    Chain,
    DomainMapping,
    Network,
    load_network,
    save_network,
)
from rltransfer.mapping.mapping_store import load_about
from rltransfer.source_models import SourceModel
from rltransfer.translation.effect_matching import reordering, translator_of
from rltransfer.translation.numpy_networks import array_map


@final
@dataclass(frozen=True, eq=False)
class Translation:
    """Everything between two domains that acting needs, as networks.

    Args:
        state: target observation, or a stack of them, to white source state.
        unwhiten: white source state to source observation.
        gain: what actions do in a white source state, see `SourceModel.gain`.
        action: encoded target action to encoded source action; with `gain` None where
            both domains take the same actions.
        steps: observations in a stack, see `History`; 1 where one is enough.
    """

    state: Network
    unwhiten: Affine
    gain: Network | None
    action: Network | None
    steps: int = 1

    def __post_init__(self) -> None:
        if (self.gain is None) != (self.action is None):
            raise ValueError("an action map needs the gain, and only it does")

    @classmethod
    def identity(cls, size: int) -> "Translation":
        """Returns the translation between equal spaces that changes nothing."""
        unchanged = Affine.of(torch.eye(size), torch.zeros(size))
        return cls(unchanged, unchanged, None, None)

    @classmethod
    def of(
        cls,
        mapping: DomainMapping,
        target: Whitening,
        model: SourceModel,
        steps: int = 1,
    ) -> "Translation":
        """Returns `mapping`, which is between white coordinates, for observations.

        Args:
            mapping: one copy.
            target: how the target's observations, or stacks of them, were whitened.
            model: of the source.
            steps: observations in a stack.
        """
        state = mapping.state
        matrix, shift = target.matrix, -target.mean @ target.matrix
        if isinstance(state, Affine):
            state = state.after(matrix, shift)
        elif not target.changes_nothing:
            state = Chain(Affine.of(matrix, shift), state)
        source = model.whitening
        unwhiten = Affine.of(source.inverse, source.mean)
        gain = None if mapping.action is None else model.gain
        return cls(state, unwhiten, gain, mapping.action, steps)


@final
class MappedPolicy:
    """Acts in the target through a translation; fits wherever an SB3 model does.

    Args:
        policy: of the source; asked for its deterministic action.
        translation: from the target to the source.
        source: how the source's actions are encoded.
        target: how the target's actions are encoded.
        shown: how the observations of the source and of the target are encoded; by
            default both are vectors.
    """

    def __init__(
        self,
        policy: Policy,
        translation: Translation,
        source: ActionCodec,
        target: ActionCodec,
        shown: tuple[ObservationCodec, ObservationCodec] | None = None,
    ) -> None:
        self.policy, self.translation = policy, translation
        self._source, self.target = source, target
        self._codecs = shown or (
            VectorObservations(translation.unwhiten.outputs),
            VectorObservations(translation.state.inputs),
        )
        self.history = _history(translation, target.size)
        self._observe = _observer(translation.state, translation.unwhiten)
        self._translate = self._order = None
        if translation.gain is not None and translation.action is not None:
            self._gain = array_map(translation.gain)
            self._translate = translator_of(translation.action, target)
            self._order = reordering(translation.action, source, target)
            self._gain_shape = (-1, source.size)

    @property
    def lead(self) -> "MappedPolicy":
        """The policy itself: of an ensemble it is the first of several."""
        return self

    def through(self, translation: Translation) -> "MappedPolicy":
        """Returns the same source's policy, acting through another translation."""
        actions = self._source, self.target
        return MappedPolicy(self.policy, translation, *actions, self._codecs)

    @property
    def numbered(self) -> bool:
        """Whether observations are numbers of states."""
        return self._codecs[1].numbered

    @property
    def pictured(self) -> bool:
        """Whether observations are pictures, with or without numbers beside them."""
        return self._codecs[1].picture is not None

    def source_observation(
        self, observation: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Returns what the source's policy sees where an episode begins like this.

        Args:
            observation: of the target; shape (observation,) or (row, observation).
        """
        memory = self.history.begun(observation)
        seen: NDArray[np.float32] = self._observe(
            np.concatenate([observation, memory], axis=-1)
        )[1]
        return seen

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the target action for one observation, or one for each row.

        Args:
            observation: of the target; shape (observation,) or (row, observation), of
                numbered states () or (row,), of pictures as their space has it, or
                with rows before.
            state: what the call before returned in the same episodes, as for every
                recurrent policy; None where they begin.
            episode_start: for each row whether its episode begins.
            deterministic: whether the source's policy may draw.
        """
        stack = self.stacked(observation, state, episode_start)
        if self.history.steps == 1:
            return self._act(stack, state, episode_start, deterministic)
        inner = () if state is None else state[1:]
        action, after = self._act(
            stack, tuple(inner) or None, episode_start, deterministic
        )
        memory = self.history.after(stack, self.target.encode(action))
        return action, (memory, *(after or ()))

    def stacked(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Returns what the state map is shown: the observation, or a stack of them.

        Args:
            observation: as for `predict`; so are the others.
            state: of the call before.
            episode_start: for each row whether its episode begins.
        """
        shown = self._codecs[1].encode(observation)
        if self.history.steps == 1:
            return shown
        memory = None if state is None else state[0]
        return np.concatenate(
            [shown, self.history.recalled(shown, memory, episode_start)], axis=-1
        )

    def _act(
        self,
        shown: NDArray[np.float32],
        state: State,
        episode_start: NDArray[Any] | None,
        deterministic: bool,
    ) -> tuple[Any, State]:
        white, seen = self._observe(shown)
        seen = self._codecs[0].decode(seen)
        action, state = self.policy.predict(seen, state, episode_start, deterministic)
        wanted = self._source.encode(action)
        if self._translate is None:
            # Equal in number, but perhaps counted or bounded otherwise.
            return self.target.decode(wanted), state
        if self._order is not None:
            return self.target.decode(wanted @ self._order), state
        gain = self._gain(white)
        if gain.ndim == 1:
            gain = gain.reshape(self._gain_shape)
            metric = gain.T @ gain
        else:
            gain = gain.reshape(len(gain), *self._gain_shape)
            metric = np.swapaxes(gain, -1, -2) @ gain
        return self.target.decode(self._translate(wanted, metric)), state


def _history(translation: Translation, action: int) -> History:
    """Returns what a translation is given: stacks of how many observations."""
    steps = translation.steps
    observation, rest = divmod(translation.state.inputs - (steps - 1) * action, steps)
    if rest or observation < 1:
        raise ValueError(
            f"a state map over {steps} observations and the actions of {action} "
            f"numbers between them cannot have {translation.state.inputs} inputs"
        )
    return History(steps, observation, action)


def _observer(
    state: Network, unwhiten: Affine
) -> Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]:
    """Returns what makes the white source state and the source observation."""
    if isinstance(state, Affine) and state.activation == "identity":
        # Two affine maps of the same observation are one, with more outputs.
        seen = unwhiten.after(state.weight, state.bias)
        with torch.no_grad():
            if _changes_nothing(seen, unwhiten):
                # Contacts blow rounding errors up: then it would fall another time
                # than the source's policy does by itself.
                seen = Affine.of(torch.eye(seen.outputs), torch.zeros(seen.outputs))
            both = array_map(
                Affine.of(
                    torch.cat([state.weight, seen.weight], dim=1),
                    torch.cat([state.bias, seen.bias]),
                )
            )
        size = state.outputs

        def observe(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
            joined = both(x)
            return joined[..., :size], joined[..., size:]

        return observe
    whiten, show = array_map(state), array_map(unwhiten)

    def observe_in_turn(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        white = whiten(x)
        return white, show(white)

    return observe_in_turn


def _changes_nothing(seen: Affine, unwhiten: Affine) -> bool:
    """Returns whether a map of raw observations is the identity, but for rounding.

    Args:
        seen: to what the source's policy sees.
        unwhiten: of the source; says how far each variable deviates.
    """
    if seen.inputs != seen.outputs:
        return False
    deviation = unwhiten.weight.norm(dim=0).clamp_min(1e-12)
    relative = seen.weight * deviation[:, None] / deviation
    off = (relative - torch.eye(seen.outputs)).abs().max()
    shift = (seen.bias.abs() / (deviation + unwhiten.bias.abs())).max()
    return max(float(off), float(shift)) < _ROUNDED


MOST_STEPS = 16
"""Observations in the largest stack that a file may ask for."""
_ROUNDED = 1e-5
"""Of a deviation: what whitening there and back may be off by, in single precision."""
_STATE, _UNWHITEN, _GAIN, _ACTION = "state", "unwhiten", "gain", "action"


def save_translation(folder: Path, translation: Translation) -> None:
    """Writes the networks of `translation` into folders within `folder`."""
    networks: dict[str, Network] = {
        _STATE: translation.state,
        _UNWHITEN: translation.unwhiten,
    }
    if translation.gain is not None and translation.action is not None:
        networks |= {_GAIN: translation.gain, _ACTION: translation.action}
    for name, network in networks.items():
        # A missing folder must not turn a translation into one that needs no actions.
        about = {"parts": sorted(networks), "steps": translation.steps}
        save_network(folder / name, network, about=about)


def load_translation(folder: Path) -> Translation:
    """Returns the translation that `save_translation` wrote.

    Raises:
        ArtifactRefused: it is damaged, or its parts do not belong together.
    """
    about = load_about(folder / _STATE)["about"]
    parts, steps = about.get("parts"), about.get("steps", 1)
    if parts not in ([_STATE, _UNWHITEN], [_ACTION, _GAIN, _STATE, _UNWHITEN]):
        raise ArtifactRefused(
            f"a translation has {_STATE} and {_UNWHITEN}, and both {_GAIN} and "
            f"{_ACTION} or neither, {folder} names {parts}: make the transfer again"
        )
    state: Network = load_network(folder / _STATE, Network)  # type: ignore[type-abstract]
    unwhiten = load_network(folder / _UNWHITEN, Affine)
    gain: Network | None = None
    action: Network | None = None
    if _GAIN in parts:
        gain = load_network(folder / _GAIN, Network)  # type: ignore[type-abstract]
        action = load_network(folder / _ACTION, Network)  # type: ignore[type-abstract]
    sizes = {unwhiten.inputs} if gain is None else {unwhiten.inputs, gain.inputs}
    if sizes != {state.outputs}:
        raise ArtifactRefused(
            f"the parts of {folder} do not fit together: the state map makes "
            f"{state.outputs} numbers; make the transfer again"
        )
    if type(steps) is not int or not 1 <= steps <= MOST_STEPS:
        raise ArtifactRefused(
            f"a stack holds 1 to {MOST_STEPS} observations, {folder} names {steps}: "
            "make the transfer again"
        )
    return Translation(state, unwhiten, gain, action, steps)
