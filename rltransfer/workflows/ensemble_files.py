"""Ensembles in the folder of a transfer: the members, and the agents they act through.

The kept source lies where every transfer has it. What members of other sources act
through lies beside them, so that the mapping's folder needs nothing else.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rltransfer.errors import InputError
from rltransfer.io import Manifest, make_folder
from rltransfer.translation import EnsemblePolicy, MappedPolicy, Translation
from rltransfer.translation.ensemble_store import (
    StoredEnsemble,
    load_ensemble,
    save_ensemble,
)
from rltransfer.workflows.transfer_description import MAPPING_FOLDER, is_transfer
from rltransfer_agents import loading
from rltransfer_agents.export import export_agent
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.refusal import printable

ENSEMBLE_FOLDER = f"{MAPPING_FOLDER}/ensemble"


def require_agents(sources: Sequence[LoadedPolicy], members: int) -> None:
    """Raises `InputError` where an ensemble of several sources cannot be stored.

    Args:
        sources: of the transfer.
        members: `ensemble.members`.
    """
    chained = [one.path for one in sources if is_transfer(one.path)]
    if members and chained and len(sources) > 1:
        raise InputError(
            "an ensemble of several sources is made of agents, and "
            f"{printable(chained[0])} is a transfer; name its agent, or leave out "
            "--hyperparams ensemble.members"
        )


def write_ensemble(
    folder: Path,
    policy: EnsemblePolicy,
    owners: Sequence[int],
    sources: Sequence[LoadedPolicy],
) -> None:
    """Writes an ensemble and the agents of all its sources but the first member's.

    Args:
        folder: of the run.
        policy: what came of the transfer.
        owners: of each member, the place of its source.
        sources: all of them.
    """
    order = list(dict.fromkeys(owners))  # the kept one, the first member's, is first
    homes = [sources[place].env_id or "" for place in order[1:]]
    inside = make_folder(folder / ENSEMBLE_FOLDER)
    save_ensemble(inside, policy, [order.index(place) for place in owners], homes)
    for number, place in enumerate(order[1:], 1):
        own, bundle = sources[place], _bundle(inside, number)
        bundle.unlink(missing_ok=True)  # of a run that was stopped here
        export_agent(
            own.path, bundle, sha256=own.sha256, statistics=own.statistics_choice
        )


class OpenedEnsemble(NamedTuple):
    """An ensemble in a folder, and the agents that its members act through."""

    stored: StoredEnsemble
    sources: tuple[LoadedPolicy, ...]

    def through(
        self, mapped: Callable[[LoadedPolicy, Translation], MappedPolicy]
    ) -> EnsemblePolicy:
        """Returns the ensemble.

        Args:
            mapped: returns the policy of a source through a translation.
        """
        pairs = zip(self.stored.sources, self.stored.translations, strict=True)
        return self.stored.of([mapped(self.sources[n], own) for n, own in pairs])


def opened_ensemble(
    folder: Path, manifest: Manifest, kept: LoadedPolicy
) -> OpenedEnsemble | None:
    """Returns the ensemble in the folder of a transfer; None where there is none.

    Args:
        folder: of the transfer.
        manifest: of it, which says whether there is one.
        kept: the source that was kept.

    Raises:
        InputError: the agent of a member is gone.
        ArtifactRefused: it is damaged.
    """
    if not any(name.startswith(f"{ENSEMBLE_FOLDER}/") for name in manifest.files):
        return None
    inside = folder / ENSEMBLE_FOLDER
    stored, sources = load_ensemble(inside), [kept]
    for number, home in enumerate(stored.homes, 1):
        bundle = _bundle(inside, number)
        digest = manifest.files.get(bundle.relative_to(folder).as_posix())
        if not bundle.is_file():
            raise InputError(
                f"{printable(folder)} acts through {printable(bundle)} too, which is "
                "gone: put it back or make the transfer again"
            )
        sources.append(loading.load_agent(bundle, env_id=home, sha256=digest))
    return OpenedEnsemble(stored, tuple(sources))


def _bundle(inside: Path, number: int) -> Path:
    return inside / f"source_{number}.safetensors"
