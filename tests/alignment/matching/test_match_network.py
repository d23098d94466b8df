"""The network that matches variables: what it may not depend on, and its weights."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rltransfer.alignment.matching.domain_graph import DomainGraph
from rltransfer.alignment.matching.match_decoding import (
    Match,
    distinct_matches,
    leave_one_out,
    network_matches,
)
from rltransfer.alignment.matching.match_network import (
    TAG,
    MatchNetwork,
    log_assignment,
)
from rltransfer.alignment.matching.match_training import (
    MatchTraining,
    match_example,
    match_score,
    no_tags,
)
from rltransfer.alignment.matching.match_weights import (
    SHIPPED,
    match_network_facts,
    read_match_network,
    write_match_network,
)
from rltransfer.errors import ArtifactRefused


def example(seed: int):  # type: ignore[no-untyped-def]
    """Returns one pair of continuous systems with several observations."""
    for child in np.random.SeedSequence(seed).spawn(50):
        found = match_example(child, pairs=1, rows=600)
        if not found.source.discrete and found.target.variables > 3:
            return found
    raise AssertionError


@pytest.fixture(scope="module")
def network() -> MatchNetwork:
    return MatchNetwork(torch.Generator().manual_seed(3)).eval()


@pytest.mark.parametrize(("score", "unmatched"), [(0.0, 0.0), (2.0, 0.0), (1.0, 3.0)])
def test_one_pair_is_assigned_as_worked_by_hand(score: float, unmatched: float) -> None:
    # Rows and columns of [[x, 1-x], [1-x, x]] sum to one, and x²/(1-x)² = e^(s-u).
    log = log_assignment(torch.full((1, 1, 1), score), torch.tensor([unmatched]))
    expected = 1 / (1 + math.exp(-(score - unmatched) / 2))
    assert log.exp().item() == pytest.approx(expected, abs=1e-4)


def test_the_better_of_two_partners_is_the_likelier_one() -> None:
    scores = torch.tensor([[[4.0, 0.0], [0.0, 4.0]]])
    found = log_assignment(scores, torch.zeros(1)).exp()[0]
    assert found[0, 0] > 0.7 and found[0, 1] < 0.1
    assert bool((found.sum(dim=0) < 1 + 1e-4).all())


def test_the_network_goes_with_order_and_signs(network: MatchNetwork) -> None:
    graph = example(0).target
    count, nodes = graph.variables, len(graph.kind)
    rng = np.random.default_rng(1)
    seen = int((graph.kind == 0).sum())
    order = [*rng.permutation(seen), *range(seen, nodes)]
    sign = torch.ones(nodes)
    sign[:count] = torch.from_numpy(rng.choice([-1.0, 1.0], count)).float()
    moved = DomainGraph(
        graph.even[:, order],
        graph.odd[:, order] * sign[:, None],
        graph.odd_odd[:, order][:, :, order] * (sign[:, None] * sign)[..., None],
        graph.even_odd[:, order][:, :, order] * sign[:, None],
        graph.even_even[:, order][:, :, order],
        graph.kind,
        graph.discrete,
    )
    source = network.encode(example(1).source)
    tags = torch.zeros(1, source.count, TAG + 1), torch.zeros(1, nodes, TAG + 1)
    with torch.no_grad():
        once = network(source, network.encode(graph), *tags)
        again = network(source, network.encode(moved), *tags)
    expected = once[:, :, order]
    turned = expected.flip(-1)
    expected = torch.where((sign < 0)[:, None], turned, expected)
    # Of reward and termination no sign was changed; observations and actions count.
    torch.testing.assert_close(
        again[..., :count, :], expected[..., :count, :], atol=2e-3, rtol=2e-3
    )
    assert not torch.allclose(again[..., :count, :], once[..., :count, :], atol=0.01)


def test_what_is_tagged_alike_becomes_likelier_once_trained() -> None:
    network, pair = read_match_network(SHIPPED), example(2)
    known = (pair.partner >= 0).nonzero().flatten()
    with torch.no_grad():
        untold = match_score(network, pair, no_tags())
        told = match_score(network, pair, known)
    assert told.loss < untold.loss
    assert float(told.right) > 0.9


def test_branches_of_the_beam_differ_and_pair_like_with_like() -> None:
    network, pair = read_match_network(SHIPPED), example(3)
    found = network_matches(network, pair.source, pair.target, beam=6)
    assert len({match.key for match in found}) == len(found) > 1
    kinds, others = pair.source.kind.numpy(), pair.target.kind.numpy()
    for match in found:
        used = match.partner[match.partner >= 0]
        assert len(set(used.tolist())) == len(used)
        there = match.partner >= 0
        assert (kinds[: len(there)][there] == others[match.partner[there]]).all()
    sure = leave_one_out(network, pair.source, pair.target, found[0])
    assert sure.shape == found[0].partner.shape
    assert ((sure >= 0) & (sure <= 1)).all()
    assert (sure[found[0].partner < 0] == 0).all()


def test_equal_matches_are_one_with_the_better_score() -> None:
    partner = np.array([1, -1])
    same = [Match(partner, np.array([1.0, sign]), sign) for sign in (1.0, -1.0)]
    other = Match(np.array([0, 1]), np.ones(2), 0.5)
    found = distinct_matches([same[1], other, same[0]])
    assert [match.score for match in found] == [1.0, 0.5]


def test_learning_lowers_the_loss_and_goes_on_from_what_was_kept() -> None:
    training = MatchTraining(seed=1)
    again = MatchTraining(seed=1)
    seeds = [
        np.random.SeedSequence(1, spawn_key=(*training.example_root.spawn_key, n))
        for n in range(2)
    ]
    pair = match_example(seeds[0], pairs=2, rows=300)
    losses = [float(training.learn(pair, 0.0).loss) for _ in range(12)]
    assert losses[-1] < losses[0]
    assert (training.updates, training.examples) == (48, 12)
    again.restore(training.arrays(), training.updates, training.examples)
    for name, array in again.arrays().items():
        np.testing.assert_array_equal(array, training.arrays()[name])
    assert again.updates == 48


def test_the_shipped_network_is_small_and_says_how_it_was_trained() -> None:
    assert SHIPPED.stat().st_size < 1e6
    facts = match_network_facts(SHIPPED)
    assert facts["command"].startswith("rltransfer meta-train --minutes ")
    assert facts["updates"] > 1000 and facts["seed"] == 0


def test_every_flipped_bit_of_the_weights_is_refused(tmp_path: Path) -> None:
    data = SHIPPED.read_bytes()
    damaged = tmp_path / "matcher.safetensors"
    for place in np.random.default_rng(0).integers(0, len(data), 24).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        damaged.write_bytes(changed)
        with pytest.raises(ArtifactRefused, match=r"matcher\.safetensors"):
            read_match_network(damaged)
    damaged.write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactRefused, match="is damaged"):
        read_match_network(damaged)


def test_weights_that_are_missing_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    with pytest.raises(ArtifactRefused, match="is missing, which holds"):
        read_match_network(path)
    network = MatchNetwork(torch.Generator().manual_seed(0))
    write_match_network(path, network, {"seed": 0})
    torch.testing.assert_close(
        read_match_network(path).final.weight, network.final.weight.detach()
    )
    network.unmatched.data.fill_(math.nan)
    write_match_network(path, network, {})
    with pytest.raises(ArtifactRefused, match="unmatched does not fit"):
        read_match_network(path)
