"""A source, its experience and the model of it, before the target is looked at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.alignment.align_config import AlignConfig
from rltransfer.alignment.board_squares import shows_board
from rltransfer.domain import (
    Domain,
    MixturePolicy,
    Policy,
    SeekingPolicy,
    StickyRandomPolicy,
    Transitions,
)
from rltransfer.errors import InputError
from rltransfer.source_models import TABULAR, SourceModel, fit_source_model


@final
@dataclass(frozen=True, eq=False)
class Source:
    """An agent and the environment it was trained in."""

    domain: Domain
    policy: Policy
    name: str
    learn: "Callable[[Source, AlignConfig], SourceModelData] | None" = None
    """How its model is had; by default it is learned, see `learn_source_model`."""
    logged: Transitions | None = None
    """What others did in its environment, whoever they were."""

    def model_data(self, config: AlignConfig) -> "SourceModelData":
        """Returns what is learned of it with these settings."""
        return (self.learn or learn_source_model)(self, config)


@final
@dataclass(frozen=True, eq=False)
class SourceModelData:
    """A source, its experience and the model of it."""

    source: Source
    model: SourceModel
    at_random: Transitions
    """Seen while acting at random; in the model's coordinates."""
    rows: Transitions
    """All that was seen, logged rows last; in the model's coordinates."""
    home_returns: NDArray[np.float64]
    """Of the source's policy, one for each episode that it finished."""

    @property
    def by_policy(self) -> Transitions:
        """Seen while the source's policy acted; in the model's coordinates."""
        third = len(self.at_random)
        return self.rows[2 * third : 3 * third]

    @property
    def starts(self) -> Float[Tensor, "episode state"]:
        """First states of all episodes; in the model's coordinates."""
        episode = self.rows.episode
        first = torch.ones(len(episode), dtype=torch.bool)
        first[1:] = episode[1:] != episode[:-1]
        return self.rows.observation[first]

    @property
    def terminates(self) -> bool:
        """Whether an episode was seen to end for good."""
        return bool(self.rows.terminated.any())


def learn_source_model(
    source: Source, config: AlignConfig, *, logged: bool = True
) -> SourceModelData:
    """Acts in the source and learns a model of it. Source steps are free.

    Logged rows are learned from as well. They come beside the source's own steps, not
    instead of them: mappings are compared with what the source does at random and by
    its policy, and nobody knows who acted in a log. What logs add is where neither of
    them goes, such as where a target's log was recorded. With `source_steps` at its
    least, nearly all that is learned is theirs.

    A third of the steps is random, a third is the policy's own, and a third mixes both:
    a model of random steps alone would not know where the policy goes.

    Args:
        source: an agent and its environment.
        config: effort; its seed has no part in this.
        logged: as for `Domain.collect`.

    Raises:
        InputError: nothing ever changes in the source.
    """
    streams = config.source_streams
    rng = streams.generator("source actions")
    explorer, random = exploring(source.domain, config, rng), None
    if source.domain.finite:
        # What seeks must be told of every step; in a mixture others act as well.
        random = holding(source.domain, config, rng)
    other = random or explorer
    behaviours: dict[str, Policy] = {
        "source at random": explorer,
        "source mixed": MixturePolicy(source.policy, other, config.mixed_share, rng),
        "source policy": source.policy,
    }
    parts = [
        source.domain.collect(
            behaviour,
            purpose="source",
            seed=streams.integer(use),
            steps=config.source_steps // len(behaviours),
            logged=logged,
        )
        for use, behaviour in behaviours.items()
    ]
    logged_rows = () if source.logged is None else (source.logged,)
    rows = Transitions.join(*(part.transitions for part in parts), *logged_rows)
    if not bool((rows.observation != rows.observation[0]).any()):
        raise InputError(
            "a source must show what happens in it, but every observation of "
            f"{source.domain.name} was {rows.observation[0].tolist()}: use another one"
        )
    generator = torch.Generator().manual_seed(streams.integer("source model"))
    kind = TABULAR if source.domain.finite else config.learning.kind
    learning = replace(config.learning, kind=kind)
    model = fit_source_model(rows, learning, generator)
    rows = model.standardised(rows)
    at_random = rows[: len(parts[0].transitions)]
    return SourceModelData(source, model, at_random, rows, parts[-1].returns)


def exploring(
    domain: Domain, config: AlignConfig, rng: np.random.Generator
) -> StickyRandomPolicy | SeekingPolicy:
    """Returns the policy that explores `domain`: at random, where it is not finite."""
    if domain.finite:
        return SeekingPolicy(domain.observations, domain.actions, rng)
    return holding(domain, config, rng)


def holding(
    domain: Domain, config: AlignConfig, rng: np.random.Generator
) -> StickyRandomPolicy:
    """Returns the policy that acts at random and holds each action for a while.

    Where holding makes no sense, it holds none.
    """
    longest = config.longest_hold if holding_helps(domain) else 1
    return StickyRandomPolicy(
        domain.actions, rng, exponent=config.hold_exponent, longest=longest
    )


def holding_helps(domain: Domain) -> bool:
    """Returns whether an action that is held may go further than single ones.

    On a board it does not: what is marked cannot be marked again.
    """
    return not shows_board(domain)
