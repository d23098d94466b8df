"""A Gymnasium environment seen as tensors: who acts in it, and what that leaves."""

from rltransfer.domain.action_codec import ActionCodec as ActionCodec
from rltransfer.domain.action_codec import codec_of as codec_of
from rltransfer.domain.action_codec import describe_space as describe_space
from rltransfer.domain.domain import Domain as Domain
from rltransfer.domain.logged_rows import LoggedRows as LoggedRows
from rltransfer.domain.observation_codec import ObservationCodec as ObservationCodec
from rltransfer.domain.observation_codec import (
    observation_codec_of as observation_codec_of,
)
from rltransfer.domain.policies import History as History
from rltransfer.domain.policies import MixturePolicy as MixturePolicy
from rltransfer.domain.policies import Policy as Policy
from rltransfer.domain.policies import StickyRandomPolicy as StickyRandomPolicy
from rltransfer.domain.rollout import Rollout as Rollout
from rltransfer.domain.rollout import WantedEpisodes as WantedEpisodes
from rltransfer.domain.seeking_policy import SeekingPolicy as SeekingPolicy
from rltransfer.domain.whitening import Whitening as Whitening
from rltransfer.mapping import Transitions as Transitions
