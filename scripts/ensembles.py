"""Whether an ensemble earns more than its best member, and where it does.

    python scripts/ensembles.py --agents rl-trained-agents

Of each pair a transfer is made twice from the same seed: as usual, and with an ensemble
among the candidates. Figures are shares of home over 20 fresh episodes, which choose
nothing: of the answer without an ensemble, of the answer with one, and, where one
acted, of its best single member and of the ensemble, whichever was the answer. The
sources are agents that RL Zoo published, one or two for each pair.

In the case `pendulum-halves` two agents know a half each: at home the motor is reversed
where the pendulum leans to the other side, and the target's never is. What they do at
home is what the published agent does, reversed there. Sensors are known to be the same:
other families are left out.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, SupportsFloat

import gymnasium as gym
import numpy as np
import torch

import rltransfer
from rltransfer.alignment import AlignConfig, Source, align
from rltransfer.alignment.align import Alignment
from rltransfer.domain import Domain, Policy, StickyRandomPolicy
from rltransfer.domain.policies import State
from rltransfer.errors import UserError
from rltransfer.translation import EnsembleConfig, EnsemblePolicy
from rltransfer.workflows.environments import EnvironmentChoice, domain_of
from rltransfer.workflows.policy_loading import opened_home
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.wrappers import StepBudget
from rltransfer_envs.pairs import PAIRS

AGENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "acrobot-scrambled": (
        ("dqn/Acrobot-v1_1", "Acrobot-v1"),
        ("ppo/Acrobot-v1_1", "Acrobot-v1"),
    ),
    "pendulum-scrambled": (("sac/Pendulum-v1_1", "Pendulum-v1"),),
    "swimmer-scrambled": (("sac/Swimmer-v3_1", "Swimmer-v5"),),
    "hopper-scrambled": (("ppo/Hopper-v3_1", "Hopper-v5"),),
}
"""By pair: agents, and where they are at home."""
HALVES, PENDULUM = "pendulum-halves", "sac/Pendulum-v1_1"
SENSORS_KNOWN = (
    "matched,responses,history,residual,affine,signed permutation,same sensors,tuned"
)
"""Families that are left out there, so that both sources act as they are."""
EPISODES = 20


class Shares(NamedTuple):
    """Shares of home; of the last three none where no ensemble acted."""

    usual: float
    answer: float
    member: float | None
    """The best single member."""
    ensemble: float | None
    chosen: bool
    """Whether the ensemble was the answer."""


class HalfReversed(gym.ActionWrapper[Any, Any, Any]):
    """A pendulum whose motor is reversed where it leans to one side."""

    def __init__(self, side: float) -> None:
        super().__init__(gym.make("Pendulum-v1"))
        self._side, self._lean = side, 0.0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Begins an episode."""
        observation, info = self.env.reset(**kwargs)
        self._lean = float(observation[1])
        return observation, info

    def step(
        self, action: Any
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Takes a step, and looks at which side it leans to now."""
        result = super().step(action)
        self._lean = float(result[0][1])
        return result

    def action(self, action: Any) -> Any:
        """Returns what the motor does."""
        return -np.asarray(action) if self._lean * self._side < 0 else action


class HalfReversedPolicy(NamedTuple):
    """Does in the world above what a policy does in the plain one."""

    policy: Policy
    side: float

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns the action for one observation, or one for each row."""
        args = observation, state, episode_start, deterministic
        action, state = self.policy.predict(*args)
        there = np.asarray(observation)[..., 1:2] * self.side < 0
        return np.where(there, -np.asarray(action), action), state


def sources_of(name: str, agents: Path, stack: ExitStack) -> list[Source]:
    """Returns the sources of a case, open until `stack` is closed."""
    if name == HALVES:
        agent = rltransfer.load_agent(agents / PENDULUM)
        found = []
        for side in (1.0, -1.0):

            def make(side: float = side) -> HalfReversed:
                return HalfReversed(side)

            domain = stack.enter_context(closing(Domain(make, f"half {side:+.0f}")))
            policy = HalfReversedPolicy(agent.policy, side)
            found.append(Source(domain, policy, domain.name))
        return found
    found = []
    for place, home in AGENTS[name]:
        agent = rltransfer.load_agent(agents / place, env=home)
        domain, _ = stack.enter_context(opened_home(agent))
        cache = SourceModelCache(agent)
        found.append(Source(domain, agent.policy, agent.title, cache))
    return found


def target_of(name: str, seed: int) -> tuple[Domain, Domain]:
    """Returns the target to align in, and once more to measure in."""
    if name == HALVES:
        choice, budget = EnvironmentChoice("Pendulum-v1"), 2_000
    else:
        pair = PAIRS[name]
        choice = EnvironmentChoice(pair.target, pair.target_options(seed))
        budget = pair.budget
    return domain_of(choice, budget=StepBudget(budget)), domain_of(choice)


def measured(
    name: str, agents: Path, seed: int, ensemble: EnsembleConfig, *, always: bool
) -> Shares:
    """Returns what comes of one seed.

    Args:
        name: of the case.
        agents: folder of published agents.
        seed: of the target and of the run.
        ensemble: how it is made.
        always: whether it acts even where the best member earns what it can.
    """
    with ExitStack() as stack:
        sources = sources_of(name, agents, stack)

        def aligned(made: EnsembleConfig) -> Alignment:
            target, _ = target_of(name, seed)
            stack.callback(target.close)
            without = SENSORS_KNOWN if name == HALVES else ""
            config = AlignConfig(seed=seed, without=without, ensemble=made)
            if always and made.members:
                eager = replace(config.selection, near_home=100.0)
                config = replace(config, selection=eager)
            return align(sources, target, config)

        usual, found = aligned(EnsembleConfig()), aligned(ensemble)
        _, fresh = target_of(name, seed)
        stack.callback(fresh.close)
        drawn = StickyRandomPolicy(
            fresh.actions, np.random.default_rng(seed), longest=1
        )
        random = fresh.evaluate(drawn, episodes=EPISODES, seed=10_000 + seed).mean()
        home = float(found.model_data.home_returns.mean())

        def share(policy: Policy) -> float:
            own = fresh.evaluate(policy, episodes=EPISODES, seed=10_000 + seed)
            return float((own.mean() - random) / (home - random))

        made = [t.policy for t in found.trials if isinstance(t.policy, EnsemblePolicy)]
        return Shares(
            share(usual.policy),
            share(found.policy),
            share(made[0].lead) if made else None,
            share(made[0]) if made else None,
            isinstance(found.policy, EnsemblePolicy),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each case and seed, and their medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*AGENTS, HALVES]
    parser.add_argument("--agents", type=Path, required=True, help="as RL Zoo has them")
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=[890, 993, 1080])
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument(
        "--always",
        action="store_true",
        help="make one even where the best member earns what it can",
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    heads = ["usual answer", "answer with one", "best member", "ensemble", "chosen"]
    _print("case", "seed", *heads)
    _print(*["---"] * (2 + len(heads)))
    config = EnsembleConfig(members=options.members)
    for name in options.cases:
        rows = []
        for seed in options.seeds:
            args = name, options.agents, seed, config
            rows.append(measured(*args, always=options.always))
            _print(name, seed, *_cells(rows[-1]))
        columns = [
            [x for x in column if x is not None] for column in zip(*rows, strict=True)
        ]
        *shares, chosen = columns
        medians = [f"{statistics.median(x):.2f}" if x else "-" for x in shares]
        told = f"{sum(chosen):.0f} of {len(chosen)}"
        _print(name, "median", *medians, told)


def _print(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def _cells(row: Shares) -> list[str]:
    *shares, chosen = row
    return [
        *("-" if share is None else f"{share:.2f}" for share in shares),
        "yes" if chosen else "no",
    ]


if __name__ == "__main__":
    try:
        main()
    except UserError as fault:
        sys.exit(str(fault))
