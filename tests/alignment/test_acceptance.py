import numpy as np
import pytest

from rltransfer.alignment.acceptance_test import AcceptanceTest, random_to_beat


def test_clearly_better_is_accepted_in_plain_words() -> None:
    acceptance = AcceptanceTest(
        np.array([10.0, 9.0, 11.0, 12.0]), np.array([500.0] * 3), 0.95
    )
    assert acceptance.accepted
    assert acceptance.verdict.startswith(
        "accepted: better than random with 95 % confidence"
    )


def test_no_better_is_refused_with_the_way_out() -> None:
    acceptance = AcceptanceTest(
        np.array([10.0, 9.0, 11.0]), np.array([10.0, 9.5, 10.5]), 0.95
    )
    assert not acceptance.accepted
    assert "not better than random" in acceptance.verdict
    assert "train from scratch" in acceptance.verdict


def test_too_few_episodes_are_not_called_no_better() -> None:
    acceptance = AcceptanceTest(np.array([-30.0]), np.array([95.0, 96.0]), 0.95)
    assert not acceptance.accepted
    assert acceptance.verdict.startswith("refused, too few episodes to decide")


@pytest.mark.parametrize(
    ("random", "own"), [(np.zeros(0), np.ones(3)), (np.ones(3), np.zeros(0))]
)
def test_a_test_without_episodes_is_refused(
    random: np.ndarray, own: np.ndarray
) -> None:
    acceptance = AcceptanceTest(random, own, 0.95)
    assert not acceptance.accepted and "raise -n" in acceptance.verdict


def test_the_better_way_of_acting_at_random_has_to_be_beaten() -> None:
    held, single = np.array([10.0, 10.0, 9.0]), np.array([22.0, 25.0, 19.0])

    def beaten(first: np.ndarray, second: np.ndarray, episodes: int) -> list[float]:
        returns = random_to_beat(first, second, episodes, confidence=0.95, fewest=3)
        return returns.tolist()

    assert beaten(held, single, 5) == [22.0, 25.0, 19.0]
    assert beaten(single, held, 5) == [22.0, 25.0, 19.0]
    assert len(beaten(held, single[:2], 5)) == 5
    # Three random episodes against one of the mapping could decide nothing.
    assert len(beaten(held, single, 1)) == 6
