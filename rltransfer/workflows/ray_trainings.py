"""Source agents trained on the machines of a Ray cluster."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rltransfer.errors import InputError, Stopped, UserError, portable
from rltransfer.io import make_folder, require_writable
from rltransfer.resume.stop_signals import StopSignals
from rltransfer.workflows.progress_bars import progress_bars
from rltransfer.workflows.ray_pool import ray_pool
from rltransfer_agents.training import TrainConfig, TrainedRun, TrainingFault
from rltransfer_agents.training.parallel_training import (
    require_different,
    sorted_out,
    training_name,
)
from rltransfer_agents.training.unfinished_trainings import train_unless_there


def train_on_ray(
    configs: Sequence[TrainConfig],
    address: str,
    at_once: int | None,
    log_folder: Path,
    progress: bool,
) -> list[TrainedRun]:
    """Trains all agents on a Ray cluster and returns their runs in order.

    What the log folder has of them is not trained again, and what was interrupted goes
    on: that of a worker that was lost, and that of a command that was stopped.

    Args:
        configs: one for each agent.
        address: as for `ray_pool`.
        at_once: likewise.
        log_folder: of all of them, which all machines see.
        progress: whether to show how many are finished.

    Raises:
        UserError: of the first training that failed; the others have ended.
        Stopped: SIGINT or SIGTERM ended it.
    """
    require_different(configs)
    require_writable(log_folder)
    work = [
        (training_name(config), partial(_trained, config, training_name(config)))
        for config in configs
    ]
    ended: dict[int, TrainedRun | Exception] = {}
    with (
        ray_pool(address, at_once, log_folder) as pool,
        StopSignals(patience=1) as stop,
        progress_bars(progress) as bars,
    ):
        make_folder(log_folder)
        bar = bars.add_task("trainings", total=len(work), note="")
        try:
            for outcome in pool.outcomes(work, stop):
                name = work[outcome.place][0]
                result = outcome.result
                if outcome.fault is not None:
                    told = f"training {name}: {outcome.fault}\n{outcome.details}"
                    result = TrainingFault(told.rstrip())
                ended[outcome.place] = result
                bars.update(bar, advance=1, note=name)
        except Stopped as stopped:
            raise Stopped(
                f"{stopped}; finished and begun trainings are in {log_folder}: go on "
                "with the same command"
            ) from None
    return sorted_out([ended[place] for place in range(len(work))])


def _trained(config: TrainConfig, name: str) -> TrainedRun | UserError:
    """Trains in a worker; what users can mend comes back as what it is."""
    try:
        return train_unless_there(config)
    except UserError as fault:
        return portable(fault, f"{name}: {fault}")


def require_cpu(device: str) -> None:
    """Raises unless a training on Ray may have this device."""
    if device not in ("auto", "cpu"):
        raise InputError(
            f"--ray trains on CPUs, which small networks are fastest on, got --device "
            f"{device}; leave it out, or train without --ray"
        )
