"""A mapping fitted anew: in worlds whose true mapping is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rltransfer.alignment import AlignConfig, Alignment
from rltransfer.alignment.families import REFITTED
from rltransfer.alignment.refitting import Refitting, with_candidate
from rltransfer.translation import MappedPolicy
from rltransfer.translation.altered_translations import noisy
from tests.alignment.conftest import QUICK
from tests.worlds.line import homeward


def worth(alignment: Alignment, policy: MappedPolicy) -> float:
    return float(alignment.target.evaluate(policy, episodes=10, seed=3).mean())


def spoilt(alignment: Alignment) -> MappedPolicy:
    return noisy(alignment.lead, 1.0, np.random.default_rng(3))


def set_to(config: AlignConfig, clearly_less: float) -> AlignConfig:
    return replace(
        config, refitting=replace(config.refitting, clearly_less=clearly_less)
    )


def test_a_spoilt_mapping_is_mended_by_what_was_seen(mirrored: Alignment) -> None:
    worse = spoilt(mirrored)
    again = Refitting(mirrored, QUICK)(worse, mirrored.experience)
    assert again is not None
    good, bad = worth(mirrored, mirrored.lead), worth(mirrored, worse)
    # All but a tenth of what the noise took is there again.
    assert worth(mirrored, again) > good - 0.1 * (good - bad) > bad
    measured = Refitting(mirrored, QUICK).candidate
    before, after = (
        measured(one, mirrored.experience).alignment_error for one in (worse, again)
    )
    assert after < 0.1 * before


def test_a_mapping_that_explains_the_rows_is_left_as_it_is(mirrored: Alignment) -> None:
    refit = Refitting(mirrored, set_to(QUICK, 1e-3))
    assert refit(mirrored.lead, mirrored.experience) is None


@pytest.mark.parametrize("without", ["refitted", "tuned,refitted"])
def test_it_can_be_left_out(mirrored: Alignment, without: str) -> None:
    refit = Refitting(mirrored, replace(QUICK, without=without))
    assert refit(spoilt(mirrored), mirrored.experience) is None


def test_what_acts_without_a_mapping_is_not_fitted(mirrored: Alignment) -> None:
    assert Refitting(mirrored, QUICK)(homeward(), mirrored.experience) is None


def test_the_same_seed_fits_the_same(mirrored: Alignment) -> None:
    worse = spoilt(mirrored)
    one, other = (
        Refitting(mirrored, QUICK)(worse, mirrored.experience) for _ in range(2)
    )
    assert one is not None and other is not None
    states = one.translation.state, other.translation.state
    for ours, theirs in zip(*(s.parameters() for s in states), strict=True):
        assert torch.equal(ours, theirs)


def test_the_mapping_of_a_policy_is_the_one_that_made_it(mirrored: Alignment) -> None:
    candidate = Refitting(mirrored, QUICK).candidate(mirrored.lead, mirrored.experience)
    assert candidate.family is REFITTED
    white = mirrored.whitening.whiten(mirrored.experience.observation)
    with torch.no_grad():
        own = mirrored.chosen.candidate.mapping.state(white)
        assert torch.allclose(candidate.mapping.state(white), own, atol=1e-4)
    kept = with_candidate(mirrored, candidate, spoilt(mirrored))
    assert kept.chosen.candidate is candidate and kept.policy is not mirrored.policy
