"""A start for mappings from which few gradient steps fit a target of a family.

MAML (Finn, Abbeel & Levine, 2017) descends the loss after some gradient steps, through
those steps. FOMAML, in the same paper, leaves out how the steps depend on the start.
Reptile (Nichol, Achiam & Schulman, 2018) moves the start towards where the steps end.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, final

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad

from rltransfer.errors import InputError
from rltransfer.mapping import Objective

METHODS = ("maml", "fomaml", "reptile")
Parameters: TypeAlias = dict[str, Tensor]
N = TypeVar("N", bound=nn.Module)


@final
@dataclass(frozen=True, eq=False)
class MetaTask:
    """One target of a family: what a mapping is fitted to, and judged by.

    Args:
        objective: of the target; differentiable twice for MAML.
        fitted: rows that gradient steps are taken on.
        judged: other rows of the same target.
    """

    objective: Objective[Any, Any]
    fitted: Any
    judged: Any


@final
@dataclass(frozen=True)
class MetaConfig:
    """How a start is learned."""

    method: str = "maml"
    """One of `METHODS`."""
    steps: int = 5
    """Gradient steps within a task."""
    rate: float = 0.05
    """Of these steps."""
    updates: int = 200
    tasks: int = 4
    """Drawn for an update."""
    meta_rate: float = 0.01
    """Of Adam, which updates the start."""

    def __post_init__(self) -> None:
        for name, holds, rule in (
            ("method", self.method in METHODS, f"one of {', '.join(METHODS)}"),
            ("steps", self.steps >= 1, "at least 1"),
            ("rate", self.rate > 0, "above 0"),
            ("updates", self.updates >= 1, "at least 1"),
            ("tasks", self.tasks >= 1, "at least 1"),
            ("meta_rate", self.meta_rate > 0, "above 0"),
        ):
            if not holds:
                raise InputError(f"{name} must be {rule}, got {getattr(self, name)}")


@final
class _Loss(nn.Module):
    """An objective as a module, so that its network takes parameters as arguments."""

    def __init__(self, network: nn.Module, objective: Objective[Any, Any]) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, rows: Any) -> Tensor:
        return self.objective(self.network, rows)

    def of(self, parameters: Parameters, rows: Any) -> Float[Tensor, ""]:
        named = {f"network.{name}": value for name, value in parameters.items()}
        loss: Tensor = functional_call(self, named, (rows,))
        return loss


def _own(network: nn.Module) -> Parameters:
    return {name: x.detach() for name, x in network.named_parameters()}


def _stepped(
    loss: _Loss, start: Parameters, rows: Any, steps: int, rate: float
) -> Parameters:
    """Returns the parameters after plain gradient steps; differentiable."""
    for _ in range(steps):
        slope = grad(loss.of)(start, rows)
        start = {name: x - rate * slope[name] for name, x in start.items()}
    return start


def stepped(
    network: N, objective: Objective[Any, Any], rows: Any, steps: int, rate: float
) -> N:
    """Returns a copy of a plain network after `steps` gradient steps on `rows`."""
    found = deepcopy(network)
    end = _stepped(_Loss(found, objective), _own(found), rows, steps, rate)
    found.load_state_dict(end, strict=False)
    return found


def meta_gradient(network: nn.Module, task: MetaTask, config: MetaConfig) -> Parameters:
    """Returns by which gradient a start is updated for one task.

    With U the `steps` gradient steps on the fitted rows and L the loss of the judged
    ones, that is ∇L(U(θ)) for MAML, the gradient of L at U(θ) for FOMAML, and θ - U(θ)
    for Reptile, which judges nothing.

    Args:
        network: plain; its parameters are the start.
        task: of the family.
        config: method, steps and their rate.
    """
    start, loss = _own(network), _Loss(network, task.objective)

    def after(parameters: Parameters) -> Parameters:
        return _stepped(loss, parameters, task.fitted, config.steps, config.rate)

    match config.method:
        case "maml":
            slope = grad(lambda x: loss.of(after(x), task.judged))(start)
            return dict(slope)
        case "fomaml":
            slope = grad(loss.of)(after(start), task.judged)
            return dict(slope)
        case _:
            end = after(start)
            return {name: start[name] - end[name] for name in start}


def learn_start(
    network: nn.Module,
    tasks: Sequence[MetaTask],
    config: MetaConfig,
    generator: Generator,
) -> list[float]:
    """Learns a start for a family of targets, in place; returns the gradients' sizes.

    An update whose gradient is not finite is left out.

    Args:
        network: plain; what is learned is where its fits start from.
        tasks: of the family; at least two.
        config: method and effort.
        generator: draws the tasks of each update.

    Raises:
        InputError: there are too few tasks, or they cannot be fitted to.
    """
    if len(tasks) < 2:
        raise InputError(
            f"a start is learned from a family of 2 targets or more, got {len(tasks)}; "
            "vary more, or fit to the one"
        )
    for task in tasks:
        task.objective.check(task.fitted)
    adam = torch.optim.Adam(network.parameters(), lr=config.meta_rate)
    sizes = []
    for _ in range(config.updates):
        order = torch.randperm(len(tasks), generator=generator)[: config.tasks]
        found = [meta_gradient(network, tasks[place], config) for place in order]
        for name, parameter in network.named_parameters():
            parameter.grad = torch.stack([one[name] for one in found]).mean(dim=0)
        size = torch.stack(
            [x.grad.square().sum() for x in network.parameters() if x.grad is not None]
        ).sum()
        if bool(size.isfinite()):
            adam.step()
        sizes.append(float(size.sqrt()))
    network.zero_grad()
    return sizes
