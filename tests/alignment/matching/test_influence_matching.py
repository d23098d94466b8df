"""Matches without a network, on systems whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.held_out import held_out_scores
from rltransfer.alignment.matching.influence_matching import (
    influence_matches,
    refined_matches,
)
from rltransfer.alignment.matching.match_decoding import Match
from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.alignment.matching.match_proposals import (
    MatchSide,
    in_turn,
    match_proposals,
    matchable,
)
from rltransfer.alignment.matching.match_weights import SHIPPED, read_match_network
from rltransfer.domain import Transitions
from rltransfer.errors import InputError

ORDER, SIGN = [2, 0, 1], [-1.0, 1.0, -1.0]
"""Of the target's sensors: which of the source's each shows, and how."""
UNITS, ORIGIN = torch.tensor([3.0, 0.1, 20.0]), torch.tensor([1.0, -5.0, 0.0])


def chain(seed: int, rows: int) -> Transitions:
    """Returns rows of three masses in a row, of which two motors push the outer ones.

    They differ in all they do: in damping, in what bounds them, in where they start.
    """
    rng = np.random.default_rng(seed)
    state, action = np.zeros((rows + 1, 3)), np.zeros((rows, 2))
    begins = np.zeros(rows, bool)
    for step in range(rows):
        if step % 40 == 0:
            begins[step] = True
            state[step] = rng.normal(size=3) * [0.2, 1.0, 0.1] + [1.0, 0.0, -0.5]
        if step % 3 == 0:
            action[step] = rng.uniform(-1, 1, 2)
        else:
            action[step] = action[step - 1]
        first, second, third = state[step]
        push, pull = action[step]
        state[step + 1] = (
            first + 0.1 * (push - 0.2 * first),
            second + 0.1 * (first - second**3),
            third + 0.1 * (second + 2 * pull - third),
        )
    shown = torch.from_numpy(state).float()
    return Transitions(
        torch.from_numpy(begins.cumsum()),
        shown[:-1],
        torch.from_numpy(action).float(),
        shown[1:, 2],
        shown[1:],
        torch.zeros(rows, dtype=torch.bool),
        torch.zeros(rows, dtype=torch.bool),
    )


def behind(rows: Transitions) -> Transitions:
    """Returns rows as other sensors and motors show them."""

    def shown(state: torch.Tensor) -> torch.Tensor:
        return state[:, ORDER] * torch.tensor(SIGN) * UNITS + ORIGIN

    return replace(
        rows,
        observation=shown(rows.observation),
        next_observation=shown(rows.next_observation),
        action=rows.action[:, [1, 0]] * torch.tensor([1.0, -1.0]),
    )


PARTNER = [1, 2, 0, 4, 3]
TURNED = [1.0, -1.0, -1.0, -1.0, 1.0]
"""The right answer, sensors and then motors."""


@pytest.fixture(scope="module")
def sides() -> tuple[MatchSide, MatchSide]:
    return MatchSide(chain(0, 1200), False), MatchSide(behind(chain(1, 400)), False)


def test_a_known_order_is_found_without_a_network(
    sides: tuple[MatchSide, MatchSide],
) -> None:
    source, target = (side.graph for side in sides)
    best = influence_matches(source, target, 4, np.random.default_rng(0))[0]
    assert best.partner.tolist() == PARTNER
    assert best.sign.tolist() == TURNED


@pytest.mark.parametrize("swapped", [(0, 1), (0, 2), (3, 4)])
def test_a_match_that_is_nearly_right_is_put_right(
    sides: tuple[MatchSide, MatchSide], swapped: tuple[int, int]
) -> None:
    source, target = (side.graph for side in sides)
    wrong, sign = np.array(PARTNER), np.array(TURNED)
    wrong[list(swapped)] = wrong[list(swapped)[::-1]]
    sign[2] = -sign[2]
    given = Match(wrong, sign, 0.0)
    found = refined_matches(source, target, [given], 4)
    assert (found[0].partner.tolist(), found[0].sign.tolist()) == (PARTNER, TURNED)
    assert len({match.key for match in found}) == len(found) == 4
    scores = [match.score for match in found]
    assert scores == sorted(scores, reverse=True)


def test_what_has_no_partner_may_be_given_to_be_refined(
    sides: tuple[MatchSide, MatchSide],
) -> None:
    source, target = (side.graph for side in sides)
    given = Match(np.array([1, -1, 0, 4, 3]), np.ones(5), 0.0)
    best = refined_matches(source, target, [given], 4)[0]
    assert (best.partner.tolist(), best.sign.tolist()) == (PARTNER, TURNED)


def test_a_known_order_is_found_with_the_shipped_network(
    sides: tuple[MatchSide, MatchSide],
) -> None:
    network = read_match_network(SHIPPED)
    found = match_proposals(*sides, network, 8, np.random.default_rng(0))
    answers = [(m.partner.tolist(), m.sign.tolist()) for m in found.matches]
    assert (PARTNER, TURNED) in answers
    assert len(answers) <= 8 and found.confidence is not None
    assert found.confidence.shape == (5,)


def test_a_sensor_that_is_missing_has_no_partner_and_one_more_is_left_over(
    sides: tuple[MatchSide, MatchSide],
) -> None:
    source, target = sides
    less = replace(
        source.rows,
        observation=source.rows.observation[:, 1:],
        next_observation=source.rows.next_observation[:, 1:],
    )
    best = influence_matches(
        MatchSide(less, False).graph, target.graph, 4, np.random.default_rng(0)
    )[0]
    assert best.partner.tolist() == [2, 0, 4, 3]
    turned = influence_matches(
        target.graph, MatchSide(less, False).graph, 4, np.random.default_rng(0)
    )[0]
    assert sorted(turned.partner.tolist()) == [-1, 0, 1, 2, 3]


def test_matches_are_taken_in_turn_and_each_once() -> None:
    first, second, third = (
        Match(np.array([place]), np.ones(1), 0.0) for place in range(3)
    )
    again = Match(np.array([0]), np.ones(1), 1.0)
    found = in_turn([first, second], [third, again], beam=8)
    assert [match.partner[0] for match in found] == [0, 2, 1]
    assert in_turn([first, second], [third], beam=2) == (first, third)


def test_choices_are_never_turned_round() -> None:
    rows = chain(0, 400)
    choices = torch.eye(2)[(rows.action[:, 0] > 0).long()]
    side = MatchSide(replace(rows, action=choices), True)
    for match in influence_matches(side.graph, side.graph, 8, np.random.default_rng(0)):
        assert (match.sign[3:] == 1).all()


@pytest.mark.parametrize(
    ("rows", "discrete", "reason"),
    [
        (chain(0, 49), False, "at least 50 rows of each side, the target has 49"),
        (chain(0, 60), True, "the source's are continuous and the target's discrete"),
        (
            replace(chain(0, 60), reward=torch.full((60,), torch.inf)),
            False,
            "finite numbers of ordinary size, the target has others",
        ),
        (
            replace(
                chain(0, 60),
                observation=torch.full((60, 3), -3e38),
                next_observation=torch.full((60, 3), 3e38),
            ),
            False,
            "finite numbers of ordinary size, the target has others",
        ),
        (
            replace(
                chain(0, 60),
                observation=torch.zeros(60, 70),
                next_observation=torch.zeros(60, 70),
            ),
            False,
            "at most 64 observations and actions, the target has 72",
        ),
    ],
)
def test_what_cannot_be_matched_is_refused_in_one_line(
    rows: Transitions, discrete: bool, reason: str
) -> None:
    source, target = MatchSide(chain(0, 60), False), MatchSide(rows, discrete)
    assert reason in (matchable(source, target) or "")
    with pytest.raises(InputError, match="matching") as refused:
        match_proposals(source, target, None, 8, np.random.default_rng(0))
    assert "\n" not in str(refused.value) and ";" in str(refused.value)


def test_a_sensor_that_never_moves_does_no_harm() -> None:
    rows = chain(0, 200)
    still = replace(
        rows,
        observation=torch.cat([rows.observation, torch.ones(200, 1)], dim=1),
        next_observation=torch.cat([rows.next_observation, torch.ones(200, 1)], dim=1),
    )
    graph = MatchSide(still, False).graph
    assert graph.finite
    found = influence_matches(graph, graph, 4, np.random.default_rng(0))
    assert found[0].partner.tolist() == [0, 1, 2, 3, 4, 5]


def test_held_out_scores_are_shares_and_repeat() -> None:
    network = MatchNetwork(torch.Generator().manual_seed(0)).eval()
    once, again = (list(held_out_scores(network, pairs=2)) for _ in range(2))
    assert once == again and [one.rows for one in once] == [256, 1000]
    for scores in once:
        assert all(0 <= share <= 1 for share in scores[2:])
        assert scores.first <= scores.beam


def test_graphs_of_one_side_match_themselves() -> None:
    graph: DomainGraph = MatchSide(chain(0, 600), False).graph
    best = influence_matches(graph, graph, 1, np.random.default_rng(0))[0]
    assert best.partner.tolist() == [0, 1, 2, 3, 4] and (best.sign == 1).all()
