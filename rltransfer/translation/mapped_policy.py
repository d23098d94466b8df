"""The policy that acts in the target as the source's policy would."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.domain import ActionCodec, Policy, Whitening
from rltransfer.domain.policies import State
from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import (
    Affine,
    Chain,
    DomainMapping,
    Mlp,
    Network,
    load_network,
    save_network,
)
from rltransfer.mapping.mapping_store import load_about
from rltransfer.source_models import DynamicsModel
from rltransfer.translation.effect_matching import translator_of
from rltransfer.translation.numpy_networks import array_map


@final
@dataclass(frozen=True, eq=False)
class Translation:
    """Everything between two domains that acting needs, as networks.

    Args:
        state: target observation to white source state.
        colour: white source state to source observation.
        trunk: of the source's dynamics, whose gain tells what actions do.
        action: encoded target action to encoded source action; with `trunk` None
            where both domains take the same actions.
    """

    state: Network
    unwhiten: Affine
    trunk: Mlp | None
    action: Network | None

    def __post_init__(self) -> None:
        if (self.trunk is None) != (self.action is None):
            raise ValueError(
                "an action map needs the gain of a trunk, and only it does"
            )

    @classmethod
    def identity(cls, size: int) -> "Translation":
        """Returns the translation between equal spaces that changes nothing."""
        unchanged = Affine.of(torch.eye(size), torch.zeros(size))
        return cls(unchanged, unchanged, None, None)

    @classmethod
    def through(
        cls, mapping: DomainMapping, target: Whitening, model: DynamicsModel
    ) -> "Translation":
        """Returns `mapping`, which is between white coordinates, for observations.

        Args:
            mapping: one copy.
            target: how the target's observations were whitened.
            model: of the source's dynamics.
        """
        state, matrix, shift = (
            mapping.state,
            target.matrix,
            -target.mean @ target.matrix,
        )
        if isinstance(state, Affine):
            state = state.after(matrix, shift)
        else:
            state = Chain(Affine.of(matrix, shift), state)
        source = model.whitening
        unwhiten = Affine.of(source.inverse, source.mean)
        if mapping.action is None:
            return cls(state, unwhiten, None, None)
        return cls(state, unwhiten, model.trunk, mapping.action)


@final
class MappedPolicy:
    """Acts in the target through a translation; fits wherever an SB3 model does.

    Args:
        policy: of the source; asked for its deterministic action.
        translation: from the target to the source.
        source: how the source's actions are encoded.
        target: how the target's actions are encoded.
    """

    def __init__(
        self,
        policy: Policy,
        translation: Translation,
        source: ActionCodec,
        target: ActionCodec,
    ) -> None:
        self.policy, self.translation = policy, translation
        self._source, self._target = source, target
        self._observe = _observer(translation.state, translation.unwhiten)
        self._translate = None
        if translation.trunk is not None and translation.action is not None:
            self._gain = array_map(_gain_of(translation.trunk, source.size))
            self._translate = translator_of(translation.action, target)
            self._table = (-1, source.size)

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the target action for one observation, or one for each row.

        Args:
            observation: of the target; shape (observation,) or (row, observation).
            state: handed on to a recurrent source policy.
            episode_start: handed on likewise.
            deterministic: whether the source's policy may draw.
        """
        white, seen = self._observe(np.asarray(observation, np.float32))
        action, state = self.policy.predict(seen, state, episode_start, deterministic)
        wanted = self._source.encode(action)
        if self._translate is None:
            # Equal in number, but perhaps counted or bounded otherwise.
            return self._target.decode(wanted), state
        gain = self._gain(white)
        if gain.ndim == 1:
            gain = gain.reshape(self._table)
            metric = gain.T @ gain
        else:
            gain = gain.reshape(len(gain), *self._table)
            metric = np.swapaxes(gain, -1, -2) @ gain
        return self._target.decode(self._translate(wanted, metric)), state


def _observer(
    state: Network, unwhiten: Affine
) -> Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]:
    """Returns what makes the white source state and the source observation."""
    if isinstance(state, Affine) and state.activation == "identity":
        # Two affine maps of the same observation are one, with more outputs.
        seen = unwhiten.after(state.weight, state.bias)
        with torch.no_grad():
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


def _gain_of(trunk: Mlp, actions: int) -> Network:
    """Returns the part of a dynamics trunk that tells where actions lead.

    The trunk's outputs are a table with a row for each state variable and one for the
    reward, and a column for the drift and one for each action, then the ending.
    """
    *hidden, last = (layer for layer in trunk.layers if isinstance(layer, Affine))
    table = torch.arange(trunk.outputs - 1).reshape(-1, actions + 1)
    wanted = table[:-1, 1:].reshape(-1)
    with torch.no_grad():
        gain = Affine.of(last.weight[:, wanted], last.bias[wanted])
    return Chain(*hidden, gain)


_STATE, _COLOUR, _TRUNK, _ACTION = "state", "colour", "trunk", "action"


def save_translation(folder: Path, translation: Translation) -> None:
    """Writes the networks of `translation` into folders within `folder`."""
    networks: dict[str, Network] = {
        _STATE: translation.state,
        _COLOUR: translation.unwhiten,
    }
    if translation.trunk is not None and translation.action is not None:
        networks |= {_TRUNK: translation.trunk, _ACTION: translation.action}
    for name, network in networks.items():
        # A missing folder must not turn a translation into one that needs no actions.
        save_network(folder / name, network, about={"parts": sorted(networks)})


def load_translation(folder: Path) -> Translation:
    """Returns the translation that `save_translation` wrote.

    Raises:
        ArtifactRefused: it is damaged, or its parts do not belong together.
    """
    parts = load_about(folder / _STATE)["about"].get("parts")
    if parts not in ([_COLOUR, _STATE], [_ACTION, _COLOUR, _STATE, _TRUNK]):
        raise ArtifactRefused(
            f"a translation has a state map and either both or none of a trunk and an "
            f"action map, {folder} names {parts}: make the transfer again"
        )
    state: Network = load_network(folder / _STATE, Network)  # type: ignore[type-abstract]
    unwhiten = load_network(folder / _COLOUR, Affine)
    trunk = load_network(folder / _TRUNK, Mlp) if _TRUNK in parts else None
    action: Network | None = None
    if _ACTION in parts:
        action = load_network(folder / _ACTION, Network)  # type: ignore[type-abstract]
    if state.outputs != unwhiten.inputs or (trunk and trunk.inputs != state.outputs):
        raise ArtifactRefused(
            f"the parts of {folder} do not fit together: the state map makes "
            f"{state.outputs} numbers; make the transfer again"
        )
    return Translation(state, unwhiten, trunk, action)
