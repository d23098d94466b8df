"""A small network that learns to act as a policy does: policy distillation.

Rusu et al. (ICLR 2016); states that the student itself comes to are labelled by the
policy and added, as in DAgger (Ross, Gordon & Bagnell, AISTATS 2011).
"""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float32
from numpy.typing import NDArray

from rltransfer.domain import Policy, codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    CrossEntropy,
    Examples,
    FitConfig,
    Mlp,
    Objective,
    Regression,
    fit,
)
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import Dense, identity, tanh
from rltransfer_agents.policies.heads import ActionBounds, Categorical, Deterministic
from rltransfer_agents.policies.observation_encoders import Normalisation, Vector

_STILL = 1e-6
_CLIP = 10.0
"""Deviations from the mean beyond which an observation is cut off."""
FIT = FitConfig(updates=3_000, learning_rate=4e-3)
_FURTHER = 0.5
"""Share of the rate in rounds after the first, which go on from its network."""


@final
@dataclass(frozen=True)
class StudentShape:
    """What a student sees and does, and its width."""

    observation_space: spaces.Box
    action_space: spaces.Box | spaces.Discrete
    width: int
    """Of each of its two hidden layers."""

    @property
    def discrete(self) -> bool:
        """Whether it chooses among finitely many actions."""
        return isinstance(self.action_space, spaces.Discrete)


@final
class Distillation:
    """Learns from more and more rows what a policy does in them.

    Args:
        teacher: without a memory.
        shape: of the student.
        generator: of first weights and batches.
        config: of the first fit.
    """

    def __init__(
        self,
        teacher: Policy,
        shape: StudentShape,
        generator: torch.Generator,
        config: FitConfig = FIT,
    ) -> None:
        self._first = config
        rate = _FURTHER * config.learning_rate
        self._further = replace(config, learning_rate=rate)
        self._teacher, self._shape, self._generator = teacher, shape, generator
        self._codec = codec_of(shape.action_space, "the target")
        size = shape.observation_space.shape[0]
        self._rows = np.zeros((0, size), np.float32)
        self._normalisation: Normalisation | None = None
        self._network = Mlp(
            size,
            (shape.width, shape.width),
            self._codec.size,
            output_activation="identity" if shape.discrete else "tanh",
            generator=generator,
        )

    @property
    def rows(self) -> int:
        """From which it learns."""
        return len(self._rows)

    def learn(self, rows: Float32[NDArray[np.float32], "row observation"]) -> None:
        """Adds rows, and fits the student to what the teacher does in all of them.

        The first rows also decide how observations are normalised.

        Raises:
            InputError: the fit diverged.
        """
        self._rows = np.concatenate([self._rows, rows])
        if self._normalisation is None:
            deviation = rows.astype(np.float64).std(axis=0)
            mean = rows.astype(np.float64).mean(axis=0)
            still = np.where(deviation > _STILL, deviation, 1.0)
            self._normalisation = Normalisation(mean, still, _CLIP)
        inputs = torch.from_numpy(self._normalisation(self._rows)).float()
        taken, _ = self._teacher.predict(self._rows, deterministic=True)
        labels = torch.from_numpy(self._codec.encode(taken))
        objective: Objective[Any, Examples] = Regression()
        if self._shape.discrete:
            objective, labels = CrossEntropy(), labels.argmax(dim=1)
        else:
            labels = labels.clamp(-1, 1)
        examples = Examples(inputs, labels)
        config = self._first if len(self._rows) == len(rows) else self._further
        report = fit(
            self._network, objective, examples, config, generator=self._generator
        )
        if not bool(report.losses.isfinite().all()):
            raise InputError(
                "a student needs observations of ordinary size, its fit diverged; "
                "rescale those of the target"
            )

    @property
    def student(self) -> FrozenPolicy:
        """The network as a policy, as it now is."""
        shape = self._shape
        layers = [
            Dense(
                np.ascontiguousarray(layer.weight.detach().numpy()),
                layer.bias.detach().numpy().copy(),
                tanh if layer.activation == "tanh" else identity,
            )
            for layer in self._network.layers
            if isinstance(layer, Affine)
        ]
        output = Dense(layers[-1].weight, layers[-1].bias)
        head: Categorical | Deterministic = Categorical()
        if isinstance(shape.action_space, spaces.Box):
            # It squashes by itself.
            head = Deterministic(ActionBounds.of(shape.action_space, squashed=True))
        return FrozenPolicy(
            shape.observation_space,
            shape.action_space,
            Vector(shape.observation_space.shape, self._normalisation),
            tuple(layers[:-1]),
            output,
            head,
        )
