"""Pairs whose zero-shot return is measured: unknown sensors, contacts, other bodies."""

from dataclasses import replace

from gymnasium.envs.registration import registry

from rltransfer_envs.transfer_pair import (
    CAMERA,
    SCRAMBLED,
    SENSORS,
    Agent,
    Goal,
    Pair,
)

CARTPOLE = Agent("CartPole-v1", "ppo", 30_000)
ACROBOT = Agent("Acrobot-v1", "dqn", 100_000)
PENDULUM = Agent("Pendulum-v1", "sac", 20_000)
CAR = Agent("MountainCar-v0", "dqn", 120_000)
_LONG_CAR = Agent("MountainCarContinuous-v0", "sac", 18_000)
LANDER = Agent("LunarLander-v3", "ppo", 1_000_000)
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
    _scrambled("cartpole", CARTPOLE, 2_000, 495.0, "quickest; the demonstration"),
    _scrambled("acrobot", ACROBOT, 4_000, -85.0, "chaotic, mirror-symmetric"),
    _scrambled("pendulum", PENDULUM, 2_400, -160.0, "continuous, no endings"),
)
_SHORT = tuple(map(_cheaper, _CLASSIC, (1_000, 2_500, 1_600)))

TO_CONTINUOUS = (
    Pair(
        "mountaincar-scrambled",
        CAR,
        SCRAMBLED,
        3_000,
        (Goal("return", 93.0),),
        "discrete to continuous, other rewards, behind unknown sensors",
        {"base": "MountainCarContinuous-v0"},
        same_reward=False,
    ),
    Pair(
        "mountaincar-continuous",
        CAR,
        "MountainCarContinuous-v0",
        3_000,
        (Goal("return", 93.0),),
        "discrete to continuous, other rewards",
        same_reward=False,
    ),
)

LANDERS = (
    Pair(
        "lander-gravity",
        LANDER,
        "LunarLander-v3",
        8_000,
        (Goal("unmapped", 0.9),),
        "same spaces: the identity should win at once",
        {"gravity": -7.0},
    ),
    Pair(
        "lander-continuous",
        LANDER,
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
    _scrambled("lander", LANDER, 10_000, 200.0, "pushed at random when it starts"),
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
        CARTPOLE,
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
        refusal="allowed" if kind == "positions" else "wrong",
    )


_SENSORS = (
    *(
        _sensors(source, kind, budget, 0.95 if kind == "warped" else 0.98, notes)
        for source, budget in zip(
            (CARTPOLE, PENDULUM, ACROBOT), (2_000, 2_400, 4_000), strict=True
        )
        for kind, notes in (
            ("extra", "three sensors of noise among the others"),
            ("noisy", "2 % noise"),
            ("warped", "no affine map undoes a tangent"),
            ("units", "a permutation with scales"),
            ("twice", "each observation is seen twice"),
        )
    ),
    _sensors(CARTPOLE, "delayed", 2_000, 0.98, "actions come a step late"),
    _sensors(CARTPOLE, "buttons", 2_000, 0.98, "some actions do the same"),
    *(
        _sensors(source, "positions", 4_000, 0.9, "no velocities; or refused")
        for source in (CARTPOLE, PENDULUM)
    ),
)

_REWIRED = tuple(
    _sensors(source, "rewired", budget, 0.95, "other order, signs, units and origins")
    for source, budget in (
        (CARTPOLE, 1_000),
        (PENDULUM, 1_600),
        (ACROBOT, 2_500),
        (CAR, 3_000),
        (_LONG_CAR, 3_000),
        (LANDER, 6_000),
        (_HOPPER, 6_000),
        (_SWIMMER, 8_000),
        (_CHEETAH, 8_000),
    )
)


def newest(name: str) -> str:
    """Returns the id of Gymnasium's newest version of an environment."""
    versions = [
        spec.version or 0
        for spec in registry.values()
        if spec.name == name and spec.namespace is None
    ]
    return f"{name}-v{max(versions)}"


# Which of two agents of one environment is meant is told by the algorithm.
_SLIPPERY = Agent("FrozenLake-v1", "ppo", 200_000)
_FIRM = Agent("FrozenLake-v1", "dqn", 20_000, {"is_slippery": False})
_CLIFF = Agent(newest("CliffWalking"), "dqn", 40_000, {"max_episode_steps": 200})
_TAXI = Agent(newest("Taxi"), "dqn", 150_000)


def _renumbered(name: str, source: Agent, budget: int, notes: str) -> Pair:
    return Pair(
        f"{name}-renumbered",
        source,
        SCRAMBLED,
        budget,
        (Goal("home", 0.95),),
        notes,
        {"base": source.env_id, **source.env_kwargs},
    )


_GAMES = (
    _renumbered("frozenlake-slippery", _SLIPPERY, 5_000, "a third goes as it is meant"),
    _renumbered("frozenlake-firm", _FIRM, 5_000, "the same without slipping"),
    _renumbered("cliffwalking", _CLIFF, 5_000, "a fall costs a hundred steps"),
    _renumbered("taxi", _TAXI, 20_000, "500 states; most are far from any pay"),
)


def _filmed(
    name: str, source: Agent, goal: Goal, notes: str, beside: str = "nothing"
) -> Pair:
    kwargs = {"base": source.env_id, "beside": beside}
    return Pair(name, source, CAMERA, 15_000, (goal,), notes, kwargs)


_CAMERAS = (
    _filmed("cartpole-pixels", CARTPOLE, Goal("return", 300.0), "two grey frames"),
    _filmed("pendulum-pixels", PENDULUM, Goal("home", 0.5), "the same, no endings"),
    _filmed(
        "cartpole-state-camera",
        CARTPOLE,
        Goal("return", 300.0),
        "positions beside the frames",
        "positions",
    ),
)

_UNRELATED = tuple(
    Pair(
        name,
        source,
        target,
        4_000,
        (),
        "refused, but for luck",
        same_reward=False,
        refusal="right",
    )
    for name, source, target in (
        ("cartpole-pendulum", CARTPOLE, "Pendulum-v1"),
        ("hopper-reacher", _HOPPER, "Reacher-v5"),
        ("lander-acrobot", LANDER, "Acrobot-v1"),
    )
)


ZERO_SHOT_SUITES = {
    "classic": (*_CLASSIC, *TO_CONTINUOUS[:1], *_SHORT),
    "contacts": _CONTACTS,
    "bodies": _BODIES,
    "sensors": _SENSORS,
    "rewired": _REWIRED,
    "games": _GAMES,
    "cameras": _CAMERAS,
    "unrelated": _UNRELATED,
}
