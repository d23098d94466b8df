"""Which candidate family needs how many target steps.

    python scripts/few_data.py -f runs/measured --seeds 1 2 --lines runs/few-data.jsonl
        --figure docs/few-data.png

A log of random actions in the target is cut to its first rows, and each family alone
finds a mapping of them by its alignment error, without acting (`transfer -n 0`). It
then acts in fresh episodes, which choose nothing. With `--trials 4` the four mappings
that would act first act in an episode each, and the best one is kept. The peer `dcc`
has as many target steps, half of which try its checkpoints. What is in the file of
lines is not measured again.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import rltransfer
from bench_logged_data import logged, write_log
from peers import dcc
from rltransfer.alignment import AlignConfig, Source, align
from rltransfer.alignment.families import FAMILIES
from rltransfer.domain import Policy, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.report.tables import markdown
from rltransfer.workflows.benchmark_jobs import folder_of, train_agent
from rltransfer.workflows.environments import EnvironmentChoice, domain_of
from rltransfer.workflows.policy_loading import load_agent, opened_home
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.wrappers import StepBudget
from rltransfer_agents.training.training_run import isolated
from rltransfer_envs.pairs import PAIRS

NAMES = (
    *("cartpole-rewired", "acrobot-rewired", "pendulum-rewired"),
    *("cartpole-scrambled", "pendulum-scrambled"),
)
STEPS = (100, 1_000, 10_000)
EPISODES = 20
USED = {
    "identity": ["identity"],
    "permutation": ["affine", "signed permutation"],
    "matched": ["matched"],
    "responses": ["responses"],
    "affine": ["affine"],
    "residual": ["affine", "residual"],
    "default": [family.name for family in FAMILIES if family.of_quantities],
}
"""Families that propose, by what the table calls them: two refine an affine map, and
by default all are asked in their order."""
PEER = "dcc"
_ASIDE = 1.12
"""Factor in target steps by which families stand apart in the figure."""
LONGEST_TRIAL = 1_000
KEY = "pair", "seed", "family", "steps", "trials"
Key = tuple[str, int, str, int, int]


def without(used: Iterable[str]) -> str:
    """Returns the value of `without` that leaves these families alone."""
    names = {family.name for family in FAMILIES if family.of_quantities}
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
        # Files of older versions name an environment that is not registered any more.
        self._home = self._pair.source.env_id
        own = rltransfer.evaluate(
            self._source, env=self._home, episodes=EPISODES, seed=seed
        )
        self._way = own.mean_return - self._floor

    def close(self) -> None:
        """Ends the target's environment."""
        self._domain.close()

    def share(
        self, family: str, steps: int, trials: int = 0, **hyperparams: Any
    ) -> float:
        """Returns the share of home of what a family finds.

        Args:
            family: that proposes.
            steps: of the log.
            trials: mappings at most that act in an episode before one is kept; with 0
                none acts, and the smallest error tells.
            hyperparams: of the transfer, besides.

        Raises:
            InputError: it finds nothing of so few steps.
        """
        if trials and hyperparams:
            raise ValueError(f"hyperparams need trials=0, got {trials}")
        if family == PEER:
            policy = self._by_dcc(steps)
        elif trials:
            policy = self._tried(family, steps, trials)
        else:
            policy = self._by(family, steps, hyperparams)
        return (self._earned(policy) - self._floor) / self._way

    def _by(self, family: str, steps: int, hyperparams: Mapping[str, Any]) -> Policy:
        write_log(self._log, self._domain, self._rows[:steps])
        found = rltransfer.transfer(
            self._source,
            self._pair.target,
            source_env=self._home,
            target_kwargs=self._options,
            target_data=self._log,
            steps=0,
            seed=self._seed,
            report=False,
            hyperparams={"without": without(USED[family]), **hyperparams},
            log_folder=self._work,
        )
        return found.policy

    def _tried(self, family: str, steps: int, trials: int) -> Policy:
        """Returns the mapped policy that earns most in an episode.

        All begin alike, and not as the episodes do that are reported.
        """
        loaded, budget = load_agent(self._source, env=self._home), StepBudget(0)
        choice = EnvironmentChoice(self._pair.target, self._options)
        known = without(USED[family])
        config = AlignConfig(seed=self._seed, without=known, beam=trials)
        with closing(domain_of(choice, None, budget)) as target:
            with opened_home(loaded) as (home, _):
                cache = SourceModelCache(loaded)
                source = Source(home, loaded.policy, loaded.title, cache)
                rows = self._rows[:steps]
                found = align([source], target, config, logged=rows).trials
        acted = [
            self._domain.collect(
                trial.policy,
                purpose="trial",
                seed=self._seed + EPISODES,
                steps=LONGEST_TRIAL,
                episodes=1,
            ).mean_return
            for trial in found
        ]
        return found[int(np.argmax(acted))].policy

    def _by_dcc(self, steps: int) -> Policy:
        loaded = load_agent(self._source, env=self._home)
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


Shares = dict[str, dict[str, dict[int, list[float | None]]]]
"""By pair, family and steps, one for each seed; None where nothing was found."""


def gathered(lines: Iterable[dict[str, Any]]) -> Shares:
    """Returns measured shares in the order of their lines."""
    shares: Shares = {}
    for told in lines:
        by_steps = shares.setdefault(told["pair"], {}).setdefault(told["family"], {})
        by_steps.setdefault(told["steps"], []).append(told["share"])
    return shares


def drawn(shares: Shares, to: Path) -> None:
    """Draws a panel for each pair: share of home over steps, a line for each family.

    Args:
        shares: of which None counts as random actions do.
        to: picture to write.
    """
    figure = Figure(figsize=(3.0 * len(shares), 3.4), layout="constrained")
    panels = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    names = list(
        dict.fromkeys(name for families in shares.values() for name in families)
    )
    lines: dict[str, Any] = {}
    for panel, (pair, families) in zip(panels, shares.items(), strict=True):
        for family, by_steps in families.items():
            steps = sorted(by_steps)
            earned = [[share or 0.0 for share in by_steps[n]] for n in steps]
            # Side by side, as many of them earn the same.
            number = names.index(family)
            places = [n * _ASIDE ** (number - len(names) / 2) for n in steps]
            # Some may have been measured on fewer seeds.
            middle, low, high = (
                np.array([of(seeds) for seeds in earned])
                for of in (np.median, np.min, np.max)
            )
            lines[family] = panel.errorbar(
                *(places, middle, [middle - low, high - middle]),
                fmt=".:" if family in (PEER, "default") else ".-",
                color=f"C{number}",
                elinewidth=1.0,
                linewidth=0.8,
            )
        panel.set(xscale="log", title=pair, ylim=(-0.5, 1.1), xlabel="target steps")
        panel.axhline(1, color="0.7", lw=0.8, zorder=0)
    panels[0].set_ylabel("share of what the source earns at home")
    figure.legend(lines.values(), lines, loc="outside lower center", ncol=len(lines))
    figure.savefig(to, dpi=110)


def main() -> None:
    """Prints a line for each share that it measures, then a table; draws the figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--pairs", nargs="+", default=list(NAMES), choices=PAIRS)
    parser.add_argument("--families", nargs="+", default=[*USED, PEER])
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--trials", type=int, default=0)
    parser.add_argument("--lines", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    if options.trials < 0:
        parser.error(f"--trials must be at least 0, got {options.trials}")
    if options.trials and PEER in options.families:
        parser.error(f"--trials is for families, got {PEER}: name others")
    options.lines.touch()
    # Lines of before there were trials do not name them.
    lines = [
        {"trials": 0} | json.loads(line)
        for line in options.lines.read_text().splitlines()
    ]
    lines = [line for line in lines if line["trials"] == options.trials]
    known = {tuple(line[name] for name in KEY) for line in lines}
    asked = options.pairs, options.seeds, options.families, options.steps
    wanted = product(*asked, [options.trials])
    missing = [key for key in wanted if key not in known]
    with options.lines.open("a") as kept:
        for (pair, seed), keys in groupby(missing, lambda key: key[:2]):
            for told in measured(pair, seed, options.log_folder, keys):
                lines.append(told)
                print(json.dumps(told), file=kept, flush=True)
                print(json.dumps(told), flush=True)
    shares = gathered(sorted(lines, key=_place))
    steps = sorted({line["steps"] for line in lines})
    table = [
        {"pair": pair, "family": family}
        | {f"{n:,} steps": cell(by_steps.get(n, [])) for n in steps}
        for pair, families in shares.items()
        for family, by_steps in families.items()
    ]
    print(markdown(table))
    if options.figure:
        drawn(shares, options.figure)


def measured(
    pair: str, seed: int, folder: Path, keys: Iterable[Key]
) -> Iterator[dict[str, Any]]:
    """Yields a line for each of these, which are of one pair and seed."""
    with tempfile.TemporaryDirectory() as work:
        measurement = Measurement(pair, folder, seed, Path(work))
        for key in keys:
            told: dict[str, Any] = dict(zip(KEY, key, strict=True))
            try:
                told["share"] = measurement.share(*key[2:])
            except InputError as error:
                told |= {"share": None, "error": str(error)}
            yield told
        measurement.close()


def cell(shares: Sequence[float | None]) -> str:
    """Returns median, least and most; says of how many seeds nothing was found."""
    found = [share for share in shares if share is not None]
    if not found:
        return "none" if shares else ""
    middle, low, high = (
        f"{round(float(of(found)), 2) + 0.0:.2f}"  # not -0.00
        for of in (np.median, min, max)
    )
    told = middle if len(found) == 1 else f"{middle} ({low} {high})"
    missing = len(shares) - len(found)
    return told + (f", none for {missing}" if missing else "")


def _place(line: dict[str, Any]) -> tuple[int, ...]:
    names, families = [*dict.fromkeys((*NAMES, *PAIRS))], [*USED, PEER]
    return names.index(line["pair"]), families.index(line["family"])


if __name__ == "__main__":
    main()
