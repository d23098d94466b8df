"""Students of small policies, and what a policy's step costs, counted by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rltransfer.domain import codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Chain, FitConfig, Mlp, ResidualAffine
from rltransfer.translation import MappedPolicy, Translation
from rltransfer_agents.export.distillation import Distillation, StudentShape
from rltransfer_agents.export.multiplications import of_network, of_policy
from rltransfer_agents.policies import FrozenPolicy
from rltransfer_agents.policies.activations import Dense
from rltransfer_agents.policies.heads import Categorical
from rltransfer_agents.policies.observation_encoders import Vector
from tests.worlds.points import Chooser

PLANE = spaces.Box(-np.inf, np.inf, (2,), np.float32)
CHOICES, MOTOR = spaces.Discrete(2), spaces.Box(-3.0, 1.0, (1,), np.float32)
TEACHERS: dict[str, tuple[Any, Any]] = {
    "choices": (CHOICES, lambda x: (x[..., 0] > x[..., 1]).astype(np.int64)),
    "a motor": (MOTOR, lambda x: np.clip(x[..., :1] - x[..., 1:], -3, 1)),
}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("kind", sorted(TEACHERS))
def test_a_student_acts_as_its_teacher_where_it_was_taught(kind: str) -> None:
    space, choose = TEACHERS[kind]
    shape = StudentShape(PLANE, space, 8)
    quick = FitConfig(updates=300, learning_rate=2e-2)
    learning = Distillation(Chooser(choose), shape, generator(), quick)
    rng = np.random.default_rng(0)
    # Sensors of other sizes, and one that is far from zero.
    rows = rng.normal(size=(400, 2)).astype(np.float32) * [1, 2] + [50, 49]
    learning.learn(rows.astype(np.float32))
    assert learning.rows == 400
    fresh = (rng.normal(size=(300, 2)) * [1, 2] + [50, 49]).astype(np.float32)
    acted, _ = learning.student.predict(fresh, deterministic=True)
    missed = np.abs(acted - choose(fresh)).mean()
    assert missed < 0.15  # of a chance level of 0.5 and more
    assert of_policy(learning.student, space) == 2 * 8 + 8 * 8 + 8 * len(
        learning.student.output.bias
    )


def test_what_is_too_large_to_learn_from_is_refused() -> None:
    space, choose = TEACHERS["choices"]
    learning = Distillation(Chooser(choose), StudentShape(PLANE, space, 4), generator())
    rows = np.full((20, 2), np.float32(np.nan))
    with pytest.raises(InputError, match="observations of ordinary size"):
        learning.learn(rows)


def policy(inputs: int, width: int, outputs: int) -> FrozenPolicy:
    def layer(rows: int, columns: int) -> Dense:
        zeros = np.zeros((rows, columns), np.float32), np.zeros(columns, np.float32)
        return Dense(*zeros)

    box = spaces.Box(-1.0, 1.0, (inputs,), np.float32)
    hidden, output = layer(inputs, width), layer(width, outputs)
    choices = spaces.Discrete(outputs)
    return FrozenPolicy(
        box, choices, Vector((inputs,)), (hidden,), output, Categorical()
    )


@pytest.mark.parametrize(
    ("target", "search"),
    [
        # Of each listed action: the difference through a 2 x 2 metric, and its square.
        (spaces.Discrete(3), 3 * (2 * 2 + 2)),
        # One motor: its row through the metric, and two products with that.
        (MOTOR, 2 * 2 + 2 * 2),
        # Two: pull 8, normal 8, right side 4, elimination 2 and substitution 4.
        (spaces.Box(-1.0, 1.0, (2,), np.float32), 8 + 8 + 4 + 2 + 4),
    ],
)
def test_a_step_of_a_mapped_policy_is_counted_with_its_search(
    target: Any, search: int
) -> None:
    here, there = codec_of(CHOICES, "source"), codec_of(target, "target")
    translation = Translation(
        state=Affine(2, 3, generator=generator()),
        unwhiten=Affine(3, 3, generator=generator()),
        gain=Mlp(3, (5,), 3 * here.size, generator=generator()),
        action=Affine(there.size, here.size, generator=generator()),
    )
    mapped = MappedPolicy(policy(3, 4, 2), translation, here, there)
    # Both outputs of the state map as one layer, then the policy 3-4-2.
    observing, acting = 2 * (3 + 3), 3 * 4 + 4 * 2
    gain, metric = 3 * 5 + 5 * 6, 2 * 3 * 2
    assert of_policy(mapped, target) == observing + acting + gain + metric + search


def test_exchanged_choices_need_no_search() -> None:
    codec = codec_of(CHOICES, "both")
    exchange = Affine.of(torch.eye(2).flip(0), torch.zeros(2))
    residual = ResidualAffine(3, (4,), 3, generator=generator())
    translation = Translation(
        state=Chain(Affine(2, 3, generator=generator()), residual),
        unwhiten=Affine(3, 3, generator=generator()),
        gain=Mlp(3, (5,), 6, generator=generator()),
        action=exchange,
    )
    assert of_network(translation.state) == 2 * 3 + 3 * 3 + (3 * 4 + 4 * 3)
    mapped = MappedPolicy(policy(3, 4, 2), translation, codec, codec)
    assert of_policy(mapped, CHOICES) == 39 + 9 + 20 + 4
    twice = MappedPolicy(mapped, Translation.identity(2), codec, codec)
    with pytest.raises(InputError, match="make a transfer from the agent itself"):
        of_policy(twice, CHOICES)
