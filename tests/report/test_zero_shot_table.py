"""The row of a pair: goals, harm and refusals, from what transfers print."""

from dataclasses import replace

import pytest

from rltransfer.report.zero_shot_table import zero_shot_row
from rltransfer_envs.pairs import PAIRS, Goal
from tests.worlds.fake_jobs import PLAIN, TINY, told


def test_every_goal_counts_by_the_median_run() -> None:
    # Home is 110 and random 10, so 0.7 of the way is 80; unmapped is 60.
    found = zero_shot_row(TINY, [told(79.0), told(81.0), told(90.0)])
    assert found["reached"] == "yes"
    assert found["goal"] == "≥ 1 of unmapped 60.0 and ≥ 0.7 of home 110.0"
    assert found["share of home"] == "0.71"
    assert found["accepted"] == "3/3"
    assert found["harm"] == "0"
    assert found["used"] == "90"
    short = zero_shot_row(TINY, [told(79.0), told(79.5), told(90.0)])
    assert short["reached"] == "no"
    refused = zero_shot_row(TINY, [told(90.0), told(90.0, accepted=False)])
    assert refused["reached"] == "no"
    strong = [told(90.0, unmapped={"mean_return": 91.0})]
    assert zero_shot_row(TINY, strong)["reached"] == "no"


def test_a_share_of_the_expert_starts_at_random_actions() -> None:
    # Random is -40 and the expert earns -5: 0.7 of the way is -15.5.
    pair = replace(TINY, goals=(Goal("expert", 0.7),))
    expert = {"mean_return": -5.0}
    near = told(-15.4, random=-40.0, unmapped=expert)
    far = told(-15.6, random=-40.0, unmapped=expert)
    assert zero_shot_row(pair, [near])["reached"] == "yes"
    assert zero_shot_row(pair, [far])["reached"] == "no"


def test_harm_is_how_often_and_how_far_below_random() -> None:
    found = zero_shot_row(TINY, [told(4.0), told(9.0), told(30.0)])
    assert found["harm"] == "2: -6.0"


def test_an_unrelated_source_is_accepted_rightly_only_where_the_gap_is_sure() -> None:
    pair = PAIRS["cartpole-pendulum"]
    wrong = zero_shot_row(pair, [told(10.5), told(9.0, accepted=False)])
    refused = zero_shot_row(pair, [told(x, accepted=False) for x in (10.5, 9.0)])
    assert wrong["95 % interval"] == refused["95 % interval"] == "9.0 to 10.5"
    assert wrong["reached"] == "no"
    assert wrong["accepted"].startswith("1/2; -2.9 to 3.9 above random, seed 0")
    assert wrong["share of home"] == ""
    assert zero_shot_row(pair, [told(20.0)])["reached"] == "yes"
    assert zero_shot_row(pair, [told(9.0, accepted=False)])["reached"] == "yes"


def test_where_refusal_is_as_good_it_must_be_of_all_seeds() -> None:
    pair = PAIRS["cartpole-positions"]
    refused, solved = told(10.0, accepted=False), told(109.0)
    assert zero_shot_row(pair, [refused, refused])["reached"] == "yes"
    assert zero_shot_row(pair, [solved, solved])["reached"] == "yes"
    assert zero_shot_row(pair, [refused, solved, solved])["reached"] == "no"
    assert zero_shot_row(pair, [refused])["goal"] == "≥ 0.9 of home 110.0, or refused"


@pytest.mark.parametrize("accepted", [True, False])
def test_where_nothing_is_asked_nothing_is_reached(accepted: bool) -> None:
    found = zero_shot_row(PLAIN, [told(9.0, accepted=accepted)])
    assert (found["goal"], found["reached"]) == ("", "")
    assert found["95 % interval"] == "n/a"
