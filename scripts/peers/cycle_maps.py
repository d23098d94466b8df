"""The maps of dynamics cycle-consistency, and how they are fitted.

Zhang, Xiao, Efros, Pinto, Wang: "Learning cross-domain correspondence for control with
dynamics cycle-consistency", ICLR 2021. x and a are a state and an action of the target,
y and b of the source. Three networks are sought: the state map y = S(x), and action
maps b = H(x, a) and back, a = G(y, b). A model F of the source's dynamics is learned
before and then kept. The losses, all of absolute differences (means over numbers):

    dynamics   |F(S(x), H(x, a)) - S(x')|          a step later it must be there
    actions    |G(S(x), H(x, a)) - a| + |H(x, G(S(x), b)) - b|      back again
    likeness   S(x) like states, H(x, a) like actions of the source, and G(S(x), b) like
               actions of the target, as three discriminators see it

States are in units of their deviation from their mean. Choices are one-hot, and maps
to choices end in a softmax, which the paper, all of motors, has no need of.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from rltransfer.domain import ActionCodec, Policy, Transitions
from rltransfer.mapping import Mlp


@final
@dataclass(frozen=True)
class CycleConfig:
    """Weights are those of the authors' experiments on bodies; effort is ours."""

    dynamics: float = 100.0
    actions: float = 30.0
    likeness: float = 10.0
    updates: int = 4_000
    model_updates: int = 2_000
    """Of the source's model."""
    batch_size: int = 128
    learning_rate: float = 5e-4
    widths: tuple[int, ...] = (64, 64)


@final
@dataclass(frozen=True, eq=False)
class Experience:
    """What the maps are fitted to; nothing in it is paired."""

    target: Transitions
    """At random."""
    source: Transitions
    """At random."""
    source_rows: Transitions
    """All of the source, for its model."""
    source_actions: ActionCodec
    target_actions: ActionCodec


@final
@dataclass(frozen=True, eq=False)
class Scale:
    """States of one domain in units of their deviation, from their mean."""

    mean: Float[Tensor, " state"]
    deviation: Float[Tensor, " state"]

    @classmethod
    def of(cls, rows: Transitions) -> "Scale":
        """Returns the scale of the observations in `rows`."""
        seen = rows.observation
        return cls(seen.mean(0), seen.std(0).clamp(min=1e-6))

    def to(self, states: Float[Tensor, "... state"]) -> Float[Tensor, "... state"]:
        """Returns observations in these units."""
        return (states - self.mean) / self.deviation

    def back(self, states: Float[Tensor, "... state"]) -> Float[Tensor, "... state"]:
        """Returns the observations that are so much in these units."""
        return states * self.deviation + self.mean


@final
class ActionMap(nn.Module):
    """A state and an action of either domain to an action of the other."""

    def __init__(
        self,
        inputs: int,
        widths: tuple[int, ...],
        to: ActionCodec,
        generator: Generator,
    ) -> None:
        super().__init__()
        self._choices = to.discrete
        self._network = Mlp(inputs, widths, to.size, generator=generator)

    def forward(
        self, state: Float[Tensor, "row state"], action: Float[Tensor, "row action"]
    ) -> Float[Tensor, "row mapped"]:
        """Returns shares of choices, or motors within their bounds."""
        mapped: Tensor = self._network(torch.cat([state, action], dim=1))
        return mapped.softmax(dim=1) if self._choices else mapped.tanh()


@final
class CycleMaps(nn.Module):
    """S, H and G."""

    def __init__(
        self, seen: Experience, widths: tuple[int, ...], generator: Generator
    ) -> None:
        super().__init__()
        x, y = (rows.observation.shape[1] for rows in (seen.target, seen.source))
        a, b = seen.target_actions, seen.source_actions
        self.state = Mlp(x, widths, y, generator=generator)
        self.there = ActionMap(x + a.size, widths, b, generator)
        self.back = ActionMap(y + b.size, widths, a, generator)


@final
@dataclass(frozen=True, eq=False)
class CyclePolicy:
    """The source's policy, acting in the target through maps."""

    source: Policy
    maps: CycleMaps
    target_scale: Scale
    source_scale: Scale
    source_actions: ActionCodec
    target_actions: ActionCodec

    @torch.no_grad()
    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Returns G(S(x), b), where the source's policy chooses b in S(x)."""
        del episode_start, deterministic
        seen = torch.as_tensor(np.asarray(observation, np.float32)).reshape(1, -1)
        mapped = self.maps.state(self.target_scale.to(seen))
        shown = self.source_scale.back(mapped)[0].numpy()
        chosen, _ = self.source.predict(shown, None, None, True)
        action = torch.as_tensor(self.source_actions.encode(chosen)).reshape(1, -1)
        acted = self.maps.back(mapped, action)[0].numpy()
        return self.target_actions.decode(acted), state


def losses(
    maps: CycleMaps,
    model: nn.Module,
    x: Float[Tensor, "row target"],
    a: Float[Tensor, "row motor"],
    x_next: Float[Tensor, "row target"],
    b: Float[Tensor, "row source_motor"],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the losses that need no discriminator, and what discriminators judge.

    Args:
        maps: to be fitted.
        model: F, of a state and an action beside one another, in the source's units.
        x: states of the target, in its units.
        a: actions taken there.
        x_next: the states after.
        b: actions of the source, of other steps.
    """
    y, mapped = maps.state(x), maps.there(x, a)
    returned = maps.back(y, b)
    expected = model(torch.cat([y, mapped], dim=1))
    terms = {
        "dynamics": (expected - maps.state(x_next)).abs().mean(),
        "actions": (maps.back(y, mapped) - a).abs().mean()
        + (maps.there(x, returned) - b).abs().mean(),
    }
    return terms, {"states": y, "there": mapped, "back": returned}


@final
class _Discriminators:
    """Tell what is real from what maps made, one for each kind of thing."""

    def __init__(
        self, sizes: dict[str, int], config: CycleConfig, generator: Generator
    ) -> None:
        self._of = nn.ModuleDict(
            {
                name: Mlp(size, config.widths, 1, generator=generator)
                for name, size in sizes.items()
            }
        )
        self._optimizer = torch.optim.Adam(
            self._of.parameters(), config.learning_rate, fused=True
        )

    def fit(self, real: dict[str, Tensor], made: dict[str, Tensor]) -> None:
        """Takes one step towards 1 for what is real and 0 for what was made."""
        loss = torch.stack(
            [
                (net(real[name]) - 1).square().mean()
                + net(made[name].detach()).square().mean()
                for name, net in self._of.items()
            ]
        ).sum()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()

    def unlikeness(self, made: dict[str, Tensor]) -> Tensor:
        """Returns how far the judgement is from real (Mao et al., ICCV 2017)."""
        return torch.stack(
            [(net(made[name]) - 1).square().mean() for name, net in self._of.items()]
        ).sum()


def fit_cycles(
    seen: Experience,
    policy: Policy,
    config: CycleConfig,
    every: int,
    generator: Generator,
) -> Iterator[CyclePolicy]:
    """Fits maps, and yields what acts by them after each `every` updates and the last.

    What is yielded stays as it is.
    """
    target_scale, source_scale = Scale.of(seen.target), Scale.of(seen.source)
    model = source_dynamics(seen.source_rows, source_scale, config, generator)
    maps = CycleMaps(seen, config.widths, generator)
    real_of = {
        "states": source_scale.to(seen.source.observation),
        "there": seen.source.action,
        "back": seen.target.action,
    }
    sizes = {name: rows.shape[1] for name, rows in real_of.items()}
    judges = _Discriminators(sizes, config, generator)
    optimizer = torch.optim.Adam(maps.parameters(), config.learning_rate, fused=True)
    x = target_scale.to(seen.target.observation)
    x_next = target_scale.to(seen.target.next_observation)

    def some(rows: Tensor) -> Tensor:
        places = torch.randint(len(rows), (config.batch_size,), generator=generator)
        return rows[places]

    for update in range(1, config.updates + 1):
        places = some(torch.arange(len(x)))
        b = some(seen.source.action)
        terms, made = losses(
            maps, model, x[places], seen.target.action[places], x_next[places], b
        )
        loss = (
            config.dynamics * terms["dynamics"]
            + config.actions * terms["actions"]
            + config.likeness * judges.unlikeness(made)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        judges.fit({name: some(rows) for name, rows in real_of.items()}, made)
        if update % every == 0 or update == config.updates:
            yield CyclePolicy(
                policy,
                deepcopy(maps),
                target_scale,
                source_scale,
                seen.source_actions,
                seen.target_actions,
            )


def source_dynamics(
    rows: Transitions, scale: Scale, config: CycleConfig, generator: Generator
) -> nn.Module:
    """Returns F, fitted to steps of the source and then fixed."""
    y, y_next = scale.to(rows.observation), scale.to(rows.next_observation)
    inputs = torch.cat([y, rows.action], dim=1)
    model = _Ahead(inputs.shape[1], y.shape[1], config.widths, generator)
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate, fused=True)
    for _ in range(config.model_updates):
        places = torch.randint(len(y), (config.batch_size,), generator=generator)
        loss = (model(inputs[places]) - y_next[places]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)


@final
class _Ahead(nn.Module):
    """The state and what is added to it in one step."""

    def __init__(
        self, inputs: int, states: int, widths: tuple[int, ...], generator: Generator
    ) -> None:
        super().__init__()
        self._states = states
        self._change = Mlp(inputs, widths, states, generator=generator)

    def forward(self, both: Float[Tensor, "row both"]) -> Float[Tensor, "row state"]:
        """Returns the next state, of a state and an action beside one another."""
        change: Tensor = self._change(both)
        return both[:, : self._states] + change
