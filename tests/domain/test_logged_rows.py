"""Logged columns become transitions where they fit a domain, and words where not."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.domain import Domain, LoggedRows, StickyRandomPolicy, Transitions
from rltransfer.domain.logged_rows import spread_over
from rltransfer.errors import InputError
from tests.worlds.line import Line
from tests.worlds.logs import Columns, columns_of
from tests.worlds.points import Point
from tests.worlds.rings import Ring


def rows_of(columns: Columns, domain: Domain, most: int = 10_000) -> LoggedRows:
    about = {"origin": "a.npz", "sha256": "ab" * 32, "least": 100, "most": most}
    return LoggedRows.of(columns, domain, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [Point, lambda: Point(continuous=True), lambda: Point(start=3), Line],
    ids=["choices", "vectors", "choices from 3", "numbers"],
)
def test_a_log_says_what_acting_itself_would_have_kept(
    make: Callable[[], Any],
) -> None:
    env, domain = make(), Domain(make, "world")
    columns = columns_of(env, 130)
    taken: Transitions = rows_of(columns, domain).transitions
    assert len(taken) == 130
    over = columns["terminated"] | columns["truncated"]
    episode = np.concatenate([[0], over[:-1].cumsum()])
    assert taken.episode.tolist() == episode.tolist()
    decoded = domain.actions.decode(taken.action.numpy())
    start = int(getattr(env.action_space, "start", 0))
    np.testing.assert_allclose(decoded + start, columns["action"], atol=1e-6)
    for name in ("observation", "next_observation", "reward", "terminated"):
        kept = getattr(taken, name)
        torch.testing.assert_close(kept, torch.from_numpy(columns[name]).to(kept.dtype))


def test_an_episode_may_break_off_unmarked_where_numbers_say_so() -> None:
    columns, domain = columns_of(Line(), 140), Domain(Line, "line")
    numbers = np.arange(140) // 20
    kept = np.arange(140) % 20 < 15  # the ends are gone, and with them their marks
    cut = {name: rows[kept] for name, rows in columns.items()}
    with pytest.raises(InputError, match=r"step 15 of .* does not: keep the order"):
        rows_of(cut, domain)
    found = rows_of({**cut, "episode": numbers[kept]}, domain)
    assert found.episodes == 7 and found.steps == 105
    assert not found.transitions.truncated.any()


def test_of_a_long_log_whole_episodes_are_kept_evenly_spread() -> None:
    episode = np.repeat(np.arange(6), 10)
    kept = spread_over(episode, 30)
    assert sorted(set(episode[kept])) == [0, 2, 4] and len(kept) == 30
    assert spread_over(episode, 60).tolist() == list(range(60))
    assert spread_over(np.zeros(50, np.int64), 20).tolist() == list(range(20))
    found = rows_of(columns_of(Line(), 200), Domain(Line, "line"), most=100)
    # Every second one of ten episodes of 20 steps, numbered anew.
    assert found.transitions.episode.unique().tolist() == [0, 1, 2, 3, 4]
    assert found.record()["used_steps"] == 100 and found.record()["steps"] == 200


def changed(**changes: Callable[[Any], Any]) -> Columns:
    columns = columns_of(Point(), 120)
    return {
        **columns,
        **{name: change(columns[name].copy()) for name, change in changes.items()},
    }


def put(value: Any, place: Any = 7) -> Callable[[Any], Any]:
    def change(rows: Any) -> Any:
        rows[place] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (lambda: {}, "has no observation, action, reward"),
        (lambda: {**changed(), "action": np.zeros((120, 3))}, "has rows of shape"),
        (lambda: changed(observation=lambda x: x[:, :1]), "shows 2 numbers"),
        (lambda: changed(observation=lambda x: x[:99]), "99 of observation, 120 of"),
        (lambda: changed(action=lambda x: x.astype(float)), "action of a.npz is of"),
        (lambda: changed(action=put(4)), "has 4 at step 7"),
        (lambda: changed(action=put(-1)), "has -1 at step 7"),
        (lambda: changed(reward=put(np.nan)), "reward must be finite, step 7"),
        (lambda: changed(observation=put(np.inf)), "observation must be finite"),
        (
            lambda: changed(next_observation=lambda x: x.astype(float) * 1e300),
            "next_observation must be finite, step 0",
        ),
        (lambda: changed(observation=lambda x: x * 0), "must show what happens"),
        (lambda: changed(terminated=lambda x: x + 2), "must be true or false, step 0"),
        (lambda: changed(observation=lambda x: x[::-1]), "begin where the one before"),
        (lambda: {n: x[:99] for n, x in changed().items()}, "fewer than 100 logged"),
    ],
)
def test_what_is_no_log_of_the_domain_is_refused(
    columns: Callable[[], Columns], said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        rows_of(columns(), Domain(Point, "point"))
    assert "\n" not in str(refused.value)


def test_actions_in_other_units_are_refused_and_rounding_is_not() -> None:
    columns, domain = columns_of(Line(), 120), Domain(Line, "line")
    other = {**columns, "action": columns["action"] * 3}
    with pytest.raises(InputError, match="as they were handed to step"):
        rows_of(other, domain)
    columns["action"][3] = 2.0001  # of bounds at 2
    assert float(rows_of(columns, domain).transitions.action[3]) == 1.0


def test_a_log_of_numbered_states_holds_their_numbers() -> None:
    columns, domain = columns_of(Ring(4), 120), Domain(lambda: Ring(4), "ring")
    taken = rows_of(columns, domain).transitions
    assert taken.observation.argmax(dim=1).tolist() == columns["observation"].tolist()
    columns["observation"][3] = 4
    with pytest.raises(InputError, match=r"shows states of Discrete\(4\), observation"):
        rows_of(columns, domain)


class Switches(Line):
    """Pushed by the sum of two choices."""

    def __init__(self) -> None:
        super().__init__(continuous=False)
        self.action_space = gym.spaces.MultiDiscrete([2, 3])

    def step(self, action: Any) -> Any:
        return super().step(int(action.sum() > 1))


def test_a_log_of_several_choices_holds_a_row_of_them() -> None:
    columns, domain = columns_of(Switches(), 120), Domain(Switches, "switches")
    taken = rows_of(columns, domain).transitions
    decoded = domain.actions.decode(taken.action.numpy())
    assert decoded.tolist() == columns["action"].tolist()
    for wrong in (columns["action"] + 1, columns["action"][:, :1]):
        with pytest.raises(InputError, match="as they were handed to step"):
            rows_of({**columns, "action": wrong}, domain)


def test_who_chooses_several_at_once_acts_and_is_recorded() -> None:
    domain = Domain(Switches, "switches")
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(0), longest=1)
    rows = domain.collect(policy, purpose="x", seed=0, steps=60).transitions
    assert rows.action.shape == (60, 6)
    assert set(rows.action.argmax(dim=1).tolist()) == set(range(6))
