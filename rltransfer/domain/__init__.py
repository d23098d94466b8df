"""A Gymnasium environment seen as tensors: who acts in it, and what that leaves."""

from rltransfer.domain.action_codec import ActionCodec as ActionCodec
from rltransfer.domain.action_codec import BoxActions as BoxActions
from rltransfer.domain.action_codec import OneHotActions as OneHotActions
from rltransfer.domain.action_codec import codec_of as codec_of
from rltransfer.domain.domain import Domain as Domain
from rltransfer.domain.policies import Explorer as Explorer
from rltransfer.domain.policies import Mixed as Mixed
from rltransfer.domain.policies import Policy as Policy
from rltransfer.domain.replay_log import Journal as Journal
from rltransfer.domain.replay_log import Resumed as Resumed
from rltransfer.domain.replay_log import is_journal as is_journal
from rltransfer.domain.replay_log import read_request as read_request
from rltransfer.domain.replay_log import remove_journal as remove_journal
from rltransfer.domain.step_budget import StepMeter as StepMeter
from rltransfer.domain.transitions import Rollout as Rollout
from rltransfer.domain.transitions import Transitions as Transitions
from rltransfer.domain.whitening import Whitening as Whitening
