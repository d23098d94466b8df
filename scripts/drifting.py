"""How long a map lasts in a target that drifts: left as it is, and corrected.

    python scripts/drifting.py --agents rl-trained-agents -f runs/drifting

An agent that RL Zoo published is transferred to a scrambled environment, which then
drifts: its sensors turn by 90 degrees in 20,000 steps. The mapped policy acts in it
from the first step on, once with its map as it was found and once with
`AdaptivePolicy`, from the same resets. A share is that of home, a mean over the
episodes that began while it drifted, and over ten that began afterwards. What counts as
random and as home was measured by the transfer. A transfer that lies in the folder is
used again.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, final

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray

import rltransfer
from rltransfer.errors import UserError
from rltransfer.meta import AdaptConfig, Look
from rltransfer.workflows.adaptation import load_adaptive
from rltransfer.workflows.environments import EnvironmentChoice, domain_of

DRIFTING, SCRAMBLED = "rltransfer/Drifting-v0", "rltransfer/Scrambled-v0"
AFTERWARDS = 10
"""Episodes that begin when the drift is over."""
NEVER = AdaptConfig(noticed=1e12)
"""Looks at the alignment error, and corrects nothing."""


class Pair(NamedTuple):
    """An agent of RL Zoo, and where it is at home."""

    agent: str
    env: str
    budget: int
    """Target steps of its transfer."""


PAIRS = {
    "CartPole": Pair("ppo/CartPole-v1_1", "CartPole-v1", 2_000),
    "Pendulum": Pair("sac/Pendulum-v1_1", "Pendulum-v1", 2_400),
    "Swimmer": Pair("sac/Swimmer-v3_1", "Swimmer-v5", 6_000),
}


class Drift(TypedDict):
    """Arguments of the drifting environment."""

    turn: float
    motor: float
    gravity: float
    steps: int


@final
class Course(NamedTuple):
    """What came of acting through a drift."""

    began: NDArray[np.int64]
    """Steps taken before each episode."""
    shares: NDArray[np.float64]
    """Of home, by episode."""
    looks: list[Look]

    def share(self, steps: int) -> tuple[float, float]:
        """Returns the mean share while it drifted for so many steps, and after."""
        over = self.began >= steps
        return float(self.shares[~over].mean()), float(self.shares[over].mean())


def transferred(pair: Pair, agents: Path, folder: Path, seed: int) -> Path:
    """Returns the folder of the transfer to the scramble of 100 + `seed`."""
    own = folder / f"{pair.env}-{seed}"
    found = sorted(own.glob("transfer/*/transfer.json"))
    if found:
        return found[-1].parent
    return rltransfer.transfer(
        agents / pair.agent,
        SCRAMBLED,
        source_env=pair.env,
        target_kwargs={"base": pair.env, "seed": 100 + seed},
        steps=pair.budget,
        seed=seed,
        log_folder=own,
        report=False,
    ).folder


def course(run: Path, env: str, drift: Drift, config: AdaptConfig, seed: int) -> Course:
    """Returns how the transfer in a folder fares while its target drifts."""
    record: dict[str, Any] = json.loads((run / "transfer.json").read_text())
    worst, best = (record[name]["mean_return"] for name in ("random", "source_at_home"))
    looks: list[Look] = []
    policy = load_adaptive(run, config=config, seed=seed, watch=looks.append)
    made_of = {"base": env, "seed": 100 + seed}
    domain = domain_of(EnvironmentChoice(DRIFTING, {**made_of, **drift}))
    began: list[int] = []
    returns: list[float] = []
    while sum(start >= drift["steps"] for start in began) < AFTERWARDS:
        began.append(domain.budget.used)
        first = 1000 * (seed + 1) + len(began)
        returns += domain.evaluate(
            policy, episodes=1, seed=first, counted=True
        ).tolist()
    domain.close()
    shares = (np.array(returns) - worst) / (best - worst)
    return Course(np.array(began), shares, looks)


def picture(path: Path, courses: dict[str, dict[str, Course]], steps: int) -> None:
    """Draws shares and alignment errors over the drift, an environment a column."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(courses), figsize=(3.4 * len(courses), 4.2), sharex=True, squeeze=False
    )
    for column, (name, ways) in enumerate(courses.items()):
        above, below = axes[:, column]
        for way, found in ways.items():
            # Means over tenths of the drift: single episodes would hide the lines.
            place = np.minimum(found.began * 10 // steps, 10)
            tenths = np.unique(place)
            means = [found.shares[place == tenth].mean() for tenth in tenths]
            above.plot((tenths + 0.5) * steps / 10, means, label=way)
            taken = [look.steps for look in found.looks]
            errors = [look.alignment_error for look in found.looks]
            below.semilogy(taken, errors, label=way, linewidth=0.8)
        above.set_title(name)
        below.set_xlabel("target steps")
        for axis in (above, below):
            axis.axvline(steps, color="grey", linewidth=0.6, linestyle=":")
    axes[0, 0].set_ylabel("share of home")
    axes[1, 0].set_ylabel("alignment error")
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main(arguments: Sequence[str] | None = None) -> None:
    """Acts through the drift with every pair and seed, and prints a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", type=Path, required=True, help="as RL Zoo has them")
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs/drifting"))
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--turn", type=float, default=90.0, help="degrees, in the end")
    parser.add_argument("--motor", type=float, default=1.0, help="share that is left")
    parser.add_argument("--gravity", type=float, default=1.0, help="multiple")
    parser.add_argument("--steps", type=int, default=20_000, help="of the drift")
    parser.add_argument("--plot", type=Path, help="picture of the first seed")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    drift = Drift(
        turn=options.turn,
        motor=options.motor,
        gravity=options.gravity,
        steps=options.steps,
    )
    print("| pair | seed | fixed: drift, after | adaptive: drift, after | refits |")
    print("|---|---|---|---|---|")
    drawn: dict[str, dict[str, Course]] = {}
    for name in options.pairs:
        for seed in options.seeds:
            pair = PAIRS[name]
            run = transferred(pair, options.agents, options.log_folder, seed)
            ways = {
                way: course(run, pair.env, drift, config, seed)
                for way, config in (("fixed", NEVER), ("adaptive", AdaptConfig()))
            }
            drawn.setdefault(name, ways)
            cells = [
                "{:.2f}, {:.2f}".format(*found.share(options.steps))
                for found in ways.values()
            ]
            last = ways["adaptive"].looks[-1]
            refits = f"{last.refits} of {last.refits + last.refused}"
            print("", name, seed, *cells, refits, "", sep=" | ", flush=True)
    if options.plot is not None:
        picture(options.plot, drawn, options.steps)


if __name__ == "__main__":
    try:
        main()
    except UserError as fault:
        sys.exit(str(fault))
