"""A model of one step that is affine in the action, and fitting it to experience."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.domain import Transitions, Whitening
from rltransfer.errors import InputError
from rltransfer.mapping import (
    Affine,
    Chain,
    FitConfig,
    Mlp,
    Network,
    Objective,
    Prediction,
    fit,
)


@final
@dataclass(frozen=True)
class LearnConfig:
    """How large a source model is and how long it learns."""

    kind: str = "control-affine"
    """Of the table `rltransfer.source_models.SOURCE_MODELS`."""
    width: int = 64
    """Of the two hidden layers."""
    updates: int = 1500
    batch_size: int = 256
    learning_rate: float = 1.5e-2
    """High, as in all 40 % of the work of 2,500 batches of 512 at 4e-3 then comes to
    held-out errors as small, in HalfCheetah and Hopper to smaller ones.
    """
    ordinary_quantile: float = 0.8
    """Of the changes of a dimension: the size of an ordinary one.

    Contacts make rare, huge changes, which the standard deviation would be all about.
    """
    least_scale: float = 0.05
    """Share of the standard deviation that the size of an ordinary change has at least.

    In a dimension that mostly rests the huge changes would be everything.
    """
    huber: float = 0.5
    """Error of a change, in units of scale, above which it counts only linearly.

    One collision must not outweigh a flight.
    """

    def __post_init__(self) -> None:
        if min(self.width, self.updates, self.batch_size) < 1:
            raise InputError(f"sizes and updates must be at least 1, got {self}")


@final
@dataclass(frozen=True)
class DynamicsTable:
    """How the outputs of the network are read; the only place that knows.

    They are a table, row after row, and then the logit of termination. The table has a
    row for each state variable and one for the reward; its first column is the drift,
    the others are the gain of each entry of the action.
    """

    observation_size: int
    action_size: int

    @property
    def entries(self) -> int:
        """How many outputs the network has."""
        return (self.observation_size + 1) * (self.action_size + 1) + 1

    @property
    def gain_places(self) -> Int[Tensor, " entry"]:
        """Places of the state's gain among the outputs, row after row."""
        table = torch.arange(self.entries - 1).reshape(-1, self.action_size + 1)
        return table[:-1, 1:].reshape(-1)

    def read(
        self,
        outputs: Float[Tensor, "*rows entry"],
        action: Float[Tensor, "*rows action"],
    ) -> Prediction:
        """Returns drift(z) + gain(z) a, as `outputs` have it for each row."""
        shape = (*outputs.shape[:-1], self.observation_size + 1, self.action_size + 1)
        table = outputs[..., :-1].reshape(shape)
        step = table[..., 0] + (table[..., 1:] * action.unsqueeze(-2)).sum(dim=-1)
        return Prediction(step[..., :-1], step[..., -1], outputs[..., -1])


@final
class ControlAffineModel(nn.Module):
    """One step of a domain, affine in the action, in white coordinates.

    The change is drift(z) + gain(z) a, in units of `scale`: exact for discrete actions,
    which are one-hot, and for bodies driven by forces and torques.

    Args:
        whitening: of the observations.
        scale: size of an ordinary change of each white dimension in one step.
        reward_mean: of the rewards; with `reward_deviation` it makes them standard.
        reward_deviation: of the same rewards.
        action_size: length of an encoded action.
        width: of the two hidden layers.
        generator: of the first weights.
    """

    scale: Tensor

    def __init__(
        self,
        whitening: Whitening,
        scale: Float[Tensor, " observation"],
        reward_mean: float,
        reward_deviation: float,
        action_size: int,
        width: int,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.whitening = whitening
        self.register_buffer("scale", scale)
        self.reward_mean, self.reward_deviation = reward_mean, reward_deviation
        self.table = DynamicsTable(len(scale), action_size)
        self.network = Mlp(
            len(scale), (width, width), self.table.entries, generator=generator
        )

    @classmethod
    def untrained(
        cls, rows: Transitions, config: LearnConfig, generator: Generator
    ) -> "ControlAffineModel":
        """Returns a model in the coordinates of `rows` that has learned nothing yet."""
        whitening = Whitening.of(rows.observation)
        delta = whitening.whiten(rows.next_observation) - whitening.whiten(
            rows.observation
        )
        ordinary = delta.abs().quantile(config.ordinary_quantile, dim=0)
        least = config.least_scale * delta.std(dim=0)
        return cls(
            whitening,
            torch.maximum(ordinary, least).clamp_min(1e-6),
            float(rows.reward.mean()),
            float(rows.reward.std()) + 1e-3,
            rows.action.shape[1],
            config.width,
            generator,
        )

    @classmethod
    def restored(
        cls,
        numbers: Mapping[str, Tensor],
        observation_size: int,
        action_size: int,
        config: LearnConfig,
    ) -> "ControlAffineModel":
        """Returns the frozen model that has these numbers; see `numbers`.

        Raises:
            LookupError, RuntimeError, ValueError: they are not of such a model.
        """
        turn, zeros = torch.eye(observation_size), torch.zeros(observation_size)
        whitening, sizes = Whitening(zeros, turn, turn), (action_size, config.width)
        model = cls(whitening, zeros, 0.0, 1.0, *sizes, Generator())
        wanted = model.numbers
        for name in {*wanted, *numbers}:
            own, given = ((x[name].shape, x[name].dtype) for x in (wanted, numbers))
            if own != given:
                raise ValueError(f"{name} must be {own}, got {given}")
            if not numbers[name].isfinite().all():
                raise ValueError(f"{name} has numbers that are not finite")
        names = [f"whitening.{field.name}" for field in fields(Whitening)]
        model.whitening = Whitening(*(numbers[name] for name in names))
        model.reward_mean, model.reward_deviation = numbers["reward"].tolist()
        model.load_state_dict({name: numbers[name] for name in model.state_dict()})
        return model.requires_grad_(False)

    @property
    def numbers(self) -> dict[str, Tensor]:
        """All that it consists of, by name; see `SourceModel`."""
        names = [field.name for field in fields(self.whitening)]
        parts = {f"whitening.{name}": getattr(self.whitening, name) for name in names}
        reward = [self.reward_mean, self.reward_deviation]
        parts["reward"] = torch.tensor(reward, dtype=torch.float64)
        return parts | self.state_dict()

    def predict(
        self,
        state: Float[Tensor, "*rows observation"],
        action: Float[Tensor, "*rows action"],
    ) -> Prediction:
        """Returns what encoded actions bring in white states."""
        return self.table.read(self.network(state), action)

    @property
    def gain(self) -> Network:
        """What actions do, as a network of the white state; see `SourceModel`."""
        *hidden, last = (x for x in self.network.layers if isinstance(x, Affine))
        places = self.table.gain_places
        with torch.no_grad():
            gain = Affine.of(last.weight[:, places], last.bias[places])
        return Chain(*hidden, gain)

    def standardised(self, rows: Transitions) -> Transitions:
        """Returns `rows` in the model's coordinates: white states, standard rewards."""
        return replace(
            rows,
            observation=self.whitening.whiten(rows.observation),
            reward=(rows.reward - self.reward_mean) / self.reward_deviation,
            next_observation=self.whitening.whiten(rows.next_observation),
        )


@final
@dataclass(frozen=True)
class PredictSteps(Objective[ControlAffineModel, Transitions]):
    """Wants one step predicted: change, reward and termination.

    The errors of change and reward are Huber's.
    """

    huber: float

    @override
    def terms(
        self, network: ControlAffineModel, rows: Transitions
    ) -> dict[str, Float[Tensor, ""]]:
        predicted = network.predict(rows.observation, rows.action)
        delta = (rows.next_observation - rows.observation) / network.scale
        terminated = rows.terminated.to(delta.dtype)
        return {
            "delta": F.smooth_l1_loss(predicted.delta, delta, beta=self.huber),
            "reward": F.smooth_l1_loss(predicted.reward, rows.reward),
            "termination": F.binary_cross_entropy_with_logits(
                predicted.termination, terminated
            ),
        }


def fit_control_affine(
    rows: Transitions, config: LearnConfig, generator: Generator
) -> ControlAffineModel:
    """Returns a frozen model of the domain that `rows` come from.

    Args:
        rows: of acting at random, of the policy itself, and of mixtures: where the
            policy goes is where a mapping must be right.
        config: size and effort.
        generator: of weights and batches.
    """
    model = ControlAffineModel.untrained(rows, config, generator)
    fit(
        model,
        PredictSteps(config.huber),
        model.standardised(rows),
        FitConfig(
            updates=config.updates,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
        ),
        generator=generator,
    )
    return model.requires_grad_(False)
