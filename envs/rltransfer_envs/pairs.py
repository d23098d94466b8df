"""The named source and target pairs that measurements and tests go through."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal, final

SCRAMBLED = "rltransfer/Scrambled-v0"
SENSORS = "rltransfer/Sensors-v0"


@final
@dataclass(frozen=True, eq=False)
class Agent:
    """An agent, and how `train_source` makes one where none is at hand."""

    env_id: str
    algorithm: Literal["a2c", "dqn", "ppo", "sac", "td3"]
    steps: int
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    hyperparams: Mapping[str, Any] = field(default_factory=dict)
    """Those that differ from the tuned ones."""


@final
@dataclass(frozen=True)
class Goal:
    """What the median zero-shot return over seeds must reach."""

    of: Literal["return", "home", "expert", "unmapped"]
    """Where the goal lies: at a return; on the way from random actions to the source at
    home, or to the expert in the target; or at a multiple of what the source earns in
    the target as it is."""
    threshold: float

    def __str__(self) -> str:
        amount = f"≥ {self.threshold:g}"
        return amount if self.of == "return" else f"{amount} of {self.of}"


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """A source, a target, and the goals of a transfer between them."""

    name: str
    source: Agent
    target: str
    budget: int
    """Steps in the target, all counted; a hard limit."""
    goals: tuple[Goal, ...]
    """All have to be reached; none where refusal is right."""
    notes: str
    target_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """All but the seed of sensors and motors, which `target_options` adds."""
    expert: Agent | None = None
    """Trained in the target itself."""
    same_reward: bool = True
    """Whether source and target pay for the same, so that returns compare."""
    may_refuse: bool = False
    """Whether a refusal is as good as the goals."""

    @property
    def unmapped(self) -> Agent:
        """Who acts in the target without a mapping, to compare with."""
        return self.expert or self.source

    @property
    def drawn(self) -> bool:
        """Whether the target differs from seed to seed."""
        return self.target in (SCRAMBLED, SENSORS)

    def target_options(self, seed: int) -> dict[str, Any]:
        """Returns the target's keyword arguments; `seed` is of what is drawn."""
        return {**self.target_kwargs, **({"seed": seed} if self.drawn else {})}


_CARTPOLE = Agent("CartPole-v1", "ppo", 30_000)
_ACROBOT = Agent("Acrobot-v1", "dqn", 100_000)
_PENDULUM = Agent("Pendulum-v1", "sac", 20_000)
_CAR = Agent("MountainCar-v0", "dqn", 120_000)
_LANDER = Agent("LunarLander-v3", "ppo", 1_000_000)
_CHEETAH = Agent("HalfCheetah-v5", "ppo", 1_000_000)
_HOPPER = Agent("Hopper-v5", "ppo", 1_000_000)
_SWIMMER = Agent("Swimmer-v5", "sac", 1_000_000)
_REACHER = Agent(
    "Reacher-v5",
    "sac",
    60_000,
    # Episodes of 50 steps teach soon; a small network is enough, and fast.
    hyperparams={
        "learning_rate": 1e-3,
        "batch_size": 128,
        "learning_starts": 1_000,
        "policy_kwargs": {"net_arch": [64, 64]},
    },
)


def _scrambled(
    name: str, source: Agent, budget: int, threshold: float, notes: str
) -> Pair:
    """Returns a pair whose target is the source's own environment, scrambled."""
    return Pair(
        f"{name}-scrambled",
        source,
        SCRAMBLED,
        budget,
        (Goal("return", threshold),),
        notes,
        {"base": source.env_id},
    )


def _cheaper(pair: Pair, budget: int) -> Pair:
    notes = f"the same with {budget:,} steps"
    return replace(pair, name=f"{pair.name}-short", budget=budget, notes=notes)


_CLASSIC = (
    _scrambled("cartpole", _CARTPOLE, 2_000, 495.0, "quickest; the demonstration"),
    _scrambled("acrobot", _ACROBOT, 4_000, -85.0, "chaotic, mirror-symmetric"),
    _scrambled("pendulum", _PENDULUM, 2_400, -160.0, "continuous, no endings"),
)
_SHORT = tuple(map(_cheaper, _CLASSIC, (1_000, 2_500, 1_600)))

_TO_CONTINUOUS = (
    Pair(
        "mountaincar-scrambled",
        _CAR,
        SCRAMBLED,
        3_000,
        (Goal("return", 93.0),),
        "discrete to continuous, other rewards, behind unknown sensors",
        {"base": "MountainCarContinuous-v0"},
        same_reward=False,
    ),
    Pair(
        "mountaincar-continuous",
        _CAR,
        "MountainCarContinuous-v0",
        3_000,
        (Goal("return", 93.0),),
        "discrete to continuous, other rewards",
        same_reward=False,
    ),
)

_LANDERS = (
    Pair(
        "lander-gravity",
        _LANDER,
        "LunarLander-v3",
        8_000,
        (Goal("unmapped", 0.9),),
        "same spaces: the identity should win at once",
        {"gravity": -7.0},
    ),
    Pair(
        "lander-continuous",
        _LANDER,
        "LunarLander-v3",
        8_000,
        (Goal("return", 200.0),),
        "same observations; engines with thresholds, no affine map of actions",
        {"continuous": True},
    ),
)

_CONTACTS = (
    _scrambled("cheetah", _CHEETAH, 12_000, 5_000.0, "6 motors, 46,080 ways to wire"),
    _scrambled("hopper", _HOPPER, 8_000, 2_150.0, "acting at random, it only falls"),
    _scrambled("lander", _LANDER, 10_000, 200.0, "pushed at random when it starts"),
    _scrambled("swimmer", _SWIMMER, 10_000, 325.0, "two motors, nothing ends early"),
)

_BODIES = (
    *(
        Pair(
            f"swimmer-{links}-links",
            _SWIMMER,
            "rltransfer/Swimmer-v0",
            budget,
            (Goal("return", threshold),),
            "a longer body: two more observations and one more motor for each link",
            {"links": links},
        )
        for links, budget, threshold in ((4, 12_000, 250.0), (6, 20_000, 170.0))
    ),
    Pair(
        "cheetah-3-legs",
        _CHEETAH,
        "rltransfer/HalfCheetah-v0",
        30_000,
        (Goal("return", 1_000.0),),
        "17 to 23 observations, 6 to 9 motors",
        {"legs": 3},
    ),
    Pair(
        "reacher-3-joints",
        _REACHER,
        "rltransfer/Reacher-v0",
        20_000,
        (Goal("expert", 0.7),),
        "10 to 13 observations, 2 to 3 motors",
        {"joints": 3},
        expert=replace(
            _REACHER, env_id="rltransfer/Reacher-v0", env_kwargs={"joints": 3}
        ),
    ),
    Pair(
        "cartpole-inverted",
        _CARTPOLE,
        "InvertedPendulum-v5",
        4_000,
        (Goal("return", 900.0),),
        "other dynamics, continuous; 1000 is the most, random gets about 5",
        same_reward=False,
    ),
    *(
        Pair(
            f"{name}-{part}",
            source,
            target,
            10_000,
            (Goal("unmapped", 1.0), Goal("home", 0.7)),
            "same spaces, other dynamics",
            {part: factor},
        )
        for name, source, target in (
            ("cheetah", _CHEETAH, "rltransfer/HalfCheetah-v0"),
            ("hopper", _HOPPER, "rltransfer/Hopper-v0"),
        )
        for part, factor in (("torso", 1.2), ("armature", 3.0))
    ),
)


def _sensors(source: Agent, kind: str, budget: int, share: float, notes: str) -> Pair:
    return Pair(
        f"{source.env_id.rpartition('-')[0].lower()}-{kind}",
        source,
        SENSORS,
        budget,
        (Goal("home", share),),
        notes,
        {"base": source.env_id, "kind": kind},
        may_refuse=kind == "positions",
    )


_SENSORS = (
    *(
        _sensors(source, kind, budget, 0.95 if kind == "warped" else 0.98, notes)
        for source, budget in zip(
            (_CARTPOLE, _PENDULUM, _ACROBOT), (2_000, 2_400, 4_000), strict=True
        )
        for kind, notes in (
            ("extra", "three sensors of noise among the others"),
            ("noisy", "2 % noise"),
            ("warped", "no affine map undoes a tangent"),
            ("units", "a permutation with scales"),
            ("twice", "each observation is seen twice"),
        )
    ),
    _sensors(_CARTPOLE, "delayed", 2_000, 0.98, "actions come a step late"),
    _sensors(_CARTPOLE, "buttons", 2_000, 0.98, "some actions do the same"),
    *(
        _sensors(source, "positions", 4_000, 0.9, "no velocities; or refused")
        for source in (_CARTPOLE, _PENDULUM)
    ),
)

_UNRELATED = tuple(
    Pair(name, source, target, 4_000, (), "refused, but for luck", same_reward=False)
    for name, source, target in (
        ("cartpole-pendulum", _CARTPOLE, "Pendulum-v1"),
        ("hopper-reacher", _HOPPER, "Reacher-v5"),
        ("lander-acrobot", _LANDER, "Acrobot-v1"),
    )
)


_BY_SUITE = {
    "classic": (*_CLASSIC, *_TO_CONTINUOUS[:1], *_SHORT),
    "contacts": _CONTACTS,
    "bodies": _BODIES,
    "sensors": _SENSORS,
    "unrelated": _UNRELATED,
}
_ALL = (*chain(*_BY_SUITE.values()), *_TO_CONTINUOUS[1:], *_LANDERS)

PAIRS: Mapping[str, Pair] = MappingProxyType({pair.name: pair for pair in _ALL})

SUITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {suite: tuple(pair.name for pair in pairs) for suite, pairs in _BY_SUITE.items()}
)
"""Names of pairs that are measured together."""
