"""The wrappers every environment is stepped through, whoever steps it.

From the inside out: `CheckedEnv` (every step valid and finite, or a named fault),
`CountedEnv` (the step budget), `ReplayableEnv` (for resuming a training) and, where
asked, `SubprocessEnv`. They know neither tensors nor agents.
"""

from rltransfer.wrappers.checked_env import (
    SEEDS_IGNORED,
    CheckedEnv,
    Step,
    check_together,
    ignores_seeds,
)
from rltransfer.wrappers.counted_env import CountedEnv, StepBudget
from rltransfer.wrappers.env_faults import OldGymEnv
from rltransfer.wrappers.replayable_env import EnvSnapshot, ReplayableEnv
from rltransfer.wrappers.step_timeout import START_SECONDS, StepTimeout, make_in_time
from rltransfer.wrappers.subprocess_env import SubprocessEnv, subprocess_envs

__all__ = [
    "SEEDS_IGNORED",
    "START_SECONDS",
    "CheckedEnv",
    "CountedEnv",
    "EnvSnapshot",
    "OldGymEnv",
    "ReplayableEnv",
    "Step",
    "StepBudget",
    "StepTimeout",
    "SubprocessEnv",
    "check_together",
    "ignores_seeds",
    "make_in_time",
    "subprocess_envs",
]
