"""Ensembles on disk: a mapping for each member, and what weighs their say."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import make_folder
from rltransfer.io.tensor_files import read_tensor_file, write_tensor_file
from rltransfer.translation.ensemble_policy import (
    MOST_MEMBERS,
    EnsembleConfig,
    EnsemblePolicy,
    Regions,
)
from rltransfer.translation.mapped_policy import (
    MappedPolicy,
    Translation,
    load_translation,
    save_translation,
)

_FILE, _KIND = "members.safetensors", "rltransfer-ensemble-1"


def save_ensemble(
    folder: Path,
    policy: EnsemblePolicy,
    sources: Sequence[int],
    homes: Sequence[str] = (),
) -> None:
    """Writes an ensemble into `folder`; its sources' agents are stored apart.

    Args:
        folder: is made where it is missing.
        policy: the ensemble.
        sources: of each member, which source it acts through; 0 is the kept one.
        homes: environments of the others, in their order.
    """
    for place, member in enumerate(policy.members):
        save_translation(folder / f"member_{place}", member.translation)
    content = {
        "sources": list(sources),
        "homes": list(homes),
        "returns": list(policy.returns),
        "config": asdict(policy.config),
    }
    arrays = {} if policy.regions is None else policy.regions._asdict()
    write_tensor_file(make_folder(folder) / _FILE, _KIND, content, arrays)


class StoredEnsemble(NamedTuple):
    """What `save_ensemble` wrote."""

    translations: tuple[Translation, ...]
    sources: tuple[int, ...]
    """Of each member, which source it acts through; 0 is the kept one."""
    homes: tuple[str, ...]
    """Environments of the others."""
    returns: tuple[float, ...]
    config: EnsembleConfig
    regions: Regions | None

    def of(self, members: Sequence[MappedPolicy]) -> EnsemblePolicy:
        """Returns the ensemble of these members."""
        return EnsemblePolicy(members, self.returns, self.regions, self.config)


def load_ensemble(folder: Path) -> StoredEnsemble:
    """Returns what is stored of an ensemble.

    Raises:
        ArtifactRefused: it is damaged, or its parts do not belong together.
    """
    file = read_tensor_file(folder / _FILE, _KIND)
    content, arrays = file.content, file.arrays
    try:
        config = EnsembleConfig(**content["config"])
        sources = tuple(int(place) for place in content["sources"])
        homes = tuple(str(home) for home in content["homes"])
        returns = tuple(float(value) for value in content["returns"])
        regions = Regions(**arrays) if arrays else None
        fits = len(returns) == len(sources)
        fits &= 2 <= len(sources) <= MOST_MEMBERS and min(sources) >= 0
        fits &= max(sources) == len(homes) and bool(np.isfinite(returns).all())
        if regions is not None:
            steps, size = regions.seen.shape
            shapes = (size,), (size, size), (steps, size), (len(sources), steps)
            fits &= tuple(array.shape for array in regions) == shapes and steps > 0
            fits &= all(np.isfinite(array).all() for array in regions)
    except (InputError, KeyError, TypeError, ValueError) as fault:
        raise _refused(folder) from fault
    if not fits:
        raise _refused(folder)
    translations = tuple(
        load_translation(folder / f"member_{place}") for place in range(len(sources))
    )
    return StoredEnsemble(translations, sources, homes, returns, config, regions)


def _refused(folder: Path) -> ArtifactRefused:
    return ArtifactRefused(
        f"{folder} must hold an ensemble whose parts belong together, and does not; "
        "restore it or make the transfer again"
    )
