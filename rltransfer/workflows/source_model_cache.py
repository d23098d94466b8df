"""What was learned of a source, kept for later transfers of the same agent.

It follows from the agent, its environment, some settings and the versions alone, as it
is drawn from streams of its own (`AlignConfig.source_streams`). So a transfer comes to
the same numbers whether it learns it or reads it. Nothing read is trusted: a file that
is damaged, or of other versions, is made anew, and so is one from before the agent or
its environment changed: their first steps are taken again and compared.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from rltransfer.alignment import (
    AlignConfig,
    Source,
    SourceModelData,
    learn_source_model,
)
from rltransfer.domain import LoggedRows, Transitions
from rltransfer.errors import ArtifactRefused, InputError, StorageError, UserError
from rltransfer.io import MANIFEST_NAME, make_folder, sha256_of
from rltransfer.io.tensor_files import TensorFile, read_tensor_file, write_tensor_file
from rltransfer.resume.reproducibility import changed_versions, computing_versions
from rltransfer.source_models import SOURCE_MODELS
from rltransfer.workflows.environments import MADE_BY_CALLABLE
from rltransfer.workflows.policy_loading import environment_of, load_agent, opened_home
from rltransfer_agents.loading import LoadedPolicy
from rltransfer_agents.loading.agent_files import require_own_files
from rltransfer_agents.loading.refusal import printable
from rltransfer_agents.training.training_run import isolated

FOLDER = ".source-models"
"""Within the run folder of an agent; hidden, as it is no result of the run."""
KIND = "rltransfer-source-model-1"
_SHOWN_STEPS = 50
"""First steps of the agent that must be what they were."""
_ROWS, _MODEL, _SHOWN, _RETURNS = "rows.", "model.", "shown.", "home_returns"
_OF_DAMAGE = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)

Arrays = dict[str, NDArray[Any]]


@final
class SourceModelCache:
    """Learns the model of one source once, and reads it from then on.

    Args:
        loaded: the source's agent.
        logged: what is learned from besides.
    """

    def __init__(self, loaded: LoadedPolicy, logged: LoggedRows | None = None) -> None:
        self._loaded, self._logged = loaded, logged
        self.notes: list[str] = []
        """What a user should know of files that were of no use."""

    def __call__(self, source: Source, config: AlignConfig) -> SourceModelData:
        """Returns what is learned of `source` with these settings."""
        if environment_of(self._loaded).env_id.startswith(MADE_BY_CALLABLE):
            return learn_source_model(source, config)  # the name says nothing of it
        if source.domain.finite:
            return learn_source_model(source, config)  # it is counted at once
        identity = self._identity(config)
        name = f"{self._loaded.sha256[:16]}-{_digest(identity)[:16]}.safetensors"
        places = [folder / name for folder in self._folders()]
        shown = _first_steps(source, config)
        for path in filter(os.path.lexists, places):
            try:
                stored = read_tensor_file(path, KIND)
                _require_current(path, stored, identity, shown)
                return _restored(stored, source, config)
            except (UserError, *_OF_DAMAGE) as fault:
                reason = str(fault) if isinstance(fault, UserError) else "damaged"
                self.notes.append(f"source model learned anew: {printable(reason)}")
        if not _same(shown, _first_steps(source, config)):
            # It would not be found again; the run's replay log has to keep it.
            return learn_source_model(source, config)
        learned = learn_source_model(source, config, logged=False)
        self._keep(places, identity, _stored(learned, shown))
        return learned

    def _identity(self, config: AlignConfig) -> dict[str, Any]:
        """Returns all that the model follows from, versions apart, as JSON."""
        loaded, home = self._loaded, environment_of(self._loaded)
        manifest, statistics = loaded.path / MANIFEST_NAME, loaded.statistics
        return {
            "agent": loaded.sha256,
            # A transfer acts through a mapping as well, which its manifest names.
            "manifest": sha256_of(manifest) if os.path.isfile(manifest) else None,
            "statistics": None if statistics is None else sha256_of(statistics),
            "environment": home.title,
            "kwargs": {name: repr(value) for name, value in home.kwargs.items()},
            "settings": json.loads(json.dumps(config.source_settings)),
            **self._log_identity(),
        }

    def _log_identity(self) -> dict[str, Any]:
        if self._logged is None:
            return {}
        steps = len(self._logged.transitions)
        return {"logged": {"sha256": self._logged.sha256, "used_steps": steps}}

    def _folders(self) -> Iterator[Path]:
        """Yields where to look: beside an agent of ours, then in the user's cache."""
        if os.path.isfile(self._loaded.path / MANIFEST_NAME):
            yield self._loaded.path / FOLDER
        user = user_cache()
        if user is not None:
            yield user / "source-models"

    def _keep(
        self, places: list[Path], identity: Mapping[str, Any], arrays: Arrays
    ) -> None:
        """Writes a file to the first of these places that takes it."""
        content = {"identity": identity, "versions": computing_versions()}
        reason = "there is no folder for it"
        for path in places:
            try:
                if path.parent.name == FOLDER:
                    require_own_files(path.parent.parent)
                write_tensor_file(
                    make_folder(path.parent) / path.name, KIND, content, arrays
                )
                return
            except (StorageError, ArtifactRefused) as fault:
                reason = str(fault)
        self.notes.append(f"source model not kept: {printable(reason)}")


def keep_source_model(agent: Path, env_id: str) -> list[str]:
    """Learns what transfers need of an agent of ours, and keeps it; returns notes.

    Args:
        agent: its run folder.
        env_id: of the environment it was trained in.
    """
    with isolated():
        loaded = load_agent(agent, env=env_id)
        cache = SourceModelCache(loaded)
        try:
            with opened_home(loaded) as (domain, _):
                cache(Source(domain, loaded.policy, loaded.title), AlignConfig())
        except InputError as fault:
            # Not every agent can be a source; that takes nothing from its training.
            cache.notes.append(f"no source model: {fault}")
    return cache.notes


def user_cache() -> Path | None:
    """Returns the user's folder for what can be made anew, None where none is known.

    By the XDG base directory specification; on macOS by Apple's file system guide.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        return Path(named) / "rltransfer"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    parts = ("Library", "Caches") if sys.platform == "darwin" else (".cache",)
    return home.joinpath(*parts, "rltransfer")


def _digest(identity: Mapping[str, Any]) -> str:
    return sha256_of(json.dumps(identity, sort_keys=True).encode())


def _first_steps(source: Source, config: AlignConfig) -> Arrays:
    """Returns what the agent's first steps show, of itself and of its environment."""
    rollout = source.domain.collect(
        source.policy,
        purpose="source",
        seed=config.source_streams.integer("source policy"),
        steps=_SHOWN_STEPS,
        logged=False,
    )
    return _arrays(rollout.transitions)


def _arrays(rows: Transitions) -> Arrays:
    return {name: column.numpy() for name, column in vars(rows).items()}


def _part(arrays: Arrays, prefix: str) -> Arrays:
    """Returns the arrays whose names begin with `prefix`, without it."""
    own = (name for name in arrays if name.startswith(prefix))
    return {name.removeprefix(prefix): arrays[name] for name in own}


def _same(some: Arrays, others: Arrays) -> bool:
    return some.keys() == others.keys() and all(
        np.array_equal(some[name], others[name]) for name in some
    )


def _stored(learned: SourceModelData, shown: Arrays) -> Arrays:
    numbers = {name: x.numpy() for name, x in learned.model.numbers.items()}
    parts = {_ROWS: _arrays(learned.rows), _MODEL: numbers, _SHOWN: shown}
    named = {p + name: x for p, part in parts.items() for name, x in part.items()}
    return named | {_RETURNS: learned.home_returns}


def _require_current(
    path: Path, stored: TensorFile, identity: Mapping[str, Any], shown: Arrays
) -> None:
    """Raises if what is stored is of something else, or of other versions."""
    was, now = stored.content["versions"], computing_versions()
    reasons = changed_versions(was, now)
    if stored.content["identity"] != identity:
        reasons.append("it is of another source")
    if not reasons and not _same(_part(stored.arrays, _SHOWN), shown):
        reasons.append("the agent or its environment acts otherwise by now")
    if reasons:
        raise ArtifactRefused(f"{path} is stale ({', '.join(reasons)})")


def _restored(
    stored: TensorFile, source: Source, config: AlignConfig
) -> SourceModelData:
    """Returns what is stored, once every size and number is as it must be."""
    observation, action = source.domain.observation_size, source.domain.actions.size
    # Copies lie where torch puts its own: sums are then taken in one order.
    numbers, columns = (
        {
            name: torch.from_numpy(array).clone()
            for name, array in _part(stored.arrays, prefix).items()
        }
        for prefix in (_MODEL, _ROWS)
    )
    third = config.source_steps // 3
    steps = 3 * third + (0 if source.logged is None else len(source.logged))
    widths = {"observation": (observation,), "action": (action,)}
    widths["next_observation"] = widths["observation"]
    kinds = {"episode": torch.int64, "terminated": torch.bool, "truncated": torch.bool}
    for field in fields(Transitions):
        column = columns[field.name]
        if column.shape != (steps, *widths.get(field.name, ())):
            raise ValueError(f"{field.name} has {tuple(column.shape)} numbers")
        if column.dtype != kinds.get(field.name, torch.float32):
            raise TypeError(f"{field.name} is of {column.dtype}")
        if not column.isfinite().all():
            raise ValueError(f"{field.name} is not finite")
    rows, returns = Transitions(**columns), stored.arrays[_RETURNS]
    if int(rows.episode[0]) or not set(rows.episode.diff().tolist()) <= {0, 1}:
        raise ValueError("episodes are counted from 0")
    if returns.dtype != np.float64 or returns.ndim != 1 or len(returns) > third:
        raise ValueError("returns are one number for each episode")
    if not np.isfinite(returns).all():
        raise ValueError("returns are not finite")
    kind = SOURCE_MODELS[config.learning.kind]
    model = kind.restored(numbers, observation, action, config.learning)
    return SourceModelData(source, model, rows[:third], rows, returns)
