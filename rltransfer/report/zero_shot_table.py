"""One row for each pair about zero-shot transfers: goals, returns, steps and harm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from rltransfer.evaluation import difference_interval, summarise
from rltransfer.report.tables import MISSED
from rltransfer_envs.pairs import Goal, Pair

Run = Mapping[str, Any]
"""What `transfer --json` prints, and under `unmapped` what an agent earns without."""


def zero_shot_row(
    pair: Pair, runs: Sequence[Run], strategy: str | None = None
) -> dict[str, str]:
    """Returns the cells of a pair's row.

    Medians are over seeds; the interval is of the mean over seeds. Harm counts the
    seeds that earn less than random actions, and says by how much at worst.

    Args:
        pair: says what its goals are.
        runs: one for each seed, at least one.
        strategy: its name, where peers stand beside ours.
    """
    zero_shot, random = figures(runs, "zero_shot"), figures(runs, "random")
    home, interval = figures(runs, "source_at_home"), summarise(zero_shot, seed=0).ci95
    share = np.median((zero_shot - random) / (home - random))
    below = np.minimum(zero_shot - random, 0.0)
    reached, goal = verdict(pair, runs)
    return {
        "pair": pair.name,
        **({} if strategy is None else {"strategy": strategy}),
        "budget": f"{pair.budget:,}",
        "used": f"{np.median([run['target_steps'] for run in runs]):,.0f}",
        "goal": goal,
        "reached": "" if reached is None else "yes" if reached else MISSED,
        "median": f"{np.median(zero_shot):.1f}",
        "95 % interval": "n/a"
        if interval is None
        else "{:.1f} to {:.1f}".format(*interval),
        "each seed": " ".join(f"{value:.1f}" for value in zero_shot),
        "random": f"{np.median(random):.1f}",
        "home": f"{np.median(home):.1f}",
        "share of home": f"{share:.2f}" if pair.same_reward else "",
        "harm": f"{(below < 0).sum()}: {below.min():.1f}" if below.any() else "0",
        "accepted": _accepted(pair, runs),
        "seconds": f"{np.median([run['seconds'] for run in runs]):.0f}",
    }


def verdict(pair: Pair, runs: Sequence[Run]) -> tuple[bool | None, str]:
    """Returns whether all goals are reached, and the goals in words.

    None where nothing was asked of the zero-shot return.
    """
    accepted = [run["accepted"] for run in runs]
    if pair.refusal == "right":
        wrong = [better_by(run)[0] <= 0 for run in runs if run["accepted"]]
        return not any(wrong), "refused"
    if not pair.goals:
        return None, ""
    goals = [required(goal, runs) for goal in pair.goals]
    gaps = [figures(runs, "zero_shot") - returns for returns, _ in goals]
    done = all(accepted) and all(bool(np.median(gap) >= 0) for gap in gaps)
    words = " and ".join(text for _, text in goals)
    if pair.refusal == "allowed":
        return done or not any(accepted), f"{words}, or refused"
    return done, words


def required(goal: Goal, runs: Sequence[Run]) -> tuple[Float[np.ndarray, " run"], str]:
    """Returns what each run must earn, and the goal in words."""
    if goal.of == "return":
        return np.full(len(runs), goal.threshold), str(goal)
    best = figures(runs, "source_at_home" if goal.of == "home" else "unmapped")
    start = figures(runs, "random") * (goal.of != "unmapped")
    words = f"{goal} {np.median(best):.1f}"
    return start + goal.threshold * (best - start), words


def figures(runs: Sequence[Run], name: str) -> Float[np.ndarray, " run"]:
    """Returns the mean return of one figure, for each run."""
    return np.array([run[name]["mean_return"] for run in runs], np.float64)


def better_by(run: Run) -> tuple[float, float]:
    """Returns the 99 % interval of how much more is earned than by random actions."""
    ours, random = run["zero_shot"]["returns"], run["random"]["returns"]
    return difference_interval(ours, random, confidence=0.99)


def _accepted(pair: Pair, runs: Sequence[Run]) -> str:
    words = [f"{sum(run['accepted'] for run in runs)}/{len(runs)}"]
    for run in runs if pair.refusal == "right" else []:
        if run["accepted"]:
            least, most = better_by(run)
            words.append(f"{least:.1f} to {most:.1f} above random, seed {run['seed']}")
    return "; ".join(words)
