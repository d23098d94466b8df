"""The named source and target pairs that benchmarks and tests go through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, final

SCRAMBLED = "rltransfer/Scrambled-v0"


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """A source, a target, and the goal of a transfer between them."""

    name: str
    source: str
    target: str
    algorithm: Literal["a2c", "dqn", "ppo", "sac", "td3"]
    """The source is trained with it."""
    budget: int
    """Steps in the target, all counted; a hard limit."""
    threshold: float | None
    """For the median zero-shot return over seeds: a return, or a share of what the
    source policy earns in the target without a mapping; None where refusal is right."""
    notes: str
    goal: Literal["return", "share of source", "refusal"] = "return"
    target_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Of a scrambled target all but the seed, which `target_options` adds."""

    @property
    def scrambled(self) -> bool:
        """Whether the target differs from seed to seed."""
        return self.target == SCRAMBLED

    def target_options(self, seed: int) -> dict[str, Any]:
        """Returns the target's keyword arguments, for one scramble if there is any."""
        return {**self.target_kwargs, **({"seed": seed} if self.scrambled else {})}


_ALL = (
    Pair(
        name="cartpole-scrambled",
        source="CartPole-v1",
        target=SCRAMBLED,
        target_kwargs={"base": "CartPole-v1"},
        algorithm="ppo",
        budget=2_000,
        threshold=495.0,
        notes="the quickest; the demonstration",
    ),
    Pair(
        name="acrobot-scrambled",
        source="Acrobot-v1",
        target=SCRAMBLED,
        target_kwargs={"base": "Acrobot-v1"},
        algorithm="dqn",
        budget=4_000,
        threshold=-85.0,
        notes="six dimensions, chaotic, mirror-symmetric",
    ),
    Pair(
        name="pendulum-scrambled",
        source="Pendulum-v1",
        target=SCRAMBLED,
        target_kwargs={"base": "Pendulum-v1"},
        algorithm="sac",
        budget=2_400,
        threshold=-160.0,
        notes="continuous actions, no endings",
    ),
    Pair(
        name="mountaincar-scrambled",
        source="MountainCar-v0",
        target=SCRAMBLED,
        target_kwargs={"base": "MountainCarContinuous-v0"},
        algorithm="dqn",
        budget=3_000,
        threshold=93.0,
        notes="discrete to continuous, other rewards, behind unknown sensors",
    ),
    Pair(
        name="mountaincar-continuous",
        source="MountainCar-v0",
        target="MountainCarContinuous-v0",
        algorithm="dqn",
        budget=3_000,
        threshold=93.0,
        notes="discrete to continuous, other rewards",
    ),
    Pair(
        name="lander-gravity",
        source="LunarLander-v3",
        target="LunarLander-v3",
        target_kwargs={"gravity": -7.0},
        algorithm="ppo",
        budget=8_000,
        goal="share of source",
        threshold=0.9,
        notes="same spaces: the identity should win at once",
    ),
    Pair(
        name="lander-continuous",
        source="LunarLander-v3",
        target="LunarLander-v3",
        target_kwargs={"continuous": True},
        algorithm="ppo",
        budget=8_000,
        threshold=200.0,
        notes="same observations; engines with thresholds, no affine map of actions",
    ),
    Pair(
        name="cartpole-pendulum",
        source="CartPole-v1",
        target="Pendulum-v1",
        algorithm="ppo",
        budget=3_000,
        goal="refusal",
        threshold=None,
        notes="unrelated: refused, unless it beats random with 95 % confidence",
    ),
    Pair(
        name="lander-scrambled",
        source="LunarLander-v3",
        target=SCRAMBLED,
        target_kwargs={"base": "LunarLander-v3"},
        algorithm="ppo",
        budget=10_000,
        goal="return",
        threshold=200.0,
        notes="contacts, starts that are pushed at random, mirror-symmetric",
    ),
    Pair(
        name="cheetah-scrambled",
        source="HalfCheetah-v5",
        target=SCRAMBLED,
        target_kwargs={"base": "HalfCheetah-v5"},
        algorithm="ppo",
        budget=12_000,
        goal="return",
        threshold=5_000.0,
        notes="six motors, 46,080 ways to wire them, 17 sensors, contacts",
    ),
    Pair(
        name="hopper-scrambled",
        source="Hopper-v5",
        target=SCRAMBLED,
        target_kwargs={"base": "Hopper-v5"},
        algorithm="ppo",
        budget=8_000,
        goal="return",
        threshold=2_150.0,
        notes="three motors; acting at random only ever shows it falling",
    ),
    Pair(
        name="swimmer-scrambled",
        source="Swimmer-v5",
        target=SCRAMBLED,
        target_kwargs={"base": "Swimmer-v5"},
        algorithm="sac",
        budget=10_000,
        goal="return",
        threshold=325.0,
        notes="two motors, nothing ends early",
    ),
    Pair(
        name="swimmer-links",
        source="Swimmer-v5",
        target="rltransfer/Swimmer-v0",
        target_kwargs={"links": 4},
        algorithm="sac",
        budget=10_000,
        threshold=200.0,
        notes="a longer body: 8 to 10 observations, 2 to 3 actions",
    ),
    Pair(
        name="cartpole-inverted",
        source="CartPole-v1",
        target="InvertedPendulum-v5",
        algorithm="ppo",
        budget=4_000,
        threshold=80.0,
        notes="other dynamics, continuous; 1000 is the most, random gets about 5",
    ),
)

PAIRS: Mapping[str, Pair] = MappingProxyType({pair.name: pair for pair in _ALL})
