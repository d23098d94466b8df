"""The peer: its losses by hand, a world whose answer is known, its place in tables."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import rltransfer
from peers import dcc
from peers.cycle_maps import CycleConfig, losses
from rltransfer.domain import Domain, StickyRandomPolicy
from rltransfer.errors import InputError
from rltransfer.report.zero_shot_table import zero_shot_row
from rltransfer.workflows.benchmark_jobs import (
    Job,
    Strategy,
    folder_of,
    register_peer,
    train_agent,
)
from rltransfer.workflows.transfer_request import streams_of
from rltransfer.wrappers import StepBudget
from tests.worlds.fake_jobs import PLAIN, SOURCE, TINY, note
from tests.worlds.line import Line, homeward

SMALL = dcc.DccConfig(
    source_steps=400, maps=CycleConfig(updates=900, model_updates=500, widths=(32,))
)


def test_the_true_maps_have_no_loss() -> None:
    # In the target x' = x + a; the source shows y = 2x and its motors pull: b = -a.
    maps = SimpleNamespace(
        state=lambda x: 2 * x, there=lambda x, a: -a, back=lambda y, b: -b
    )
    x, a = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.5], [-0.25]])
    b = torch.tensor([[0.25], [1.0]])

    def ahead(both: torch.Tensor) -> torch.Tensor:
        return both[:, :1] - 2 * both[:, 1:]

    terms, made = losses(maps, ahead, x, a, x + a, b)  # type: ignore[arg-type]
    assert terms["dynamics"].item() == 0.0 and terms["actions"].item() == 0.0
    assert made["states"].tolist() == [[2.0], [6.0]]
    assert made["there"].tolist() == [[-0.5], [0.25]]
    maps.there = lambda x, a: a
    terms, _ = losses(maps, ahead, x, a, x + a, b)  # type: ignore[arg-type]
    # y - 2a in the place of y + 2a is 4|a| away; back comes -a, and of b comes -b.
    assert terms["dynamics"].item() == pytest.approx(4 * 0.375)
    assert terms["actions"].item() == pytest.approx(2 * 0.375 + 2 * 0.625)


@pytest.mark.parametrize("continuous", [True, False])
def test_a_line_is_found_in_a_line(continuous: bool) -> None:
    # Mirrored or not, the two are one world: both ways lead home.
    source = Domain(lambda: Line(), "source")
    target = Domain(lambda: Line(continuous=continuous), "target", StepBudget(800))
    found = dcc.transferred(source, homeward(), target, SMALL, seed=5)
    assert 780 <= target.budget.used <= 800
    assert set(target.budget.taken) == {"exploration", "trials"}
    assert found.trials[found.chosen] == max(found.trials)
    random = StickyRandomPolicy(target.actions, np.random.default_rng(5), longest=1)
    earned, by_chance = (
        target.evaluate(who, episodes=10, seed=1).mean()
        for who in (found.policy, random)
    )
    best = target.evaluate(homeward(continuous), episodes=10, seed=1).mean()
    # Four fifths of the way from random to the best.
    assert earned > best - 0.2 * (best - by_chance)


def test_the_same_seed_tries_the_same_checkpoints() -> None:
    short = dcc.DccConfig(
        source_steps=60, maps=CycleConfig(updates=6, model_updates=5, widths=(4,))
    )

    def trials(seed: int) -> list[float]:
        source = Domain(lambda: Line(), "source")
        target = Domain(lambda: Line(), "target", StepBudget(240))
        return dcc.transferred(source, homeward(), target, short, seed).trials

    assert trials(5) == trials(5) != trials(6)
    assert len(trials(5)) == 6


def test_a_peer_stands_beside_ours_in_every_table(tmp_path: Path) -> None:
    folder_of(SOURCE, tmp_path).mkdir(parents=True)
    register_peer("a peer", note)
    register_peer("a peer", note)
    found = rltransfer.benchmark(
        pairs=[PLAIN],
        strategies=["zero-shot", "a peer"],
        seeds=[7, 9],
        run=note,
        log_folder=tmp_path,
    )
    assert [row["strategy"] for row in found.zero_shot] == ["zero-shot", "a peer"]
    assert [row["each seed"] for row in found.zero_shot] == ["7.0 9.0", "7.0 9.0"]
    assert "| plain | a peer | 400 |" in found.markdown.read_text()
    assert any("a peer is a peer" in said for said in found.notes)
    assert found.report is not None
    assert "# with the peers that were registered" in found.report.read_text()
    with pytest.raises(InputError, match="'hold' is taken"):
        register_peer("hold", note)


def test_the_peer_runs_as_a_job_of_the_benchmark(tmp_path: Path) -> None:
    words = [
        *(sys.executable, "scripts/peer_benchmark.py", "--pairs", "cartpole-scrambled"),
        *("--strategies", "dcc", "--jobs", "0", "-f", str(tmp_path / "logs")),
    ]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    # That its name is known is all: a real run of it takes minutes.
    assert done.returncode == 2 and "--jobs is at least 1" in done.stderr
    other = [word if word != "dcc" else "dcd" for word in words]
    done = subprocess.run(other, cwd=root, capture_output=True, text=True, check=False)
    assert "shuffled-map, dcc; got 'dcd'" in done.stderr


def test_a_job_of_the_peer_says_what_transfers_say(tmp_path: Path) -> None:
    short = dcc.DccConfig(
        source_steps=60, maps=CycleConfig(updates=4, model_updates=4, widths=(4,))
    )
    job = Job(TINY, "dcc", 3, tmp_path, peer=Strategy(None, run=dcc.run))
    train_agent(SOURCE, tmp_path)
    record = dcc.run(job, short)
    row = zero_shot_row(TINY, [record], "dcc")
    assert row["strategy"] == "dcc" and row["accepted"] == "1/1"
    assert record["target_steps"] == sum(record["steps"].values()) <= TINY.budget
    assert record["report_seed"] == streams_of(3).integer("report")
    assert record["unmapped"]["episodes"] == record["zero_shot"]["episodes"] == 20
    json.dumps(record, allow_nan=False)
