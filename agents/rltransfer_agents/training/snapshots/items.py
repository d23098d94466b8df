"""All that a learner is, item by item: leave one out and training goes another way."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from rltransfer.errors import ArtifactRefused, UserError
from rltransfer.io.tensor_files import pack
from rltransfer_agents.training.algorithms import Learner
from rltransfer_agents.training.snapshots import generators, learning, surroundings
from rltransfer_agents.training.snapshots.item import Item
from rltransfer_agents.training.snapshots.rows import COLUMNS
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
    "python": generators.PYTHON,
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

    Raises:
        ArtifactRefused: unless the state is of just the items that the learner has.
    """
    expected = capture(learner).keys()
    if state.keys() != expected:
        names = ", ".join(sorted(map(str, state.keys() ^ expected)))
        raise ArtifactRefused(
            f"the snapshot lacks a part of the learner or has one too many ({names}); "
            "use the version and the settings that wrote it or start a new run"
        )
    followed = True
    for name, item in ((name, ITEMS[name]) for name in ITEMS if name in expected):
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
    """Returns the SHA-256 of a learner's state, the replay buffer included.

    All but Python's own generator, from which whoever looks on may draw (checks of
    types do): where draws matter to the training, they show in all else.
    """
    state = capture(learner)
    state.pop("python", None)
    found = hashlib.sha256(pack(state))
    buffer = getattr(learner, "replay_buffer", None)
    if buffer is not None:
        # One after the other and not packed: together they may fill the memory.
        for column in COLUMNS:
            found.update(np.ascontiguousarray(getattr(buffer, column)).data)
    return found.hexdigest()
