"""A transfer whose mapping is corrected while it acts."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rltransfer.alignment import AlignConfig, Source
from rltransfer.errors import InputError
from rltransfer.io import make_folder
from rltransfer.io.event_files import EventFile, event_path
from rltransfer.meta import AdaptConfig, AdaptivePolicy, Look
from rltransfer.translation import MappedPolicy
from rltransfer.workflows.align_settings import with_value
from rltransfer.workflows.policy_loading import (
    AgentLike,
    load_agent,
    load_source_of,
    opened_home,
)
from rltransfer.workflows.source_model_cache import SourceModelCache
from rltransfer.workflows.transfer_description import TransferDescription
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.refusal import printable
from rltransfer_agents.training.training_run import isolated


def load_adaptive(
    run: AgentLike,
    *,
    config: AdaptConfig | None = None,
    seed: int = 0,
    watch: Callable[[Look], None] | None = None,
) -> AdaptivePolicy:
    """Returns the mapped policy of a transfer, which corrects its map while it acts.

    For a target that changes: its `predict` is that of Stable-Baselines3's models, and
    learns from what it is asked, so hand it the state that it returned. The model of
    the source is read where a transfer of the same agent kept it, else learned in the
    source's own environment, which takes some seconds.

    Args:
        run: folder of a transfer, or what `load_agent` returned of it.
        config: when the map is corrected, and how far.
        seed: of which steps decide whether a correction is kept.
        watch: called with steps, alignment error and refits, now and then.

    Raises:
        InputError: what is there does not act through a mapping.
        ArtifactRefused: a file is refused.
    """
    loaded = load_agent(run)
    policy = loaded.policy
    if not isinstance(policy, MappedPolicy):
        raise InputError(
            "--adapt corrects the one mapping of a transfer, "
            f"{printable(loaded.path)} acts without one, or as an ensemble; name a "
            "transfer that acts as its mapped policy"
        )
    if policy.numbered:
        raise InputError(
            "--adapt corrects maps of quantities, the states of "
            f"{printable(loaded.path)} are numbers; transfer to it anew"
        )
    if policy.pictured:
        raise InputError(
            "--adapt corrects maps of quantities, "
            f"{printable(loaded.path)} sees pictures; transfer to it anew"
        )
    source, align = load_source_of(loaded.path), AlignConfig()
    told = TransferDescription.at(loaded.path).settings
    for name, value in told.hyperparams.items():
        align = with_value(align, name, value)
    with isolated(), opened_home(source) as (home, _):
        data = SourceModelCache(source)(
            Source(home, source.policy, source.title), align
        )
    shown = data.model, data.by_policy, data.starts
    return AdaptivePolicy(policy, *shown, config, seed=seed, watch=watch)


@final
@dataclass(frozen=True)
class Adaptation:
    """What correcting a map came to; its steps are counted target steps."""

    steps: int
    """From which it learned."""
    refits: int
    """Corrections that were kept."""
    refused: int
    """Fits that explained held-out steps no better."""
    first_error: float
    """Alignment error at the first look; not a number before there was one."""
    last_error: float

    def __str__(self) -> str:
        return (
            f"{self.refits} refits kept, {self.refused} refused, from {self.steps:,} "
            f"counted target steps; alignment error {self.first_error:.4f} at first, "
            f"{self.last_error:.4f} at last"
        )


@final
class Adapting:
    """One evaluation in which the map is corrected.

    Args:
        loaded: a transfer.
        seed: of held-out steps.
        events: where its course is written; None: nowhere.
    """

    def __init__(
        self, loaded: LoadedPolicy, seed: int, events: EventFile | None
    ) -> None:
        self._events = events
        self._errors: list[float] = []
        self.policy = load_adaptive(loaded, seed=seed, watch=self._looked)

    def _looked(self, look: Look) -> None:
        self._errors.append(look.alignment_error)
        self._log(
            {
                "adapt/alignment_error": look.alignment_error,
                "adapt/refits": look.refits,
                "adapt/refused": look.refused,
            }
        )

    def ended(self, episode_return: float) -> None:
        """Writes down what an episode earned."""
        self._log({"rollout/ep_rew_mean": episode_return})

    def _log(self, numbers: dict[str, float]) -> None:
        if self._events is not None:
            self._events.add(numbers, self.policy.steps)

    @property
    def outcome(self) -> Adaptation:
        """What it has come to so far."""
        errors = self._errors or [float("nan")]
        policy = self.policy
        counts = policy.steps, policy.refits, policy.refused
        return Adaptation(*counts, errors[0], errors[-1])


@contextmanager
def adapting(
    loaded: LoadedPolicy, wanted: bool, seed: int, logs: Path | None
) -> Iterator[Adapting | None]:
    """Yields what corrects the map of a transfer; None where that is not wanted.

    Args:
        loaded: a transfer, if it is.
        wanted: whether to.
        seed: of held-out steps.
        logs: folder for TensorBoard, if it is to be written.
    """
    if not wanted:
        if logs is not None:
            raise InputError(
                f"--tensorboard-log shows how --adapt goes, got {logs} without it; "
                "add --adapt, or leave it out"
            )
        yield None
        return
    if logs is None:
        yield Adapting(loaded, seed, None)
        return
    with closing(EventFile(event_path(make_folder(logs), "adapt"))) as events:
        yield Adapting(loaded, seed, events)
