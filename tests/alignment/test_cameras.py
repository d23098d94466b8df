"""Pictures to states: where the source may go, and a small world seen by a camera."""

import math
from dataclasses import replace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.alignment import AlignConfig, Source, SourceModelData, align
from rltransfer.alignment.families.camera_family import camera
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.source_paths import (
    CameraConfig,
    Paths,
    Stretches,
    drawn_starts,
    followed,
    likelihoods,
    trajectories,
)
from rltransfer.alignment.wirings import every_wiring
from rltransfer.domain import (
    Domain,
    StickyRandomPolicy,
    Transitions,
    Whitening,
    codec_of,
)
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Prediction
from rltransfer.wrappers import StepBudget

Array = NDArray[Any]
PIXELS = 24


class Spring(gym.Env[Any, Array]):
    """A mass that gravity and a spring draw to one side of where it starts.

    Args:
        filmed: whether two frames of it are shown, and its motor is reversed.
    """

    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, filmed: bool = False) -> None:
        self._filmed = filmed
        self.observation_space = (
            gym.spaces.Box(0, 255, (2, 1, PIXELS), np.uint8)
            if filmed
            else gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._state, self._steps = torch.tensor(self.np_random.normal(0, 0.3, 2)), 0
        self._before = self._frame()
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        push = torch.as_tensor(action) * (-1.0 if self._filmed else 1.0)
        self._before = self._frame()
        self._state = self._state + 0.2 * moves(self._state, push)
        self._steps += 1
        return self._shown(), float(self._state[0]), False, self._steps >= 20, {}

    def _frame(self) -> Array:
        place = PIXELS / 2 + 2.0 * float(self._state[0])
        bright = np.exp(-((np.arange(PIXELS) - place) ** 2) / 4)
        return np.rint(255 * bright).astype(np.uint8)[None]

    def _shown(self) -> Array:
        if self._filmed:
            return np.stack([self._before, self._frame()])
        return self._state.numpy().astype(np.float32)


def moves(state: Tensor, push: Tensor) -> Tensor:
    """Returns what a step changes, in fifths."""
    place, speed = state[..., :1], state[..., 1:]
    return torch.cat([speed, torch.cos(place) - speed + 2 * push], dim=-1)


class KnownSpring:
    """The model of it, without an error; it is paid its place."""

    whitening = Whitening(torch.zeros(2), torch.eye(2), torch.eye(2))
    scale = torch.full((2,), 0.2)
    gain = Affine.of(torch.zeros(2, 2), torch.tensor([0.0, 2.0]))
    numbers: ClassVar[dict[str, Tensor]] = {}

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        delta = moves(state, action)
        paid = state[..., 0] + 0.2 * delta[..., 0]
        return Prediction(delta, paid, torch.full_like(paid, -9.0))

    def standardised(self, rows: Transitions) -> Transitions:
        return rows


def rows_of(lengths: list[int]) -> Transitions:
    """Episodes of these lengths; observation and reward are the number of the row."""
    count = sum(lengths)
    number = torch.arange(count).float()
    last = torch.zeros(count, dtype=torch.bool)
    last[torch.tensor(lengths).cumsum(0) - 1] = True
    return Transitions(
        torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths)),
        number[:, None],
        torch.ones(count, 1),
        number,
        number[:, None] + 0.5,
        last,
        torch.zeros(count, dtype=torch.bool),
    )


def test_stretches_reach_to_the_end_of_their_episode() -> None:
    stretches = Stretches.of(rows_of([5, 2]), explored=5, most=3)
    nothing = math.nan
    np.testing.assert_array_equal(
        stretches.places, [[0, 1, 2], [2, 3, 4], [5, 6, nothing]]
    )
    assert stretches.at_reset.tolist() == [True, False, True]
    assert stretches.at_random.tolist() == [True, True, False]
    shown = [[0.0, 0.5, 1.5, 2.5], [2.0, 2.5, 3.5, 4.5], [5.0, 5.5, 6.5, 0.0]]
    assert stretches.shown.squeeze(2).tolist() == shown
    assert stretches.there.tolist()[2] == [True, True, True, False]


def test_starts_come_from_the_pool_of_their_kind() -> None:
    stretches = Stretches.of(rows_of([6, 6]), explored=6, most=3)
    pools = [torch.full((4, 1), float(kind)) for kind in range(3)]
    starts = drawn_starts(stretches, pools, 2, np.random.default_rng(0))
    assert starts.squeeze(2).tolist() == [[0, 0], [1, 1], [0, 0], [2, 2]]


def test_paths_follow_the_actions_from_their_starts() -> None:
    starts = torch.tensor([[[0.0, 1.0], [0.0, -1.0]]])
    paths = followed(KnownSpring(), torch.zeros(1, 1, 1), starts)
    # Speed carries the place, and then gravity and friction change it.
    np.testing.assert_allclose(
        paths.states[0, :, 1].numpy(), [[0.2, 1.0], [-0.2, -0.6]], atol=1e-6
    )
    np.testing.assert_allclose(paths.rewards[0, :, 0].numpy(), [0.2, -0.2], atol=1e-6)


def two_paths(rewards: list[list[float]], ends: list[list[float]]) -> Paths:
    states = torch.zeros(1, 2, 3, 1)
    return Paths(states, torch.tensor([rewards]), torch.tensor([ends]))


def test_paths_count_that_are_paid_and_end_like_the_target() -> None:
    stretches = Stretches.of(rows_of([2]), explored=2, most=2)
    rewards, config = stretches.rows.reward, CameraConfig(counting=1)
    never = [[-9.0, -9.0]] * 2
    paid = two_paths([[0.0, 1.0], [5.0, 5.0]], never)
    told = likelihoods(paid, stretches, rewards, (True, True), config)
    assert told.tolist()[0] == pytest.approx([1.0, 0.0])
    ending = two_paths([[5.0, 5.0]] * 2, [[-9.0, -9.0], [-9.0, 9.0]])
    told = likelihoods(ending, stretches, rewards, (True, True), config)
    # The logits differ by 18 where the episode ended.
    assert told.tolist()[0] == pytest.approx([math.exp(-9), 1.0], abs=1e-3)


def test_rewards_that_no_path_is_paid_tell_nothing() -> None:
    stretches = Stretches.of(rows_of([2]), explored=2, most=2)
    odd = two_paths([[3.0, 8.0], [5.0, 5.0]], [[0.0, 0.0]] * 2)
    told = likelihoods(
        odd, stretches, stretches.rows.reward, (False, True), CameraConfig()
    )
    assert told.tolist() == [[0.5, 0.5]]


def test_paths_become_a_mean_and_the_directions_of_their_differences() -> None:
    stretches = Stretches.of(rows_of([2]), explored=2, most=3)
    states = torch.tensor([[[[1.0], [1.0], [1.0], [9.0]], [[-1.0]] * 3 + [[9.0]]]])
    found = trajectories(stretches, states, torch.full((1, 2), 0.5), directions=1)
    assert found.mean.squeeze().tolist() == [0.0, 0.0, 0.0, 0.0]
    assert found.variance.tolist() == [[pytest.approx(3.0)]]
    direction = found.directions.squeeze().abs().tolist()
    assert direction == pytest.approx([3**-0.5] * 3 + [0.0])


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (gym.spaces.Discrete(3), 6),
        (gym.spaces.Box(-1.0, 1.0, (2,)), 8),
        (gym.spaces.Box(-1.0, 1.0, (3,)), 48),
    ],
)
def test_motors_are_wired_in_every_order_and_direction(
    space: gym.Space[Any], count: int
) -> None:
    found = [*every_wiring(codec_of(space, "World-v0"), 48)]
    assert len({one.tobytes() for one in found}) == len(found) == count
    assert all((np.abs(one).sum(axis=0) == 1).all() for one in found)


def test_too_many_wirings_are_refused_before_any_is_tried() -> None:
    six = codec_of(gym.spaces.Box(-1.0, 1.0, (6,)), "World-v0")
    with pytest.raises(InputError, match=r"at most 48; there are 46,080 of 6 motors"):
        every_wiring(six, 48)


@pytest.fixture(scope="module")
def spring() -> SourceModelData:
    torch.set_num_threads(1)
    domain = Domain(Spring, "spring")
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    rows = domain.collect(policy, purpose="source", seed=0, steps=1000).transitions
    source = Source(domain, policy, "spring")
    return SourceModelData(source, KnownSpring(), rows, rows, np.zeros(0))


QUICK = CameraConfig(stretch=20, paths=64, first_updates=60, updates=300, batch=16)


def test_a_filmed_spring_is_understood_without_a_pair(spring: SourceModelData) -> None:
    target = Domain(lambda: Spring(filmed=True), "film")
    policy = StickyRandomPolicy(target.actions, np.random.default_rng(1))
    shown = target.collect(policy, purpose="exploration", seed=1, steps=600)
    # Rewards are left out: what acts on the state has to be enough.
    config = AlignConfig(camera=replace(QUICK, rewards=False))
    problem = AlignmentProblem.of(spring, target, shown.transitions, config)
    found = camera(problem, (), lambda progress: None)
    assert len(found) == 1
    taken = found[0].mapping.action
    assert taken is not None
    assert taken(torch.ones(1, 1)).item() == -1.0
    with torch.no_grad():
        mapped = found[0].mapping.state(problem.rows.next_observation)
    # It is paid its place, which nothing above has seen.
    left = (mapped[:, 0] - shown.transitions.reward).var()
    assert left < 0.1 * shown.transitions.reward.var()


def test_a_source_that_shows_pictures_is_refused(spring: SourceModelData) -> None:
    film = Domain(lambda: Spring(filmed=True), "film", StepBudget(400))
    own = Source(film, spring.source.policy, "film")
    with pytest.raises(InputError, match="trained on states"):
        align([own], film, AlignConfig())
