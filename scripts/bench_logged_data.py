"""What a mapping is worth that was found from logs alone, on five pairs.

    python scripts/bench_logged_data.py -f runs/measured --seeds 890 993 1080

Of each target three logs are taken: by random actions, by a poor policy and by a good
one. The good one is what a transfer with the pair's budget finds; the poor one is the
same, but half of its steps are random. A transfer with -n 0 sees the first rows of a
log and nothing else. What it finds then acts in fresh episodes, which choose nothing.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import rltransfer
from rltransfer.domain import Domain, MixturePolicy, Policy, StickyRandomPolicy
from rltransfer.domain.logged_rows import COLUMNS
from rltransfer.mapping import Transitions
from rltransfer.report.tables import markdown
from rltransfer.workflows.benchmark_jobs import folder_of, train_agent
from rltransfer.workflows.environments import EnvironmentChoice, domain_of
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer_envs.pairs import PAIRS

NAMES = (
    *("cartpole-scrambled", "acrobot-scrambled", "pendulum-scrambled"),
    *("cartpole-positions", "pendulum-units"),
)
STEPS = (500, 2_000, 10_000)
"""Of logs, as many of the first ones as are shown."""
POOR = 0.5
"""Share of the poor policy's steps that are random."""


def logged(domain: Domain, policy: Policy, steps: int, seed: int) -> Transitions:
    """Returns steps of a policy, an episode after the other."""
    return domain.collect(policy, purpose="log", seed=seed, steps=steps).transitions


def write_log(path: Path, domain: Domain, rows: Transitions) -> None:
    """Writes steps as anybody would who logs what is handed to and from `step`."""
    start = int(getattr(domain.action_space, "start", 0))
    columns: dict[str, Any] = {name: getattr(rows, name).numpy() for name in COLUMNS}
    columns["action"] = domain.actions.decode(columns["action"]) + start
    np.savez(path, **columns)


def measured(name: str, folder: Path, seed: int) -> dict[tuple[str, int], float]:
    """Returns the share of home by the kind and length of a log, and of who acted.

    Args:
        name: of the pair.
        folder: where sources are; what is missing is trained.
        seed: of everything drawn.
    """
    pair = PAIRS[name]
    source = folder_of(pair.source, folder)
    if not source.exists():
        train_agent(pair.source, folder)
    options = pair.target_options(seed)
    known: dict[str, Any]
    known = {"target_kwargs": options, "seed": seed, "report": False}
    with tempfile.TemporaryDirectory() as work:
        known["log_folder"] = work
        whole = rltransfer.transfer(source, pair.target, steps=pair.budget, **known)
        assert isinstance(whole, TransferResult)
        assert whole.random is not None and whole.zero_shot is not None
        floor = whole.random.mean_return
        way = whole.source_at_home.mean_return - floor
        domain = domain_of(EnvironmentChoice(pair.target, options))
        rng = np.random.default_rng(seed)
        random = StickyRandomPolicy(domain.actions, rng, longest=1)
        poor = MixturePolicy(whole.policy, random, POOR, rng)
        kinds: dict[str, Policy]
        kinds = {"random": random, "poor": poor, "good": whole.policy}
        shares = {("-n", pair.budget): (whole.zero_shot.mean_return - floor) / way}
        for kind, policy in kinds.items():
            rows = logged(domain, policy, max(STEPS), seed)
            over = rows.terminated | rows.truncated
            episodes = max(int(over.sum()), 1)
            earned = float(rows.reward[: int(over.nonzero().max()) + 1].sum())
            shares[kind, 0] = (earned / episodes - floor) / way
            for steps in STEPS:
                path = Path(work, f"{kind}-{steps}.npz")
                write_log(path, domain, rows[:steps])
                found = rltransfer.transfer(
                    source, pair.target, target_data=path, steps=0, **known
                )
                assert found.accepted is None and found.target_steps == 0
                earned = rltransfer.evaluate(
                    found.folder, seed=whole.report_seed
                ).mean_return
                shares[kind, steps] = (earned - floor) / way
        domain.close()
    return shares


def main() -> None:
    """Prints a table: a row for each pair and kind of log."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", "--log-folder", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[890])
    parser.add_argument("--pairs", nargs="+", default=list(NAMES), choices=PAIRS)
    options = parser.parse_args()
    table = []
    for name in options.pairs:
        runs = [measured(name, options.log_folder, seed) for seed in options.seeds]
        budget = PAIRS[name].budget
        for kind in ("random", "poor", "good"):
            keys = {"log's own": (kind, 0)}
            keys |= {f"{steps:,} steps": (kind, steps) for steps in STEPS}
            keys |= {"with -n instead": ("-n", budget)}
            row = {"pair": name, "log": kind}
            for heading, key in keys.items():
                shares = [run[key] for run in runs]
                row[heading] = f"{np.median(shares):.2f}"
                if len(shares) > 1:
                    row[heading] += f" ({min(shares):.2f} to {max(shares):.2f})"
            table.append(row)
            print(row, flush=True)
    print(markdown(table))


if __name__ == "__main__":
    main()
