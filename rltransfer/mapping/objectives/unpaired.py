"""Objectives for unpaired domains: how mapped states move, and where they lie."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer.mapping.networks import DomainMapping
from rltransfer.mapping.objectives.objective import Objective
from rltransfer.mapping.rows import Transitions


class Prediction(NamedTuple):
    """What a model says that one step brings; any leading dimensions."""

    delta: Float[Tensor, "*rows state"]
    """Change of the state, in units of the model's scale."""
    reward: Float[Tensor, "*rows"]
    """In standard units."""
    termination: Float[Tensor, "*rows"]
    """Logit of the probability that the step terminates its episode."""


@runtime_checkable
class StepModel(Protocol):
    """Predicts one step of the source; `rltransfer.source_models` has such models."""

    @property
    def scale(self) -> Tensor:
        """Size of an ordinary change of each state variable in one step."""
        ...

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        """Returns what encoded actions bring in these states."""
        ...


def relative_error(
    predicted: Float[Tensor, "*batch state"],
    delta: Float[Tensor, "*batch state"],
    floor: float,
) -> Float[Tensor, "*batch"]:
    """Returns the squared error of a predicted change, relative to the change's size.

    An absolute error would be smallest for a map that shrinks everything to a point.

    Args:
        predicted: what the model says that the change is, in units of its scale.
        delta: what the change was, in the same units.
        floor: mean squared change below which a row counts as resting.
    """
    error = (predicted - delta).square().mean(dim=-1)
    return error / (delta.square().mean(dim=-1) + floor)


def relative_residuals(
    predicted: Float[Tensor, "*batch state"],
    delta: Float[Tensor, "*batch state"],
    floor: float,
) -> Float[Tensor, "*batch state"]:
    """Returns what `relative_error` is the sum of squares of, row by row."""
    size = (delta.square().mean(dim=-1, keepdim=True) + floor) * delta.shape[-1]
    return (predicted - delta) / size.sqrt()


@final
@dataclass(frozen=True, eq=False)
class DynamicsAgreement(Objective[DomainMapping, Transitions]):
    """Penalises mapped steps that differ from what the source model predicts.

    The idea of matching transitions through learned maps is that of dynamics cycle
    consistency (Zhang et al., 2021); the relative error and the cues are ours.

    Args:
        model: of the source.
        termination_weight: of the cross-entropy of termination; 0 leaves it out.
        reward_weight: of the squared error of the reward, which the rows have in the
            model's standard units; 0 leaves it out.
        floor: see `relative_error`.
    """

    model: StepModel
    termination_weight: float = 1.0
    reward_weight: float = 0.0
    floor: float = 0.05

    def __post_init__(self) -> None:
        if min(self.termination_weight, self.reward_weight) < 0:
            raise ValueError("the weights of the cues must be at least 0")
        if not self.floor > 0:
            raise ValueError("floor must be above 0")

    def step_errors(
        self, network: DomainMapping, rows: Transitions
    ) -> Float[Tensor, "*copies step"]:
        """Returns the relative error of each mapped step; 0: as the model predicts."""
        return self._compared(network, rows)[1]

    def _compared(
        self, network: DomainMapping, rows: Transitions
    ) -> tuple[Prediction, Tensor]:
        state = network.state(rows.observation)
        following = network.state(rows.next_observation)
        action = rows.action if network.action is None else network.action(rows.action)
        action = action.expand(*state.shape[:-1], action.shape[-1])
        predicted = self.model.predict(state, action)
        delta = (following - state) / self.model.scale
        return predicted, relative_error(predicted.delta, delta, self.floor)

    @override
    def terms(
        self, network: DomainMapping, rows: Transitions
    ) -> dict[str, Float[Tensor, "*copies"]]:
        predicted, error = self._compared(network, rows)
        terms = {"dynamics": error.mean(dim=-1)}
        if self.termination_weight:
            logit = predicted.termination
            losses = F.binary_cross_entropy_with_logits(
                logit,
                rows.terminated.to(logit.dtype).expand_as(logit),
                reduction="none",
            )
            terms["termination"] = self.termination_weight * losses.mean(dim=-1)
        if self.reward_weight:
            missed = (predicted.reward - rows.reward).square().mean(dim=-1)
            terms["reward"] = self.reward_weight * missed
        return terms

    @override
    def check(self, rows: Transitions) -> None:
        if bool(rows.terminated.all()):
            raise InputError(
                f"DynamicsAgreement needs steps that go on, but all {len(rows)} rows "
                "terminate; one-step data have no dynamics: use CrossEntropy or "
                "Regression"
            )


def moments(
    states: Float[Tensor, "*copies step state"],
) -> tuple[Float[Tensor, "*copies state"], Float[Tensor, "*copies state state"]]:
    """Returns the mean and the covariance (divided by the number of rows)."""
    mean = states.mean(dim=-2)
    centred = states - mean.unsqueeze(-2)
    return mean, centred.transpose(-1, -2) @ centred / states.shape[-2]


@final
@dataclass(frozen=True, eq=False)
class MomentMatching(Objective[DomainMapping, Transitions]):
    """Penalises mapped states whose mean and covariance differ from the source's.

    It guards against maps that shrink everything to a point. The covariance term is
    that of Deep CORAL (Sun & Saenko, 2016). Both are relative: to the source's mean
    variance and to its mean squared covariance, so units do not matter.

    Args:
        mean: of the source's states.
        covariance: of the source's states.
    """

    mean: Float[Tensor, " state"]
    covariance: Float[Tensor, "state state"]

    def __post_init__(self) -> None:
        if not self.covariance.diagonal().mean() > 0:
            raise ValueError("moments need source states that differ; all are equal")

    @classmethod
    def of(cls, states: Float[Tensor, "step state"]) -> "MomentMatching":
        """Returns the objective for the moments of these source states."""
        return cls(*moments(states))

    @override
    def terms(
        self, network: DomainMapping, rows: Transitions
    ) -> dict[str, Float[Tensor, "*copies"]]:
        mean, covariance = moments(network.state(rows.observation))
        # CORAL has no such term; without it a bias in the mapping is free to drift.
        mean_gap = (mean - self.mean).square().mean(dim=-1)
        covariance_gap = (covariance - self.covariance).square().mean(dim=(-2, -1))
        return {
            "mean": mean_gap / self.covariance.diagonal().mean(),
            "covariance": covariance_gap / self.covariance.square().mean(),
        }
