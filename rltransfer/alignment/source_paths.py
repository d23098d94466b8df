"""Where the source may have gone while the target took its actions.

Behind a camera nothing is known of the target's state but what was done, when episodes
ended, and what was paid. Many starts are drawn from the source's, all take the target's
actions in the source's model, and those count most that ended and were paid alike. What
is left is a mean trajectory, and the directions in which trajectories differ because
they began elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.nn import functional as F

from rltransfer.errors import InputError
from rltransfer.mapping import Trajectories, Transitions
from rltransfer.source_models import SourceModel


@final
@dataclass(frozen=True)
class CameraConfig:
    """How a state is told from pictures: every constant, and why."""

    stretch: int = 24
    """Steps that are followed at a time: about a random episode of CartPole, and models
    err more over longer ones."""
    paths: int = 256
    """Of the source, for each stretch of the target."""
    counting: int = 32
    """Paths that count at least: of fewer the directions could not be told."""
    directions: int = 24
    """Along which paths may differ at most."""
    noise: float = 0.1
    """How exact paths are, in deviations of the source at random: models err, and
    frames do not show what the last action did."""
    ends: bool = True
    """Whether paths are chosen by when episodes ended, where both domains have ends."""
    rewards: bool = True
    """Whether paths are chosen by what was paid, where the source pays like that."""
    reward_noise: float = 0.1
    """Difference of standard rewards that is taken for none."""
    paid_alike: float = 0.9
    """Share of what was paid that the best paths must explain for that."""
    batch: int = 8
    """Stretches in a batch."""
    first_updates: int = 200
    """By which wirings are compared."""
    updates: int = 1200
    """Of the likeliest."""
    learning_rate: float = 3e-3
    most_wirings: int = 48
    """All of them are compared, and each takes seconds: with more it is refused."""
    enough: float = 0.5
    """Share of what actions do that may be left unexplained to settle it: frames do not
    show what the last action did, which is a third of it in CartPole."""

    def __post_init__(self) -> None:
        names = "stretch", "paths", "counting", "directions", "batch", "first_updates"
        for name in (*names, "updates", "most_wirings"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"camera.{name} must be at least 1, got {getattr(self, name)}"
                )
        if not (self.noise > 0 and self.reward_noise > 0 and self.learning_rate > 0):
            raise InputError(
                "camera.noise, reward_noise and learning_rate must be above 0, got "
                f"{self.noise}, {self.reward_noise} and {self.learning_rate}"
            )
        if not (0 <= self.enough <= 1 and 0 <= self.paid_alike <= 1):
            raise InputError(
                "camera.enough and camera.paid_alike are shares from 0 to 1, got "
                f"{self.enough} and {self.paid_alike}"
            )


@final
@dataclass(frozen=True, eq=False)
class Stretches:
    """Parts of episodes, side by side; shorter ones are filled up with zeros."""

    rows: Transitions
    """Of which they are parts."""
    places: Float64[np.ndarray, "stretch step"]
    """Of each step among the rows; NaN where a stretch is filled up."""
    at_reset: Bool[Tensor, " stretch"]
    """Which begin where their episode does."""
    at_random: Bool[Tensor, " stretch"]
    """Which belong to acting at random."""

    @classmethod
    def of(cls, rows: Transitions, explored: int, most: int) -> "Stretches":
        """Cuts episodes into stretches of at most `most` steps.

        The last stretch of a longer episode is as long as the others and overlaps the
        one before it: how episodes end tells most.

        Args:
            rows: episodes, one after another.
            explored: how many of the rows, the first ones, were acted at random.
            most: steps of one.
        """
        counts = rows.episode.unique_consecutive(return_counts=True)[1].tolist()
        places, at_reset, begin = [], [], 0
        for count in counts:
            length = min(count, most)
            firsts = {*range(0, count - length + 1, most), count - length}
            for first in sorted(firsts):
                row = np.full(most, np.nan)
                row[:length] = begin + first + np.arange(length)
                places.append(row)
                at_reset.append(first == 0)
            begin += count
        stacked = np.array(places)
        return cls(
            rows,
            stacked,
            torch.tensor(at_reset),
            torch.from_numpy(stacked[:, 0] < explored),
        )

    def __len__(self) -> int:
        return len(self.places)

    @property
    def taken(self) -> Bool[Tensor, "stretch step"]:
        """Where there is a step."""
        return torch.from_numpy(np.isfinite(self.places))

    def of_steps(self, values: Tensor) -> Tensor:
        """Returns one value for each step of each stretch, zero where there is none."""
        places = torch.from_numpy(np.nan_to_num(self.places).astype(np.int64))
        picked = values[places]
        taken = self.taken.reshape(*places.shape, *[1] * (picked.ndim - 2))
        return picked * taken

    @cached_property
    def shown(self) -> Float[Tensor, "stretch time observation"]:
        """What the target showed, before the first step and after each."""
        first = self.rows.observation[torch.from_numpy(self.places[:, 0]).long()]
        after = self.of_steps(self.rows.next_observation)
        return torch.cat([first.unsqueeze(1), after], dim=1)

    @property
    def there(self) -> Bool[Tensor, "stretch time"]:
        """Where something was shown."""
        return torch.cat([torch.ones(len(self), 1, dtype=torch.bool), self.taken], 1)


@final
@dataclass(frozen=True, eq=False)
class Paths:
    """Paths of the source under the actions of each stretch, and what they brought."""

    states: Float[Tensor, "stretch path time state"]
    """In white coordinates."""
    rewards: Float[Tensor, "stretch path step"]
    """In standard units."""
    ends: Float[Tensor, "stretch path step"]
    """Logits of termination."""


def followed(
    model: SourceModel,
    actions: Float[Tensor, "stretch step action"],
    starts: Float[Tensor, "stretch path state"],
) -> Paths:
    """Returns where a model goes from each start under the actions of its stretch.

    Args:
        model: of the source.
        actions: encoded as the source's.
        starts: in white coordinates.
    """
    state, states, rewards, ends = starts, [starts], [], []
    for step in range(actions.shape[1]):
        taken = actions[:, step : step + 1].expand(-1, starts.shape[1], -1)
        with torch.no_grad():
            predicted = model.predict(state, taken)
        state = state + predicted.delta * model.scale
        states.append(state)
        rewards.append(predicted.reward)
        ends.append(predicted.termination)
    stack = torch.stack
    return Paths(stack(states, 2), stack(rewards, 2), stack(ends, 2))


def drawn_starts(
    stretches: Stretches,
    pools: Sequence[Float[Tensor, "_ state"]],
    paths: int,
    rng: np.random.Generator,
) -> Float[Tensor, "stretch path state"]:
    """Returns states of the source where stretches may have begun.

    Args:
        stretches: of the target.
        pools: of the source: where it starts, where it is while acting at random, and
            where it ever was.
        paths: how many for each stretch.
        rng: of the draws.
    """
    kinds = torch.where(stretches.at_reset, 0, torch.where(stretches.at_random, 1, 2))
    sizes = np.array([len(pool) for pool in pools])[kinds.numpy()]
    drawn = torch.from_numpy(rng.integers(sizes[:, None], size=(len(kinds), paths)))
    starts = torch.zeros(len(kinds), paths, pools[0].shape[1])
    for kind, pool in enumerate(pools):
        starts[kinds == kind] = pool[drawn[kinds == kind]]
    return starts


def likelihoods(
    paths: Paths,
    stretches: Stretches,
    rewards: Float[Tensor, " row"],
    cues: tuple[bool, bool],
    config: CameraConfig,
) -> Float[Tensor, "stretch path"]:
    """Returns how much each path counts; for each stretch it sums to one.

    Args:
        paths: of the source.
        stretches: of the target.
        rewards: of its rows, in the source's standard units.
        cues: whether ends count, and rewards.
        config: how sharply.
    """
    taken = stretches.taken.unsqueeze(1)
    cost = torch.zeros(paths.rewards.shape[:2])
    if cues[0]:
        ended = stretches.of_steps(stretches.rows.terminated.float()).unsqueeze(1)
        surprise = F.binary_cross_entropy_with_logits(
            paths.ends, ended.expand_as(paths.ends), reduction="none"
        )
        cost += (surprise * taken).sum(dim=2)
    if cues[1]:
        missed = _missed(paths, stretches, rewards)
        paid_alike = _explained(missed, stretches, rewards) >= config.paid_alike
        if paid_alike:
            cost += missed / (2 * config.reward_noise**2)
    cost = cost - cost.min(dim=1, keepdim=True).values
    # Where hardly any path would count, it is doubted that the costs are so exact.
    counting = min(config.counting, cost.shape[1])
    worst = cost.kthvalue(counting, dim=1, keepdim=True).values
    return torch.softmax(-cost / worst.clamp_min(1.0), dim=1)


def _missed(
    paths: Paths, stretches: Stretches, rewards: Float[Tensor, " row"]
) -> Float[Tensor, "stretch path"]:
    """Returns the squared differences between what was paid and what paths are paid."""
    paid = stretches.of_steps(rewards).unsqueeze(1)
    off = (paths.rewards - paid).square() * stretches.taken.unsqueeze(1)
    return off.sum(dim=2)


def _explained(
    missed: Float[Tensor, "stretch path"],
    stretches: Stretches,
    rewards: Float[Tensor, " row"],
) -> float:
    """Returns the share of the variance of rewards that the best paths explain."""
    variance = rewards.var() * stretches.taken.sum()
    # Where all is paid alike, nothing is told.
    if not variance > 1e-6:
        return 0.0
    return 1 - float(missed.min(dim=1).values.sum() / variance)


def trajectories(
    stretches: Stretches,
    states: Float[Tensor, "stretch path time state"],
    weights: Float[Tensor, "stretch path"],
    directions: int,
) -> Trajectories:
    """Returns the mean and the principal directions of the paths of each stretch.

    Args:
        stretches: of the target.
        states: of the paths.
        weights: of the paths, for each stretch summing to one.
        directions: most of them.
    """
    there = stretches.there
    mean = torch.einsum("sp,sptd->std", weights, states) * there.unsqueeze(2)
    off = (states - mean.unsqueeze(1)) * there[:, None, :, None]
    weighted = (weights.sqrt()[:, :, None, None] * off).flatten(2)
    # The smaller of the two ways to the same singular values.
    _, values, vectors = torch.linalg.svd(weighted, full_matrices=False)
    kept = min(directions, values.shape[1])
    along = vectors[:, :kept].unflatten(2, mean.shape[1:])
    # Of a direction along which nothing differs, nobody knows where it points.
    variance = values[:, :kept].square()
    return Trajectories(stretches.shown, there, mean, along, variance)
