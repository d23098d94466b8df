"""A Gymnasium environment seen as tensors: who acts in it, and what that leaves."""

from rltransfer.domain.acting import Domain as Domain
from rltransfer.domain.codec import ActionCodec as ActionCodec
from rltransfer.domain.codec import BoxActions as BoxActions
from rltransfer.domain.codec import OneHotActions as OneHotActions
from rltransfer.domain.codec import codec_of as codec_of
from rltransfer.domain.heading import is_journal as is_journal
from rltransfer.domain.heading import read_request as read_request
from rltransfer.domain.heading import remove_journal as remove_journal
from rltransfer.domain.journal import Journal as Journal
from rltransfer.domain.journal import Resumed as Resumed
from rltransfer.domain.meter import StepMeter as StepMeter
from rltransfer.domain.policies import Explorer as Explorer
from rltransfer.domain.policies import Mixed as Mixed
from rltransfer.domain.policies import Policy as Policy
from rltransfer.domain.rollout import Rollout as Rollout
