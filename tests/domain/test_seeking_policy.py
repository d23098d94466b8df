import json

import gymnasium as gym
import numpy as np

from rltransfer.domain import Domain, SeekingPolicy
from tests.worlds.rings import Ring


def domain() -> Domain:
    return Domain(lambda: gym.wrappers.TimeLimit(Ring(12), 50), "Ring")


def policy(world: Domain, seed: int = 0) -> SeekingPolicy:
    rng = np.random.default_rng(seed)
    return SeekingPolicy(world.observations, world.actions, rng)


def test_every_action_of_every_state_is_soon_tried() -> None:
    world = domain()
    rows = world.collect(policy(world), purpose="x", seed=0, steps=150).transitions
    pairs = rows.observation.argmax(dim=1) * 3 + rows.action.argmax(dim=1)
    # The last state ends the episode: nothing is ever tried in it.
    assert len(set(pairs.tolist())) == 11 * 3


def test_it_goes_on_from_its_state_as_if_never_stopped() -> None:
    world, again = domain(), domain()
    seeking = policy(world)
    world.collect(seeking, purpose="x", seed=0, steps=30)
    resumed = policy(again, seed=5)
    resumed.load_state(json.loads(json.dumps(seeking.state())))
    once, twice = (
        w.collect(p, purpose="x", seed=1, steps=40).transitions
        for w, p in ((world, seeking), (again, resumed))
    )
    assert once.action.equal(twice.action)
    assert once.observation.equal(twice.observation)


def test_it_knows_when_nothing_is_left_to_try() -> None:
    world = domain()
    seeking = policy(world)
    world.collect(seeking, purpose="x", seed=0, steps=20)
    assert not seeking.finished
    world.collect(seeking, purpose="x", seed=1, steps=200)
    assert seeking.finished
