"""A source's networks as the beginnings of a student's, in the target's own spaces.

An affine state map before a source's first layer is one layer again, so what begins
with the source's layers is a plain network of target observations. There are two ways
to begin:

- `networks`, fine-tuning: the source's weights as they are, where the spaces agree.
- `features`: the source's hidden layers behind the state map, fresh units beside them
  that read them too, and an output that reads both: progressive networks (Rusu et al.,
  2016), whose first column goes on learning.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain import Domain
from rltransfer.errors import InputError
from rltransfer.translation import EnsemblePolicy, MappedPolicy
from rltransfer_agents.learning_on.learner_config import LearnerConfig
from rltransfer_agents.learning_on.network_stack import Activation, NetworkStack
from rltransfer_agents.learning_on.replay import Replay, Units
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.space_agreement import require_same_spaces
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import relu, tanh
from rltransfer_agents.policies.heads import (
    Deterministic,
    GreedyValues,
    SquashedGaussian,
    StateDependentNoise,
)
from rltransfer_agents.policies.observation_encoders import Vector

Takes: TypeAlias = Literal["networks", "features"]
Wide = NDArray[np.float64]
Layer = tuple[Wide, Wide]
"""Weight (inputs, units) and bias."""
_LOG_STD = -1.0
"""Of a SAC that begins as another policy: a narrow draw."""


@final
@dataclass(frozen=True, eq=False)
class SourceLayers:
    """A source's layers, the first of which sees what a learner sees."""

    hidden: list[Layer]
    output: Layer
    activation: Activation

    @classmethod
    def of(cls, source: FrozenPolicy, seen: Layer) -> "SourceLayers":
        """Returns them.

        Args:
            source: whose observations are vectors.
            seen: makes the source's observations of a learner's.
        """
        layers = [_wide(layer.weight, layer.bias) for layer in source.layers]
        assert isinstance(source.encoder, Vector)
        normal, (weight, bias) = source.encoder.normalisation, seen
        if normal is not None:
            # Its clipping is left out: no layer can express it, and it rarely bites.
            weight = weight / normal.deviation
            bias = (bias - normal.mean) / normal.deviation
        first, shift = layers[0]
        layers[0] = weight @ first, bias @ first + shift
        output = _wide(source.output.weight, source.output.bias)
        return cls(layers, output, _activation_of(source))

    def evened(self, rows: NDArray[np.float32]) -> "SourceLayers":
        """Returns layers that compute the same, with units of about equal size.

        Args:
            rows: that a learner has seen.
        """
        if self.activation != "relu":
            return self
        shown, before, layers = rows.astype(np.float64), np.ones(rows.shape[1]), []
        for weight, bias in self.hidden:
            weight = weight * before[:, None]
            units = np.maximum(shown @ weight + bias, 0)
            size = np.sqrt(np.square(units).mean(axis=0))
            before = np.where(size > 1e-6, size, 1.0)
            layers.append((weight / before, bias / before))
            shown = units / before
        weight, bias = self.output
        return SourceLayers(layers, (weight * before[:, None], bias), self.activation)

    def network(self, output: Layer, rng: np.random.Generator) -> NetworkStack:
        """Returns a network of these hidden layers with this output."""
        layers = [*self.hidden, output]
        sizes = [len(layers[0][0]), *(len(bias) for _, bias in layers)]
        network = NetworkStack(sizes, 1, rng, self.activation)
        for (weight, bias), (ours, shift) in zip(layers, network.layers, strict=True):
            ours[:], shift[:] = weight, bias
        return network

    def beside(
        self,
        outputs: int,
        copies: int,
        widths: tuple[int, ...],
        rng: np.random.Generator,
        actions: int = 0,
    ) -> NetworkStack:
        """Returns networks whose hidden units are these and fresh ones.

        Args:
            outputs: of each, which read both.
            copies: how many networks.
            widths: fresh units in each hidden layer; the last goes for all that follow.
            rng: draws the fresh weights.
            actions: numbers that they take behind the observations.
        """
        own = [len(bias) for _, bias in self.hidden]
        fresh = [widths[min(n, len(widths) - 1)] for n in range(len(own))]
        inputs = len(self.hidden[0][0])
        sizes = [inputs + actions, *np.add(own, fresh).tolist(), outputs]
        network = NetworkStack(sizes, copies, rng, self.activation)
        for (weight, bias), (ours, shift) in zip(
            self.hidden, network.layers[:-1], strict=True
        ):
            known, units = weight.shape
            ours[:, :, :units] = 0
            ours[:, :known, :units] = weight
            shift[:, :, :units] = bias
        return network


@final
class Beginning:
    """What a student begins with.

    Args:
        takes: of the source's networks.
        replay: what was seen; its mapped policy has the source's.
        units: in which the student sees the target.
        config: how it learns.
        rng: draws what is fresh.
    """

    def __init__(
        self,
        takes: Takes,
        replay: Replay,
        units: Units,
        config: LearnerConfig,
        rng: np.random.Generator,
    ) -> None:
        assert isinstance(replay.mapped, MappedPolicy | EnsemblePolicy)
        mapped = replay.mapped.lead
        source = mapped.policy
        assert isinstance(source, FrozenPolicy)
        alike = takes == "networks"
        seen = _same(units) if alike else _seen_as(mapped, units, replay)
        layers = SourceLayers.of(source, seen)
        if takes == "features":
            layers = layers.evened(replay.observations)
        self._takes, self._layers = takes, layers
        self._units = units
        self._widths, self._rng = config.widths, rng

    def values(self, choices: int) -> NetworkStack:
        """Returns a network that rates choices."""
        if self._takes == "features":
            return self._layers.beside(choices, 1, self._widths, self._rng)
        weight, bias = self._layers.output
        values = weight / self._units.reward, bias / self._units.reward
        return self._layers.network(values, self._rng)

    def actor_and_critics(
        self, size: int, kind: Literal["td3", "sac"]
    ) -> tuple[NetworkStack, NetworkStack]:
        """Returns an actor for actions of this size, and two critics."""
        layers, widths, rng = self._layers, self._widths, self._rng
        if self._takes == "features":
            outputs = size * (2 if kind == "sac" else 1)
            actor = layers.beside(outputs, 1, widths, rng)
            return actor, layers.beside(1, 2, widths, rng, actions=size)
        output = layers.output
        if kind == "sac":
            output = _drawn_narrowly(output)
        actor = layers.network(output, rng)
        sizes = len(layers.hidden[0][0]) + size, *widths, 1
        # Of one model, in which all hidden units are alike.
        return actor, NetworkStack(sizes, 2, rng, layers.activation)


def _seen_as(mapped: MappedPolicy, units: Units, replay: Replay) -> Layer:
    """Returns the affine map from what a learner sees to the source's observations.

    Exact where the state map is affine in one observation, else the nearest such map
    over the rows that were seen.
    """
    rows = replay.observations
    shown = rows * units.spread + units.shift
    known = np.column_stack([rows, np.ones(len(rows))]).astype(np.float64)
    wanted = mapped.source_observation(shown.astype(np.float32))
    solved = np.linalg.lstsq(known, wanted.astype(np.float64), rcond=None)
    found: NDArray[Any] = solved[0]
    return found[:-1], found[-1]


def _same(units: Units) -> Layer:
    """Returns the map where target observations are the source's."""
    return np.diag(units.spread.astype(np.float64)), units.shift.astype(np.float64)


def _drawn_narrowly(output: Layer) -> Layer:
    """Returns the output of a SAC: means, then logarithms of standard deviations."""
    weight, bias = output
    narrow = np.full(len(bias), _LOG_STD)
    return (
        np.concatenate([weight, np.zeros_like(weight)], axis=1),
        np.concatenate([bias, narrow]),
    )


def require_networks(
    takes: Takes,
    asked: str,
    source: LoadedPolicy,
    target: Domain,
    student: str,
) -> None:
    """Raises unless a student can begin with the networks of a source.

    Args:
        takes: what of them.
        asked: what the user asked for.
        source: the agent.
        target: where the student acts.
        student: its algorithm.

    Raises:
        InputError: it cannot.
    """
    policy, another = source.policy, "choose another --strategy"
    if not isinstance(policy, FrozenPolicy) or not _is_plain(policy):
        raise InputError(
            f"{asked} needs a source of vectors and hidden layers that are all ReLU or "
            f"all tanh, {source.title} is none; {another}"
        )
    if takes == "networks":
        require_same_spaces(
            source,
            target,
            path=source.path,
            env_name=target.name,
            remedy=lambda: f"{asked} copies its networks, {another}",
        )
    if takes == "networks" and not _acts_as(policy, student):
        raise InputError(
            f"{asked} needs a source whose outputs mean what {student}'s do, those of "
            f"{source.title} do not; {another}"
        )


def _is_plain(source: FrozenPolicy) -> bool:
    units = {layer.activation for layer in source.layers}
    one = len(units) == 1 and units <= {relu, tanh}
    return one and isinstance(source.encoder, Vector)


def _acts_as(source: FrozenPolicy, student: str) -> bool:
    """Tells whether what the output means is the same: values, or means to squash."""
    head = source.head
    if student == "dqn":
        return isinstance(head, GreedyValues)
    squashing = Deterministic, SquashedGaussian, StateDependentNoise
    return isinstance(head, squashing) and head.bounds.squashed


def _activation_of(source: FrozenPolicy) -> Activation:
    return "relu" if source.layers[0].activation is relu else "tanh"


def _wide(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> Layer:
    return weight.astype(np.float64), bias.astype(np.float64)
