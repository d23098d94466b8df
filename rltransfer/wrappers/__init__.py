"""The wrappers every environment is stepped through, whoever steps it.

From the inside out: `CheckedEnv` (every step valid and finite, or a named fault),
`CountedEnv` (the step budget), `ReplayableEnv` (for resuming a training) and, where
asked, `SubprocessEnv`. They know neither tensors nor agents.
"""

from rltransfer.wrappers.checked_env import SEEDS_IGNORED as SEEDS_IGNORED
from rltransfer.wrappers.checked_env import CheckedEnv as CheckedEnv
from rltransfer.wrappers.checked_env import check_together as check_together
from rltransfer.wrappers.counted_env import CountedEnv as CountedEnv
from rltransfer.wrappers.counted_env import StepBudget as StepBudget
from rltransfer.wrappers.env_faults import OldGymEnv as OldGymEnv
from rltransfer.wrappers.replayable_env import EnvSnapshot as EnvSnapshot
from rltransfer.wrappers.replayable_env import ReplayableEnv as ReplayableEnv
from rltransfer.wrappers.step_timeout import StepTimeout as StepTimeout
from rltransfer.wrappers.step_timeout import make_in_time as make_in_time
from rltransfer.wrappers.subprocess_env import SubprocessEnv as SubprocessEnv
from rltransfer.wrappers.subprocess_env import subprocess_envs as subprocess_envs
