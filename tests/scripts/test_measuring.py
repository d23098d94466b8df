"""The script that measures pairs: what it keeps, what it compares, what it prints."""

import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import measure_transfer
from measure_transfer import Measured, Run, folder_of, measure, row, transferred
from rltransfer.errors import InputError
from rltransfer_envs.pairs import PAIRS, Agent, Goal, Pair
from tests.effort import QUICK

SOURCE = Agent("CartPole-v1", "ppo", 256, hyperparams={"n_steps": 32})
TINY = Pair(
    "tiny",
    SOURCE,
    "rltransfer/CartPole-v0",
    400,
    (Goal("unmapped", 1.0), Goal("home", 0.7)),
    "the same",
    {"force": 9.0},
)


def told(zero_shot: float, random: float = 10.0, **more: Any) -> Run:
    """What a transfer might have printed; five episodes around each mean."""

    def summary(mean: float) -> Run:
        return {"mean_return": mean, "returns": [mean + n for n in range(-2, 3)]}

    return {
        "zero_shot": summary(zero_shot),
        "random": summary(random),
        "source_at_home": summary(110.0),
        "unmapped": summary(60.0),
        "accepted": True,
        "target_steps": 90,
        "seconds": 2.0,
        "seed": 0,
        **more,
    }


def cells(pair: Pair, runs: list[Run]) -> dict[str, str]:
    header = measure_transfer.COLUMNS.splitlines()[0]
    return dict(zip(words(header), words(row(pair, runs)), strict=True))


def words(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


class Counting:
    """A transfer that takes no time, and notes that it was asked for."""

    def __init__(self, result: Callable[[int], Run]) -> None:
        self.result, self.asked = result, list[tuple[str, int]]()

    def __call__(self, pair: Pair, seed: int) -> Run:
        self.asked.append((pair.name, seed))
        return self.result(seed)


def test_a_small_pair_is_trained_transferred_and_compared(tmp_path: Path) -> None:
    run = transferred(TINY, 1, tmp_path, weak_source=True, hyperparams=QUICK)
    assert run["target"] == "rltransfer/CartPole-v0 (force=9.0)"
    assert run["target_steps"] <= 400
    assert len(run["unmapped"]["returns"]) == len(run["zero_shot"]["returns"]) == 20
    assert run["unmapped"]["seed"] == run["report_seed"]
    source = folder_of(SOURCE, tmp_path)
    assert source == tmp_path / "ppo" / "CartPole-v1_1"
    config = (source / "CartPole-v1" / "config.yml").read_text()
    assert "n_steps: 32" in config or "- 32" in config
    before = (source / "CartPole-v1.zip").stat().st_mtime_ns
    assert folder_of(SOURCE, tmp_path) == source
    assert (source / "CartPole-v1.zip").stat().st_mtime_ns == before


def test_what_is_finished_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once, again = Counting(told), Counting(told)
    other = replace(TINY, budget=200)
    assert measure([TINY], [1, 2], Measured(tmp_path, fresh=False), once) == []
    first = capsys.readouterr().out
    measure([TINY, other], [2, 1, 3], Measured(tmp_path, fresh=False), again)
    assert once.asked == [("tiny", 1), ("tiny", 2)]
    # Another seed or budget is another measurement.
    assert again.asked == [("tiny", 3), ("tiny", 2), ("tiny", 1), ("tiny", 3)]
    assert "| 1.0 2.0 |" in first
    assert "| 2.0 1.0 3.0 |" in capsys.readouterr().out


def test_fresh_measures_anew_and_the_last_figures_count(tmp_path: Path) -> None:
    measure([TINY], [1], Measured(tmp_path, fresh=False), Counting(told))
    anew = Counting(lambda seed: told(77.0))
    measure([TINY], [1], Measured(tmp_path, fresh=True), anew)
    assert len(anew.asked) == 1
    kept = Measured(tmp_path, fresh=False).run(TINY, 1, Counting(told))
    assert kept["zero_shot"]["mean_return"] == 77.0


@pytest.mark.parametrize("lost", [1, 9, 80])
def test_an_unfinished_last_line_is_ignored(tmp_path: Path, lost: int) -> None:
    measured = Measured(tmp_path, fresh=False)
    measure([TINY], [1, 2], measured, Counting(told))
    whole = measured.path.read_bytes()
    measured.path.write_bytes(whole[:-lost])
    again = Counting(told)
    measure([TINY], [1, 2], Measured(tmp_path, fresh=False), again)
    assert again.asked == [("tiny", 2)]
    assert measured.path.read_bytes() == whole


def test_stopping_keeps_what_is_finished(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(seed: int) -> Run:
        if seed == 2:
            raise KeyboardInterrupt
        return told(1.0)

    with pytest.raises(KeyboardInterrupt):
        measure([TINY], [1, 2], Measured(tmp_path, fresh=False), Counting(stop))
    again = Counting(told)
    measure([TINY], [1, 2], Measured(tmp_path, fresh=False), again)
    assert again.asked == [("tiny", 2)]


def test_a_pair_that_fails_does_not_end_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(seed: int) -> Run:
        raise InputError("the rule; the remedy")

    measured = Measured(tmp_path, fresh=False)
    assert measure([TINY], [1, 2], measured, Counting(refuse)) == ["tiny"]
    assert "| tiny | failed: the rule; the remedy |" in capsys.readouterr().out


def test_seeds_are_drawn_once_from_those_never_tuned_on(tmp_path: Path) -> None:
    seeds = Measured(tmp_path, fresh=False).seeds()
    assert len(set(seeds)) == 5
    assert all(200 <= seed <= 4_000 for seed in seeds)
    assert Measured(tmp_path, fresh=False).seeds() == seeds
    assert Measured(tmp_path, fresh=True).seeds() != seeds


def test_every_goal_counts_by_the_median_run() -> None:
    # Home is 110 and random 10, so 0.7 of the way is 80; unmapped is 60.
    found = cells(TINY, [told(79.0), told(81.0), told(90.0)])
    assert found["reached"] == "yes"
    assert found["goal"] == "≥ 1 of unmapped 60.0 and ≥ 0.7 of home 110.0"
    assert found["share of home"] == "0.71"
    assert found["accepted"] == "3/3"
    assert found["harm"] == "0"
    short = cells(TINY, [told(79.0), told(79.5), told(90.0)])
    assert short["reached"] == "**no**"
    refused = cells(TINY, [told(90.0), told(90.0, accepted=False)])
    assert refused["reached"] == "**no**"
    strong = [told(90.0, unmapped={"mean_return": 91.0})]
    assert cells(TINY, strong)["reached"] == "**no**"


def test_a_share_of_the_expert_starts_at_random_actions() -> None:
    # Random is -40 and the expert earns -5: 0.7 of the way is -15.5.
    pair = replace(TINY, goals=(Goal("expert", 0.7),))
    expert = {"mean_return": -5.0}
    near = told(-15.4, random=-40.0, unmapped=expert)
    far = told(-15.6, random=-40.0, unmapped=expert)
    assert cells(pair, [near])["reached"] == "yes"
    assert cells(pair, [far])["reached"] == "**no**"


def test_harm_is_how_often_and_how_far_below_random() -> None:
    found = cells(TINY, [told(4.0), told(9.0), told(30.0)])
    assert found["harm"] == "2: -6.0"


def test_an_unrelated_source_is_accepted_rightly_only_where_the_gap_is_sure() -> None:
    pair = PAIRS["cartpole-pendulum"]
    wrong = cells(pair, [told(10.5), told(9.0, accepted=False)])
    refused = cells(pair, [told(x, accepted=False) for x in (10.5, 9.0)])
    assert wrong["95 % interval"] == refused["95 % interval"] == "9.0 to 10.5"
    assert wrong["reached"] == "**no**"
    assert wrong["accepted"].startswith("1/2; -2.9 to 3.9 above random, seed 0")
    assert wrong["share of home"] == ""
    assert cells(pair, [told(20.0)])["reached"] == "yes"
    assert cells(pair, [told(9.0, accepted=False)])["reached"] == "yes"


def test_where_refusal_is_as_good_it_must_be_of_all_seeds() -> None:
    pair = PAIRS["cartpole-positions"]
    refused, solved = told(10.0, accepted=False), told(109.0)
    assert cells(pair, [refused, refused])["reached"] == "yes"
    assert cells(pair, [solved, solved])["reached"] == "yes"
    assert cells(pair, [refused, solved, solved])["reached"] == "**no**"
    assert cells(pair, [refused])["goal"] == "≥ 0.9 of home 110.0, or refused"


def test_a_measurement_that_is_finished_is_printed_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = PAIRS["cartpole-scrambled"]
    measured = Measured(tmp_path, fresh=False)
    measure([pair], measured.seeds(), measured, Counting(lambda _: told(501.0)))
    printed = capsys.readouterr().out
    words = ["measure", "--pairs", pair.name, "--log-folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(measure_transfer.__file__, run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out == printed
