"""Whether whole matches are found, with and without the network, on Gymnasium's worlds.

    python scripts/match_worlds.py --seeds 10 [--network FILE]

Each world is acted in at random twice; the second time its sensors and motors are put
in another order, some turned round, with other units and origins. A match is right if
every sensor, sign and motor is; images under a symmetry of the world count as well. No
network was trained on any of these worlds.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.alignment.matching.influence_matching import (
    influence_matches,
    refined_matches,
)
from rltransfer.alignment.matching.match_decoding import Match, network_matches
from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.alignment.matching.match_proposals import MatchSide, in_turn
from rltransfer.alignment.matching.match_weights import SHIPPED, read_match_network
from rltransfer.domain import Domain, StickyRandomPolicy, Transitions
from rltransfer_envs.making import make

BEAM = 8
SOURCE_ROWS, SOURCE_SEED, FIRST_SEED = 1536, 7, 600
Array = NDArray[Any]


class Moved(NamedTuple):
    """Variables in another order and sign: new i is `sign[i]` times old `order[i]`."""

    order: Array
    sign: Array

    @classmethod
    def of(
        cls, size: int, turned: Sequence[int] = (), swapped: Sequence[int] = ()
    ) -> "Moved":
        """Returns what turns these round, after swapping two, if any."""
        order, sign = np.arange(size), np.ones(size)
        if swapped:
            order[list(swapped)] = order[list(swapped)[::-1]]
        sign[list(turned)] = -1
        return cls(order, sign)

    def after(self, first: "Moved") -> "Moved":
        """Returns this done after another."""
        return Moved(first.order[self.order], self.sign * first.sign[self.order])

    @property
    def key(self) -> tuple[float, ...]:
        """Equal for equal ones."""
        return (*self.order.tolist(), *self.sign.tolist())


Symmetry = tuple[Moved, Moved]
"""Of observations and of actions."""


@final
@dataclass(frozen=True)
class World:
    """An environment, and symmetries from which all of its own follow."""

    name: str
    make: Callable[[], Any]
    symmetries: tuple[Symmetry, ...] = ()

    def images(self, sensors: int, motors: int) -> list[Symmetry]:
        """Returns all of its symmetries, the identity among them."""
        found = [(Moved.of(sensors), Moved.of(motors))]
        for known in found:  # grows while it is gone through
            for state, action in self.symmetries:
                image = state.after(known[0]), action.after(known[1])
                keys = [(s.key, a.key) for s, a in found]
                if (image[0].key, image[1].key) not in keys:
                    found.append(image)
        return found


_LANDER = Moved.of(8, (0, 2, 4, 5), (6, 7))
_QUARTER = Moved(
    np.array([2, 1, 0, 3, 5, 4, 6, 7, 9, 8]),
    np.array([-1.0, 1, 1, 1, -1, 1, 1, 1, -1, 1]),
)
"""A reacher's world, a quarter turned about its base."""
WORLDS = (
    World(
        "CartPole-v1",
        partial(make, "CartPole-v1"),
        ((Moved.of(4, range(4)), Moved.of(2, (), (0, 1))),),
    ),
    World(
        "Acrobot-v1",
        partial(make, "Acrobot-v1"),
        ((Moved.of(6, (1, 3, 4, 5)), Moved.of(3, (), (0, 2))),),
    ),
    World("MountainCar-v0", partial(make, "MountainCar-v0")),
    World("MountainCarContinuous-v0", partial(make, "MountainCarContinuous-v0")),
    World(
        "Pendulum-v1",
        partial(make, "Pendulum-v1"),
        ((Moved.of(3, (1, 2)), Moved.of(1, (0,))),),
    ),
    World(
        "LunarLander-v3",
        partial(make, "LunarLander-v3"),
        ((_LANDER, Moved.of(4, (), (1, 3))),),
    ),
    World(
        "LunarLander-v3, continuous",
        partial(make, "LunarLander-v3", continuous=True),
        ((_LANDER, Moved.of(2, (1,))),),
    ),
    World("HalfCheetah-v5", partial(make, "HalfCheetah-v5")),
    World("Hopper-v5", partial(make, "Hopper-v5")),
    World(
        "Swimmer-v5",
        partial(make, "Swimmer-v5"),
        ((Moved.of(8, (0, 1, 2, 4, 5, 6, 7)), Moved.of(2, (0, 1))),),
    ),
    World(
        "Reacher-v5",
        partial(make, "Reacher-v5"),
        (
            (Moved.of(10, (2, 3, 5, 6, 7, 9)), Moved.of(2, (0, 1))),
            (_QUARTER, Moved.of(2)),
        ),
    ),
)


def explored(world: World, steps: int, seed: int) -> MatchSide:
    """Returns what acting at random shows of a world."""
    domain = Domain(world.make, world.name)
    policy = StickyRandomPolicy(
        domain.actions, np.random.default_rng(seed), exponent=1.5, longest=32
    )
    rows = domain.collect(policy, purpose="matching", seed=seed, steps=steps)
    domain.close()
    return MatchSide.of(rows.transitions, domain.actions)


def rewired(side: MatchSide, rng: np.random.Generator) -> tuple[MatchSide, Symmetry]:
    """Returns rows behind other sensors and motors, and how these were moved."""
    rows = side.rows
    sensors, motors = rows.observation.shape[1], rows.action.shape[1]
    state = Moved(rng.permutation(sensors), rng.choice([-1.0, 1.0], sensors))
    signs = np.ones(motors) if side.discrete else rng.choice([-1.0, 1.0], motors)
    action = Moved(rng.permutation(motors), signs)
    units = np.exp(rng.uniform(-3, 3, sensors)) * state.sign
    origin = 2 * rng.normal(size=sensors)

    def shown(part: torch.Tensor) -> torch.Tensor:
        values = part.double().numpy()[:, state.order] * units + origin
        return torch.from_numpy(values).float()

    acted = rows.action.numpy()[:, action.order] * action.sign
    moved: Transitions = replace(
        rows,
        observation=shown(rows.observation),
        next_observation=shown(rows.next_observation),
        action=torch.from_numpy(acted).float(),
    )
    return MatchSide(moved, side.discrete), (state, action)


def is_right(match: Match, world: World, moved: Symmetry) -> bool:
    """Returns whether a match undoes what was moved, up to the world's symmetries."""
    sensors, motors = (len(part.order) for part in moved)
    places, signs = [], []
    for part, first in zip(moved, (0, sensors), strict=True):
        back = np.argsort(part.order)
        places.append(first + back)
        signs.append(part.sign[back])
    for state, action in world.images(sensors, motors):
        partner = np.concatenate([places[0][state.order], places[1][action.order]])
        sign = np.concatenate(
            [
                state.sign * signs[0][state.order],
                action.sign * signs[1][action.order],
            ]
        )
        if (match.partner == partner).all() and (match.sign == sign).all():
            return True
    return False


def measured(
    network: MatchNetwork, worlds: Sequence[World], rows: int, seeds: Sequence[int]
) -> Iterator[tuple[str, Array, float]]:
    """Yields of each world shares of seeds, and seconds of a proposal.

    Shares: first and within a beam, by the network alone; likewise by the search alone;
    a beam of the network's and what the search finds near.
    """
    for world in worlds:
        source = explored(world, SOURCE_ROWS, SOURCE_SEED)
        found, spent = [], 0.0
        for seed in seeds:
            rng = np.random.default_rng(seed)
            target, moved = rewired(explored(world, rows, seed), rng)
            begun = time.process_time()
            graphs = source.graph, target.graph
            told = network_matches(network, *graphs, BEAM)
            both = in_turn(told, refined_matches(*graphs, told, BEAM), BEAM)
            spent += time.process_time() - begun
            without = influence_matches(*graphs, BEAM, np.random.default_rng(0))
            right = [
                [is_right(match, world, moved) for match in matches]
                for matches in (told, without, both)
            ]
            found.append(
                [right[0][0], any(right[0]), right[1][0], any(right[1]), any(right[2])]
            )
        yield world.name, np.mean(found, axis=0), spent / len(seeds)


def main() -> None:
    """Prints a table for few and for many rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, nargs="*", default=[256, 1000])
    parser.add_argument("--worlds", nargs="*", default=[w.name for w in WORLDS])
    parser.add_argument("--network", type=Path, default=SHIPPED)
    options = parser.parse_args()
    network = read_match_network(options.network)
    worlds = [world for world in WORLDS if world.name in options.worlds]
    torch.set_num_threads(1)
    seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
    heading = "network | in a beam | search | in a beam | beam of both"
    for rows in options.rows:
        print(f"\n| {rows} rows | {heading} |\n|---|---|---|---|---|---|", flush=True)
        shares, seconds = [], []
        for name, share, spent in measured(network, worlds, rows, seeds):
            shares.append(share)
            seconds.append(spent)
            print(f"| {name} | {_cells(share)} |", flush=True)
        print(f"| all | {_cells(np.mean(shares, axis=0))} |")
        print(f"\n{np.mean(seconds):.2f} seconds of a processor for a proposal")


def _cells(shares: Array) -> str:
    return " | ".join(f"{share:.2f}" for share in shares)


if __name__ == "__main__":
    main()
