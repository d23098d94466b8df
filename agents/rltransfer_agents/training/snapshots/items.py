"""All that a learner is, item by item: leave one out and training goes another way."""

import hashlib
from collections.abc import Mapping
from typing import Any

from rltransfer.errors import ArtifactRefused, UserError
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.snapshots import generators, learning, surroundings
from rltransfer_agents.training.snapshots.item import Item
from rltransfer_agents.training.snapshots.packing import pack
from rltransfer_agents.training.snapshots.surroundings import NotFollowed, start_anew

# In the order in which they are put back. The environments are stepped again, which
# may draw from the generators of the process: those come after.
ITEMS: dict[str, Item] = {
    "counters": learning.COUNTERS,
    "weights": learning.WEIGHTS,
    "temperature": learning.TEMPERATURE,
    "recent_episodes": learning.RECENT_EPISODES,
    "state_dependent_exploration": learning.STATE_DEPENDENT_EXPLORATION,
    "action_noise": learning.ACTION_NOISE,
    "buffer_position": learning.BUFFER_POSITION,
    "normalisation": surroundings.NORMALISATION,
    "last_step": learning.LAST_STEP,
    "environments": surroundings.ENVIRONMENTS,
    "torch": generators.TORCH,
    "numpy": generators.NUMPY,
    "random_actions": generators.RANDOM_ACTIONS,
}


def capture(learner: Learner) -> dict[str, Any]:
    """Returns the state of a learner that stands between two rollouts.

    The rows of a replay buffer are left out: they are many and hardly change.
    """
    taken = {name: item.take(learner) for name, item in ITEMS.items()}
    return {name: part for name, part in taken.items() if part is not None}


def restore(learner: Learner, state: Mapping[str, Any]) -> bool:
    """Puts a learner into a captured state; returns whether its environments followed.

    Where they do not, they start a new episode, which the learner sees as such.
    """
    followed = True
    for name, item in ITEMS.items():
        if name not in state:
            continue
        try:
            item.put(learner, state[name])
        except NotFollowed:
            followed = False
            start_anew(learner)
        except UserError:
            raise
        except Exception as fault:
            raise ArtifactRefused(
                f"the snapshot's {name} do not fit the run's settings ({fault}); "
                "restore config.yml and args.yml or start a new run"
            ) from fault
    return followed


def digest(learner: Learner) -> str:
    """Returns the SHA-256 of a learner's whole state."""
    state: dict[str, Any] = dict(capture(learner))
    buffer = getattr(learner, "replay_buffer", None)
    if buffer is not None:
        state["rows"] = [buffer.observations, buffer.actions, buffer.rewards]
    return hashlib.sha256(pack(state)).hexdigest()
