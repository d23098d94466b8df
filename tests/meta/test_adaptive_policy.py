"""A map is corrected where its target changes, and only then, and never for worse."""

from collections.abc import Mapping
from typing import Any, final

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from rltransfer.domain import History, Transitions, Whitening, codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Chain, Mlp, Network, Prediction, in_turn
from rltransfer.meta import AdaptConfig, AdaptivePolicy, Look
from rltransfer.translation import MappedPolicy, Translation

PULL = torch.tensor([[-0.1, 0.05], [-0.3, -0.2]])
PUSH = torch.tensor([[0.3, 0.1]])
STARTS = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
CODEC = codec_of(gym.spaces.Box(-1.0, 1.0, (1,), np.float32), "line")


@final
class Linear:
    """A source that moves by z PULL + a PUSH, known exactly."""

    def __init__(self) -> None:
        self.whitening = Whitening(torch.zeros(2), torch.eye(2), torch.eye(2))
        self.scale = torch.ones(2)

    @property
    def gain(self) -> Network:
        return Affine.of(torch.zeros(2, 2), PUSH.reshape(-1))

    @property
    def numbers(self) -> Mapping[str, Tensor]:
        return {}

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        nothing = torch.zeros(state.shape[:-1])
        return Prediction(state @ PULL + action @ PUSH, nothing, nothing)

    def standardised(self, rows: Transitions) -> Transitions:
        return rows


class Pushing:
    """Pushes as seen, and by an irregular sequence, so that steps tell of the map."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def predict(self, observation: Any, *_: Any, **__: Any) -> tuple[Any, None]:
        rows = np.atleast_2d(observation)
        pushes = 0.1 * rows[:, :1] + self.rng.uniform(-0.9, 0.9, (len(rows), 1))
        return (pushes if np.ndim(observation) > 1 else pushes[0]).astype("f4"), None


def turned(degrees: float) -> Tensor:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float32)


def own(model: Linear, steps: int = 200) -> Transitions:
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(steps, 2, generator=generator)
    action = torch.rand(steps, 1, generator=generator) * 2 - 1
    after = state + model.predict(state, action).delta
    none = torch.zeros(steps)
    return Transitions(
        none.long(), state, action, none, after, none.bool(), none.bool()
    )


def adaptive(
    state: Network | None = None, model: Any = None, **options: Any
) -> AdaptivePolicy:
    model = model or Linear()
    plain = Affine.of(torch.eye(2), torch.zeros(2))
    translation = Translation(state or plain, plain, None, None)
    policy = MappedPolicy(Pushing(), translation, CODEC, CODEC)
    config = AdaptConfig(**{"every": 20, "window": 100, "ridge": 1e-4} | options)
    return AdaptivePolicy(policy, model, own(Linear()), STARTS, config)


def act(policy: AdaptivePolicy, steps: int, sensors: Tensor, start: int = 0) -> None:
    """Acts in the source itself, shown through `sensors`, in episodes of 20 steps."""
    rng, state, memory = np.random.default_rng(start), torch.zeros(2), None
    for step in range(steps):
        if step % 20 == 0:
            state, memory = torch.from_numpy(rng.normal(size=2).astype("f4")), None
        shown = (state @ sensors).numpy()
        action, memory = policy.predict(shown, memory, deterministic=True)
        with torch.no_grad():
            push = torch.from_numpy(np.asarray(action, "f4"))
            state = state + Linear().predict(state, push).delta


def mapped(policy: AdaptivePolicy) -> Tensor:
    state = policy.policy.translation.state
    with torch.no_grad():
        offset = state(torch.zeros(1, 2))
        weight: Tensor = state(torch.eye(2)) - offset
    return torch.cat([weight, offset])


def test_sensors_that_turned_are_turned_back() -> None:
    policy = adaptive()
    act(policy, 200, turned(20))
    expected = torch.cat([turned(-20), torch.zeros(1, 2)])
    torch.testing.assert_close(mapped(policy), expected, atol=0.02, rtol=0)
    assert policy.refits >= 1


def test_nothing_is_changed_where_the_map_is_right() -> None:
    # Exact in the source, too: what float32 leaves is no change of the target.
    policy = adaptive(noticed=1e3)
    act(policy, 200, torch.eye(2))
    assert (policy.refits, policy.refused) == (0, 0)
    torch.testing.assert_close(mapped(policy)[:2], torch.eye(2), atol=0, rtol=0)


def test_a_map_of_any_kind_is_corrected_by_one_layer_behind_it() -> None:
    generator = torch.Generator().manual_seed(0)
    bent = Chain(
        Affine.of(torch.eye(2), torch.zeros(2)), Mlp(2, (4,), 2, generator=generator)
    )
    policy = adaptive(bent)
    act(policy, 400, turned(20))
    state = policy.policy.translation.state
    assert policy.refits >= 2
    assert isinstance(state, Chain) and len(state.links) == 2


def test_steps_are_counted_within_episodes_and_looks_are_told() -> None:
    looks: list[Look] = []
    policy = adaptive()
    policy._watch = looks.append
    act(policy, 100, torch.eye(2))
    # 5 episodes of 20 steps, of which the last is not seen to its end.
    assert policy.steps == 95
    assert [look.steps for look in looks] == [20, 40, 60, 80]


def test_rows_whose_episode_begins_are_no_steps() -> None:
    policy = adaptive()
    rows = np.zeros((3, 2), np.float32)
    _, memory = policy.predict(rows, None)
    policy.predict(rows, memory, np.array([True, False, False]))
    assert policy.steps == 2


def test_what_is_not_finite_is_not_learned_from() -> None:
    policy = adaptive()
    act(policy, 50, torch.eye(2))
    before, steps = mapped(policy), policy.steps
    seen = np.zeros(2, np.float32)
    _, memory = policy.predict(seen, None)
    policy.predict(np.full(2, np.nan, np.float32), memory)
    assert policy.steps == steps
    torch.testing.assert_close(mapped(policy), before, atol=0, rtol=0)


@final
class Broken:
    """A source model that says nothing finite any more once it is broken."""

    def __init__(self) -> None:
        self._linear, self.broken = Linear(), False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._linear, name)

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        return self._linear.predict(state * float("nan" if self.broken else 1), action)


def test_the_last_map_stays_where_no_fit_explains_more() -> None:
    model = Broken()
    policy = adaptive(model=model)
    model.broken = True
    act(policy, 200, turned(20))
    assert policy.refits == 0 and policy.refused > 0
    torch.testing.assert_close(mapped(policy)[:2], torch.eye(2), atol=0, rtol=0)


def test_the_same_seed_gives_the_same_map() -> None:
    found = []
    for _ in range(2):
        policy = adaptive()
        act(policy, 200, turned(20))
        found.append(mapped(policy))
    torch.testing.assert_close(*found, atol=0, rtol=0)


def test_a_model_that_was_learned_anew_changes_no_action() -> None:
    # Other white coordinates of the same source: the map goes to them.
    model = Linear()
    model.whitening = Whitening(
        torch.tensor([1.0, 2.0]),
        torch.diag(torch.tensor([2.0, 4.0])),
        torch.diag(torch.tensor([0.5, 0.25])),
    )
    policy = adaptive(model=model)
    translation = policy.policy.translation
    seen = in_turn(translation.state, translation.unwhiten)
    rows = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen(rows), rows, atol=1e-6, rtol=0)


def test_stacks_of_observations_are_mapped_as_well() -> None:
    history = History(2, 2, 1)
    newest = torch.zeros(history.size, 2)
    newest[:2] = torch.eye(2)
    plain = Affine.of(torch.eye(2), torch.zeros(2))
    state = Affine.of(newest, torch.zeros(2))
    translation = Translation(state, plain, None, None, steps=2)
    policy = AdaptivePolicy(
        MappedPolicy(Pushing(), translation, CODEC, CODEC),
        Linear(),
        own(Linear()),
        STARTS,
        AdaptConfig(every=20, window=100, ridge=1e-4),
    )
    act(policy, 200, turned(20))
    weight = policy.policy.translation.state
    assert isinstance(weight, Affine) and policy.refits >= 1
    torch.testing.assert_close(weight.weight[:2], turned(-20), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"window": 10}, "window must be at least 8 and `every`, got 10"),
        ({"held_out": 1.0}, "held_out must be between 0 and 1"),
        ({"ridge": 0.0}, "ridge must be above 0"),
    ],
)
def test_settings_of_no_use_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AdaptConfig(**options)


def test_the_model_of_another_source_is_refused() -> None:
    model = Linear()
    model.scale = torch.ones(3)
    with pytest.raises(InputError, match="got 2 and 3"):
        adaptive(model=model)
