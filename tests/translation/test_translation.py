from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rltransfer.domain import Whitening, codec_of
from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import Affine, Chain, Mlp, Network, ResidualAffine
from rltransfer.translation import (
    MappedPolicy,
    Translation,
    load_translation,
    save_translation,
    translator_of,
)
from rltransfer.translation.effect_matching import reordering
from rltransfer.translation.numpy_networks import array_map
from tests.worlds.points import Home

FOUR = codec_of(gym.spaces.Discrete(4), "four")
PLANE = codec_of(gym.spaces.Box(-1.0, 1.0, (2,)), "plane")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Halves(Network):
    """A network that NumPy has no page for."""

    copies, inputs, outputs = None, 3, 3

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    @classmethod
    def build(cls, settings: dict[str, Any]) -> "Halves":
        return cls()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


NETWORKS: dict[str, Network] = {
    "any other": Halves(),
    "affine": Affine(3, 2, activation="tanh", generator=generator()),
    "mixture": Affine(3, 2, activation="sum_to_one", generator=generator()),
    "scaled": Affine(3, 2, activation="rms_norm", generator=generator()),
    "mlp": Mlp(3, (5, 4), 2, activation="relu", generator=generator()),
    "squashed": Mlp(3, (5,), 2, output_activation="sigmoid", generator=generator()),
    "residual": ResidualAffine(
        3, (4,), 2, output_activation="sum_to_one", generator=generator()
    ),
    "chain": Chain(
        Affine(3, 3, generator=generator()), Mlp(3, (4,), 2, generator=generator(1))
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_arrays_compute_what_the_network_computes(name: str) -> None:
    network, rows = NETWORKS[name], torch.randn(7, 3, generator=generator(5))
    expected = network(rows).detach().numpy()
    compute = array_map(network)
    np.testing.assert_allclose(compute(rows.numpy()), expected, atol=1e-6)
    np.testing.assert_allclose(compute(rows.numpy()[2]), expected[2], atol=1e-6)


def test_a_stack_has_no_one_array_map() -> None:
    with pytest.raises(ValueError, match="one copy is needed"):
        array_map(Affine(2, 2, copies=3, generator=generator()))


def test_the_nearest_effect_wins_even_where_the_vector_is_far() -> None:
    # Three target actions are taken for these mixtures of two source actions.
    carried = torch.tensor([[1.0, 5.0], [0.6, 0.0], [-1.0, 0.1]])
    translate = translator_of(
        Affine.of(carried, torch.zeros(2)), codec_of(gym.spaces.Discrete(3), "t")
    )
    # Only the first source coordinate does anything.
    metric = np.array([[1.0, 0.0], [0.0, 0.0]], np.float32)
    wanted = np.array([0.9, 0.0], np.float32)
    assert translate(wanted, metric).tolist() == [1.0, 0.0, 0.0]
    assert translate(wanted, np.eye(2, dtype=np.float32)).tolist() == [0.0, 1.0, 0.0]


def test_an_affine_action_map_is_solved_for() -> None:
    turn = torch.tensor([[0.0, 1.0], [-2.0, 0.0]])
    translate = translator_of(Affine.of(turn, torch.tensor([0.1, 0.0])), PLANE)
    # a · turn + bias = (0.5, 0.4)  →  a = (0.4, -0.2)
    found = translate(np.array([0.5, 0.4]), np.eye(2))
    np.testing.assert_allclose(found, [0.4, -0.2], atol=1e-3)


def test_a_bent_action_map_is_searched_over_the_box() -> None:
    network = Mlp(2, (8,), 2, generator=generator(2))
    translate = translator_of(network, PLANE)
    goal = network(torch.tensor([[0.5, -0.75]]))[0].detach().numpy()
    found = translate(goal, np.eye(2))
    np.testing.assert_allclose(found, [0.5, -0.75], atol=0.126)  # two grid steps


def policy(action: Network | None, **given: Any) -> MappedPolicy:
    sensors = torch.tensor([[0.0, 2.0], [-1.0, 0.0]])  # shown = position · sensors
    state = Affine.of(sensors.inverse(), torch.zeros(2))
    unwhiten = Affine.of(torch.eye(2), torch.zeros(2))
    # Pushes east, north, west and south; rows are x and y.
    table = torch.tensor([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
    gain = Affine.of(torch.zeros(2, 8), table.reshape(-1))
    translation = Translation(state, unwhiten, None if action is None else gain, action)
    return MappedPolicy(Home(), translation, FOUR, given.get("target", FOUR))


def test_a_policy_acts_through_turned_sensors_and_swapped_motors() -> None:
    swapped = torch.eye(4)[[2, 1, 0, 3]]  # the target's east pushes west
    mapped = policy(Affine.of(swapped, torch.zeros(4)))
    east_of_home = np.array([1.0, 0.0]) @ np.array([[0.0, 2.0], [-1.0, 0.0]])
    assert mapped.predict(east_of_home, deterministic=True)[0] == 0
    south_of_home = np.array([0.0, -1.0]) @ np.array([[0.0, 2.0], [-1.0, 0.0]])
    assert mapped.predict(south_of_home, deterministic=True)[0] == 1


def test_a_discrete_policy_moves_a_continuous_body() -> None:
    # Motors: the first pushes north, the second west.
    motors = torch.tensor([[0.0, 0.5, 0.0, -0.5], [-0.5, 0.0, 0.5, 0.0]])
    mapped = policy(
        Affine.of(motors, torch.full((4,), 0.25), activation="sum_to_one"),
        target=PLANE,
    )
    east_of_home = np.array([1.0, 0.0]) @ np.array([[0.0, 2.0], [-1.0, 0.0]])
    action, _ = mapped.predict(east_of_home, deterministic=True)
    np.testing.assert_allclose(action, [0.0, 1.0], atol=1e-3)


def test_choices_in_another_order_are_chosen_as_by_their_effects() -> None:
    turned = torch.eye(4)[[2, 0, 3, 1]]
    nearly = Affine.of(turned + 1e-4, torch.zeros(4))
    assert reordering(nearly, FOUR, FOUR) is None
    assert reordering(Affine.of(turned, torch.zeros(4)), PLANE, FOUR) is None
    exact, compared = policy(Affine.of(turned, torch.zeros(4))), policy(nearly)
    rows = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    for shown in (rows, rows[0]):
        chosen, _ = exact.predict(shown, deterministic=True)
        np.testing.assert_array_equal(
            chosen, compared.predict(shown, deterministic=True)[0]
        )


def test_a_batch_is_its_rows() -> None:
    mapped = policy(Affine.of(torch.eye(4), torch.zeros(4)))
    rows = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    batch, _ = mapped.predict(rows, deterministic=True)
    single = [mapped.predict(row, deterministic=True)[0] for row in rows]
    np.testing.assert_array_equal(batch, single)


def test_equal_spaces_need_no_action_map() -> None:
    translation = Translation.identity(2)
    mapped = MappedPolicy(Home(), translation, FOUR, FOUR)
    assert mapped.predict(np.array([1.0, 0.1]))[0] == Home().predict([1.0, 0.1])[0]


def test_unchanged_sensors_are_shown_to_the_bit_whatever_whitens_them() -> None:
    sample = 1e3 * torch.rand(200, 5, generator=generator()) ** 2
    sample[:, 1] = 1e-5 * sample[:, 0] + 1e-6 * sample[:, 1]
    whitening = Whitening.of(sample)
    white = Affine.of(whitening.matrix, -whitening.mean @ whitening.matrix)
    back = Affine.of(whitening.inverse, whitening.mean)
    seen = sample.numpy()
    mapped = MappedPolicy(Home(), Translation(white, back, None, None), PLANE, PLANE)
    np.testing.assert_array_equal(mapped.source_observation(seen), seen)
    assert not np.array_equal(whitening.unwhiten(whitening.whiten(sample)), seen)
    # A thousandth more of one sensor is a map like any other.
    more = Affine.of(white.weight * 1.001, white.bias)
    other = MappedPolicy(Home(), Translation(more, back, None, None), PLANE, PLANE)
    assert not np.allclose(other.source_observation(seen), seen, rtol=1e-4)


def test_gain_without_action_map_is_refused() -> None:
    unchanged = Affine.of(torch.eye(2), torch.zeros(2))
    with pytest.raises(ValueError, match="needs the gain"):
        Translation(unchanged, unchanged, None, unchanged)


@pytest.mark.parametrize("with_actions", [True, False])
def test_a_stored_translation_acts_the_same(tmp_path: Path, with_actions: bool) -> None:
    action = Affine.of(torch.eye(4), torch.zeros(4)) if with_actions else None
    mapped = policy(action)
    save_translation(tmp_path, mapped.translation)
    loaded = MappedPolicy(Home(), load_translation(tmp_path), FOUR, FOUR)
    rows = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    np.testing.assert_array_equal(loaded.predict(rows)[0], mapped.predict(rows)[0])


def test_a_translation_with_a_part_missing_is_refused(tmp_path: Path) -> None:
    mapped = policy(Affine.of(torch.eye(4), torch.zeros(4)))
    save_translation(tmp_path, mapped.translation)
    for file in (tmp_path / "action").iterdir():
        file.unlink()
    with pytest.raises(ArtifactRefused, match="action"):
        load_translation(tmp_path)


def test_parts_of_two_translations_are_refused(tmp_path: Path) -> None:
    save_translation(tmp_path, Translation.identity(2))
    save_translation(tmp_path / "other", Translation.identity(3))
    (tmp_path / "unwhiten").rename(tmp_path / "gone")
    (tmp_path / "other" / "unwhiten").rename(tmp_path / "unwhiten")
    with pytest.raises(ArtifactRefused, match="do not fit together"):
        load_translation(tmp_path)


def remembering() -> MappedPolicy:
    """Returns a policy that sees a point go from where it was to where it is."""
    # Of two observations and the action between them, the step on from the last one.
    weight = torch.zeros(2 + 2 + 4, 2)
    weight[:2], weight[2:4] = 2 * torch.eye(2), -torch.eye(2)
    unchanged = Affine.of(torch.eye(2), torch.zeros(2))
    state = Affine.of(weight, torch.zeros(2))
    parts = Translation(state, unchanged, None, None, steps=2)
    return MappedPolicy(Home(), parts, FOUR, FOUR)


def test_a_policy_that_remembers_sees_where_things_go() -> None:
    policy, ahead = remembering(), np.array([0.1, 1.0], np.float32)
    first, state = policy.predict(ahead)
    # Home pushes against what it sees: south. Falling fast, it pushes north.
    assert first == 3
    second, state = policy.predict(ahead - np.array([0.0, 0.6], np.float32), state)
    assert second == 1
    # Where it forgets, as in a new episode, it pushes south again.
    assert policy.predict(np.array([0.1, 0.4], np.float32))[0] == 3
    with pytest.raises(ValueError, match="goes on for the same rows"):
        policy.predict(np.zeros((3, 2), np.float32), state)


def test_each_row_of_a_batch_remembers_its_own_episode() -> None:
    policy, rng = remembering(), np.random.default_rng(0)
    walks = rng.normal(size=(6, 3, 2)).astype(np.float32)
    starts = np.zeros((6, 3), bool)
    starts[0], starts[4, 1] = True, True  # the second one begins again
    state, together = None, []
    for rows, begun in zip(walks, starts, strict=True):
        actions, state = policy.predict(rows, state, begun)
        together.append(actions)
    for place in range(3):
        state = None
        for step in range(6):
            state = None if starts[step, place] else state
            action, state = policy.predict(walks[step, place], state)
            assert action == together[step][place]


def test_what_a_translation_remembers_is_stored(tmp_path: Path) -> None:
    policy = remembering()
    save_translation(tmp_path, policy.translation)
    again = MappedPolicy(Home(), load_translation(tmp_path), FOUR, FOUR)
    assert again.history == policy.history and again.history.size == 8
    odd = Translation(Halves(), policy.translation.unwhiten, None, None, steps=2)
    with pytest.raises(ValueError, match="cannot have 3 inputs"):
        MappedPolicy(Home(), odd, FOUR, FOUR)
    save_translation(
        tmp_path, Translation(odd.unwhiten, odd.unwhiten, None, None, steps=99)
    )
    with pytest.raises(ArtifactRefused, match="1 to 16 observations"):
        load_translation(tmp_path)
