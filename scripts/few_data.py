"""Which candidate family needs how many target steps.

    python scripts/few_data.py -f runs/measured --seeds 1 2 --figure docs/few-data.png

A log of random actions in the target is cut to its first rows, and each family alone
finds a mapping of them by its alignment error, without acting (`transfer -n 0`). It
then acts in fresh episodes, which choose nothing. The peer `dcc` has as many target
steps, half of which try its checkpoints.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import rltransfer
from bench_logged_data import logged, write_log
from peers import dcc
from rltransfer.alignment.families import FAMILIES
from rltransfer.domain import Policy, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.report.tables import markdown
from rltransfer.workflows.benchmark_jobs import folder_of, train_agent
from rltransfer.workflows.environments import EnvironmentChoice, domain_of
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.wrappers import StepBudget
from rltransfer_agents.training.training_run import isolated
from rltransfer_envs.pairs import PAIRS

NAMES = (
    *("cartpole-rewired", "acrobot-rewired", "pendulum-rewired"),
    *("cartpole-scrambled", "pendulum-scrambled"),
)
STEPS = (100, 250, 1_000, 4_000)
EPISODES = 20
USED = {
    "identity": ["identity"],
    "permutation": ["affine", "signed permutation"],
    "matched": ["matched"],
    "responses": ["responses"],
    "affine": ["affine"],
    "residual": ["affine", "residual"],
}
"""Families that propose, by what the table calls them: two refine an affine map."""
PEER = "dcc"


def without(used: Iterable[str]) -> str:
    """Returns the value of `without` that leaves these families alone."""
    names = {family.name for family in FAMILIES if not family.numbered}
    return ",".join(sorted((names | {"tuned"}) - set(used)))


class Measurement:
    """One pair and seed: its log, and what a mapping of its first rows earns.

    Args:
        name: of the pair.
        folder: where sources are; what is missing is trained.
        seed: of everything drawn.
        work: folder for what is made on the way.
    """

    def __init__(self, name: str, folder: Path, seed: int, work: Path) -> None:
        self._pair, self._seed, self._work = PAIRS[name], seed, work
        self._source = folder_of(self._pair.source, folder)
        if not self._source.exists():
            train_agent(self._pair.source, folder)
        self._options = self._pair.target_options(seed)
        choice = EnvironmentChoice(self._pair.target, self._options)
        domain = domain_of(choice)
        rng = np.random.default_rng(seed)
        explorer = StickyRandomPolicy(domain.actions, rng)
        self._rows = logged(domain, explorer, max(STEPS), seed)
        self._log = work / "log.npz"
        self._domain = domain
        random = StickyRandomPolicy(domain.actions, rng, longest=1)
        self._floor = self._earned(random)
        own = rltransfer.evaluate(self._source, episodes=EPISODES, seed=seed)
        self._way = own.mean_return - self._floor

    def close(self) -> None:
        """Ends the target's environment."""
        self._domain.close()

    def share(self, family: str, steps: int) -> float:
        """Returns the share of home of what a family finds.

        Raises:
            InputError: it finds nothing of so few steps.
        """
        policy = self._by_dcc(steps) if family == PEER else self._by(family, steps)
        return (self._earned(policy) - self._floor) / self._way

    def _by(self, family: str, steps: int) -> Policy:
        write_log(self._log, self._domain, self._rows[:steps])
        found = rltransfer.transfer(
            self._source,
            self._pair.target,
            target_kwargs=self._options,
            target_data=self._log,
            steps=0,
            seed=self._seed,
            report=False,
            hyperparams={"without": without(USED[family])},
            log_folder=self._work,
        )
        return found.policy

    def _by_dcc(self, steps: int) -> Policy:
        loaded = load_agent(self._source)
        choice = EnvironmentChoice(self._pair.target, self._options)
        target = domain_of(choice, None, StepBudget(steps))
        with isolated(), opened_home(loaded) as (source, _):
            config = dcc.DccConfig()
            found = dcc.transferred(source, loaded.policy, target, config, self._seed)
        target.close()
        return found.policy

    def _earned(self, policy: Policy) -> float:
        returns = self._domain.evaluate(policy, episodes=EPISODES, seed=self._seed)
        return float(returns.mean())


def drawn(shares: dict[str, dict[str, dict[int, list[float]]]], to: Path) -> None:
    """Draws a panel for each pair: share of home over steps, a line for each family.

    Args:
        shares: by pair, family and steps; one for each seed.
        to: picture to write.
    """
    figure = Figure(figsize=(3.0 * len(shares), 3.4), layout="constrained")
    panels = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    for panel, (name, families) in zip(panels, shares.items(), strict=True):
        for number, (family, by_steps) in enumerate(families.items()):
            steps = sorted(by_steps)
            middle = [np.median(by_steps[n]) for n in steps]
            low, high = ([f(by_steps[n]) for n in steps] for f in (min, max))
            style = ":" if family == PEER else "-"
            panel.plot(steps, middle, style, color=f"C{number}", marker="o", ms=3)
            panel.fill_between(steps, low, high, color=f"C{number}", alpha=0.12)
        panel.set(xscale="log", title=name, ylim=(-0.3, 1.1), xlabel="target steps")
        panel.axhline(1, color="0.7", lw=0.8, zorder=0)
    panels[0].set_ylabel("share of what the source earns at home")
    names = list(next(iter(shares.values())))
    figure.legend(
        panels[0].lines[: len(names)], names, loc="outside lower center", ncol=7
    )
    figure.savefig(to, dpi=110)


def main() -> None:
    """Prints a line for each measured share, then a table, and draws the figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--pairs", nargs="+", default=list(NAMES), choices=PAIRS)
    parser.add_argument("--families", nargs="+", default=[*USED, PEER])
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    shares: dict[str, Any] = {}
    for name in options.pairs:
        shares[name] = {family: defaultdict(list) for family in options.families}
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as work:
                measured = Measurement(name, options.log_folder, seed, Path(work))
                for family in options.families:
                    for steps in options.steps:
                        told: dict[str, Any]
                        told = {"pair": name, "seed": seed, "family": family}
                        try:
                            share = measured.share(family, steps)
                        except InputError as error:
                            # Worth as much as random actions.
                            share, told["error"] = 0.0, str(error)
                        told |= {"steps": steps, "share": share}
                        print(json.dumps(told), flush=True)
                        shares[name][family][steps].append(share)
                measured.close()
    table = [
        {"pair": name, "family": family}
        | {f"{n:,} steps": _cell(by_steps[n]) for n in options.steps}
        for name, families in shares.items()
        for family, by_steps in families.items()
    ]
    print(markdown(table))
    if options.figure:
        drawn(shares, options.figure)


def _cell(shares: list[float]) -> str:
    told = f"{np.median(shares):.2f}"
    return told if len(shares) == 1 else f"{told} ({min(shares):.2f} {max(shares):.2f})"


if __name__ == "__main__":
    main()
