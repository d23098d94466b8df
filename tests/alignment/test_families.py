"""Every candidate family on a tiny world whose answer is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.alignment import ActionFitConfig, AlignConfig, Source, SourceModelData
from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families import FAMILIES, propose
from rltransfer.alignment.families.fitted_families import random_turns
from rltransfer.alignment.families.structured_families import marginal_distances
from rltransfer.alignment.fitting_config import MatchingConfig, ResidualConfig
from rltransfer.alignment.matching.match_weights import SHIPPED
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.alignment.response_config import HistoryConfig, RetracingConfig
from rltransfer.domain import Domain, StickyRandomPolicy, Transitions, Whitening
from rltransfer.mapping import Affine, DomainMapping, Prediction, Progress

from .conftest import QUICK

CONFIG = replace(
    QUICK,
    updates=400,
    actions=ActionFitConfig(updates=200),
    residual=ResidualConfig(fewest_rows=300),
    history=HistoryConfig(updates=400, copied_steps=4000),
)
# No model of a swing is poor. So few variables are nearly explained by wrong wirings.
RETRACING = replace(
    CONFIG,
    retracing=RetracingConfig(poor_model=0.0, enough=1e-5, refining_steps=4000),
)
FAMILY = {
    family.name: family
    for family in FAMILIES
    # Of numbered states, pictures and marks on a board: they have tests of their own.
    if family.of_quantities and family.name != "board"
}
STRETCHED = torch.tensor([[0.6, 1.6, 0.1], [-1.2, 0.3, 1.0]])
PERMUTED = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
Array = NDArray[Any]


class Swing(gym.Env[Array, Array]):
    """A driven swing: no mirror image of it moves the same way.

    Args:
        sensors: what shows its angle and speed.
        motor: what becomes of an action.
    """

    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(
        self,
        sensors: Callable[[Tensor], Tensor] = lambda state: state,
        motor: Callable[[Tensor], Tensor] = lambda action: action,
    ) -> None:
        self._sensors, self._motor = sensors, motor
        self._state, self._steps = torch.zeros(2), 0
        size = len(sensors(torch.zeros(2)))
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._state, self._steps = torch.tensor(self.np_random.normal(size=2)), 0
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        push = self._motor(torch.as_tensor(action))
        self._state = self._state + 0.1 * moves(self._state, push)
        self._steps += 1
        return self._shown(), float(self._state[0]), False, self._steps >= 20, {}

    def _shown(self) -> Array:
        shown: Array = self._sensors(self._state.float()).numpy()
        return shown


def moves(state: Tensor, push: Tensor) -> Tensor:
    """Returns what a step changes, in tenths."""
    angle, speed = state[..., :1], state[..., 1:]
    return torch.cat([speed, torch.cos(angle) - speed + 2 * push], dim=-1)


class KnownSwing:
    """A model of a swing; it errs a little, as learned ones do."""

    whitening = Whitening(torch.zeros(2), torch.eye(2), torch.eye(2))
    scale = torch.full((2,), 0.1)
    gain = Affine.of(torch.zeros(2, 2), torch.tensor([0.0, 2.0]))
    numbers: ClassVar[dict[str, Tensor]] = {}

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        flat = torch.zeros_like(state[..., 0])
        return Prediction(moves(state, action) + 0.1, flat, flat)

    def standardised(self, rows: Transitions) -> Transitions:
        return rows


def experience(domain: Domain, seed: int) -> Transitions:
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(seed))
    return domain.collect(
        policy, purpose="exploration", seed=seed, steps=400
    ).transitions


@pytest.fixture(scope="module")
def swing() -> SourceModelData:
    domain = Domain(Swing, "swing")
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    rows = experience(domain, 0)
    source = Source(domain, policy, "swing")
    return SourceModelData(source, KnownSwing(), rows, rows, np.zeros(0))


@dataclass(frozen=True)
class World:
    """A target whose mapping is known.

    Args:
        make: makes it.
        state: from what it shows to angle and speed.
        push: from the action 1 to the push.
        guess: affine map between raw observations that is known before.
        within: mean distance that mapped states may be off.
        config: under which the family has something to say.
    """

    make: Callable[[], Swing]
    state: Callable[[Tensor], Tensor] = lambda shown: shown
    push: float = 1.0
    guess: Tensor | None = None
    within: float = 1e-5
    config: AlignConfig = CONFIG


def from_history(shown: Tensor) -> Tensor:
    """Returns angle and speed from stacks of double angles and the pushes between."""
    angle, earlier, push = shown[:, :1] / 2, shown[:, 1:2] / 2, shown[:, 3:4]
    speed = 10 * (angle - earlier)
    later = speed + 0.1 * (torch.cos(earlier) - speed + 2 * push)
    return torch.cat([angle, later], dim=1)


WORLDS = {
    "identity": World(Swing),
    "history": World(
        lambda: Swing(lambda state: 2 * state[:1]),
        from_history,
        # Where an episode begins no speed is told.
        within=0.2,
    ),
    "same sensors": World(
        lambda: Swing(motor=lambda action: -action.clamp(-0.5, 0.5)), push=-0.5
    ),
    "responses": World(
        lambda: Swing(
            lambda state: state @ STRETCHED + 1.0, motor=lambda action: -action
        ),
        lambda shown: (shown - 1.0) @ torch.linalg.pinv(STRETCHED),
        push=-1.0,
        # Where a swing starts is drawn widely, and few copies start alike.
        within=0.8,
    ),
    "retraced": World(
        lambda: Swing(
            lambda state: state @ STRETCHED + 1.0, motor=lambda action: -action
        ),
        lambda shown: (shown - 1.0) @ torch.linalg.pinv(STRETCHED),
        push=-1.0,
        within=0.2,
        config=RETRACING,
    ),
    "matched": World(
        lambda: Swing(
            lambda state: state @ PERMUTED * torch.tensor([5.0, 0.2]) + 1.0,
            motor=lambda action: -action,
        ),
        lambda shown: (shown - 1.0) / torch.tensor([5.0, 0.2]) @ PERMUTED.T,
        push=-1.0,
        within=0.2,
    ),
    "affine": World(
        lambda: Swing(lambda state: state @ STRETCHED),
        lambda shown: shown @ torch.linalg.pinv(STRETCHED),
        within=0.15,
    ),
    "signed permutation": World(
        lambda: Swing(lambda state: state @ PERMUTED),
        lambda shown: shown @ PERMUTED.T,
        guess=PERMUTED.T + 0.3,
    ),
    "residual": World(
        lambda: Swing(lambda state: torch.sinh(0.7 * state)),
        lambda shown: torch.asinh(shown) / 0.7,
        guess=0.8 * torch.eye(2),
        within=0.4,
    ),
}
"""By family; a new one needs a row here."""


def problem_of(
    swing: SourceModelData,
    make: Callable[[], Swing],
    config: AlignConfig = CONFIG,
) -> AlignmentProblem:
    target = Domain(make, "target")
    return AlignmentProblem.of(swing, target, experience(target, 1), config)


def known(problem: AlignmentProblem, weight: Tensor | None) -> Sequence[Candidate]:
    if weight is None:
        return ()
    state = problem.between(weight, torch.zeros(2))
    mapping = DomainMapping(state, Affine.of(torch.eye(1), torch.zeros(1)))
    return [Candidate(FAMILY["affine"], mapping, problem.error_of(mapping))]


def silent(progress: Progress) -> None:
    """Shows nothing."""


@pytest.mark.parametrize("name", FAMILY)
def test_a_family_finds_the_known_answer(swing: SourceModelData, name: str) -> None:
    world = WORLDS[name]
    problem = problem_of(swing, world.make, world.config)
    before = known(problem, world.guess)
    found = FAMILY[name].propose(problem, before, silent)
    errors = [one.alignment_error for one in found]
    assert errors and errors == sorted(errors)
    best = found[0].mapping
    with torch.no_grad():
        mapped = best.state(problem.rows.observation)
        push = (
            torch.ones(1, 1) if best.action is None else best.action(torch.ones(1, 1))
        )
    # The model errs by a twentieth of a push, so what is fitted to it errs too.
    shown = problem.whitening.unwhiten(problem.rows.observation)
    distance = (mapped - world.state(shown)).norm(dim=-1).mean()
    assert distance <= world.within, (distance, errors)
    assert push.item() == pytest.approx(world.push, abs=0.3)


def test_a_straight_world_is_not_bent(swing: SourceModelData) -> None:
    problem = problem_of(swing, lambda: Swing(lambda state: state @ PERMUTED))
    exact = known(problem, PERMUTED.T)
    assert problem.explains(exact[0].alignment_error)
    assert FAMILY["residual"].propose(problem, exact, silent) == []


def test_mixed_sensors_are_matched_with_nothing(swing: SourceModelData) -> None:
    mixed = torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    problem = problem_of(swing, lambda: Swing(lambda state: state @ mixed))
    before = problem.generator.get_state()
    assert FAMILY["matched"].propose(problem, (), silent) == []
    assert torch.equal(problem.generator.get_state(), before)


def test_logged_rows_alone_are_matched(swing: SourceModelData) -> None:
    target = Domain(WORLDS["matched"].make, "target")
    rows = experience(target, 1)
    problem = AlignmentProblem.of(swing, target, rows[:0], CONFIG, rows)
    assert problem.explored == 0
    found = FAMILY["matched"].propose(problem, (), silent)
    assert found and found[0].settles


def test_a_damaged_match_network_is_said_and_does_without(
    swing: SourceModelData, tmp_path: Path
) -> None:
    damaged = tmp_path / "matcher.safetensors"
    damaged.write_bytes(SHIPPED.read_bytes()[:-1])
    target = Domain(WORLDS["matched"].make, "target")
    config = replace(CONFIG, matching=MatchingConfig(network=str(damaged)))
    problem = AlignmentProblem.of(swing, target, experience(target, 1), config)
    with pytest.warns(UserWarning, match=r"goes on without .*is damaged"):
        found = FAMILY["matched"].propose(problem, (), silent)
    assert found and found[0].settles


def test_after_a_match_that_earned_too_little_the_others_are_asked(
    swing: SourceModelData,
) -> None:
    problem = problem_of(swing, WORLDS["matched"].make)
    first = propose(problem, (), lambda family, progress: None)
    assert {candidate.family.name for candidate in first} == {"matched"}
    fits: set[str] = set()
    propose(problem, first, lambda family, progress: fits.add(family))
    assert {"responses", "affine"} <= fits and "matched" not in fits


def test_sensors_of_another_number_are_not_taken_for_the_same(
    swing: SourceModelData,
) -> None:
    problem = problem_of(swing, lambda: Swing(lambda state: state @ STRETCHED))
    for name in ("identity", "same sensors", "signed permutation"):
        assert FAMILY[name].propose(problem, (), silent) == []


def test_where_the_identity_explains_the_target_nothing_is_fitted(
    swing: SourceModelData,
) -> None:
    fits: list[str] = []
    problem = problem_of(swing, Swing)
    found = propose(problem, (), lambda family, progress: fits.append(family))
    assert [candidate.family.name for candidate in found] == ["identity"]
    assert not fits


def test_families_that_refine_wait_for_a_map_worth_refining(
    swing: SourceModelData,
) -> None:
    # Only the motor is another one: fitted sensors cannot explain it clearly better.
    problem = problem_of(swing, WORLDS["same sensors"].make)
    fits: set[str] = set()
    found = propose(problem, (), lambda family, progress: fits.add(family))
    assert found[0].family.name == "same sensors"
    assert fits == {"matched", "same sensors", "responses", "affine"}


def test_names_tell_families_apart_and_simplicity_all_but_affine_ones() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    alike = [FAMILY[name].simplicity for name in ("responses", "retraced", "affine")]
    others = {f.simplicity for f in FAMILIES} - set(alike)
    assert len(set(alike)) == 1 and len(others) == len(FAMILIES) - 3


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 3), (4, 2), (2, 4)])
def test_random_turns_are_orthonormal_and_of_both_hands(
    inputs: int, outputs: int
) -> None:
    turns = random_turns(32, inputs, outputs, torch.Generator().manual_seed(0))
    assert turns.shape == (32, inputs, outputs)
    tall = turns if inputs >= outputs else turns.transpose(1, 2)
    eye = torch.eye(min(inputs, outputs)).expand(32, -1, -1)
    torch.testing.assert_close(tall.transpose(1, 2) @ tall, eye, atol=1e-5, rtol=0)
    if inputs == outputs:
        turning = (torch.linalg.det(turns) > 0).sum().item()
        assert 8 <= turning <= 24


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        ([0.0], [1.0], 1.0),  # two points
        ([0.0, 2.0], [2.0, 0.0], 0.0),
        ([0.0], [0.0, 2.0], 0.5),  # from 0 to 2, F - G = F + G - 2FG = 1/2
        # Mean distances: 3/2 between them, 1/2 and 1 within them.
        ([0.0, 1.0], [1.0, 3.0], (2 * 1.5 - 0.5 - 1) / (2 * 1.5)),
        ([5.0, 5.0], [5.0], 0.0),
    ],
)
def test_marginal_distance_is_the_energy_distance_as_a_share(
    some: list[float], others: list[float], expected: float
) -> None:
    columns = [
        torch.tensor(part)[:, None] * torch.tensor([[1.0, -1e3]])
        for part in (some, others)
    ]
    found = marginal_distances(*columns)
    torch.testing.assert_close(found, torch.full((2,), expected).double())


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_sensors_that_cannot_be_the_same_are_not_taken_for_it(
    swing: SourceModelData, scale: float
) -> None:
    problem = problem_of(swing, lambda: Swing(lambda state: scale * state + 1 - scale))
    for name in ("identity", "same sensors"):
        found = FAMILY[name].propose(problem, (), silent)
        assert bool(found) == (scale == 1.0)
