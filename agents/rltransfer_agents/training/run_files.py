"""Which file of a training run lies where; RL Zoo finds its own under these names."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rltransfer.io import folder_name


@final
@dataclass(frozen=True)
class RunFiles:
    """The files in the folder of one run."""

    folder: Path
    env_id: str

    @property
    def agent(self) -> Path:
        """The agent as it was at the end."""
        return self.folder / f"{self._name}.zip"

    @property
    def statistics(self) -> Path:
        """Running statistics that belong to `agent`."""
        return self.settings / "vecnormalize.json"

    @property
    def zoo_statistics(self) -> Path:
        """The same, in the form in which RL Zoo reads them."""
        return self.settings / "vecnormalize.pkl"

    @property
    def best_agent(self) -> Path:
        """The agent as it was when it did best in evaluation."""
        return self.folder / "best_model.zip"

    @property
    def best_statistics(self) -> Path:
        """Running statistics that belong to `best_agent`."""
        return self.folder / "best_vecnormalize.json"

    @property
    def evaluations(self) -> Path:
        """Returns and lengths of all evaluations."""
        return self.folder / "evaluations.npz"

    @property
    def episodes(self) -> Path:
        """Returns and lengths of all training episodes."""
        return self.folder / "0.monitor.csv"

    @property
    def settings(self) -> Path:
        """Folder of what the run was asked for."""
        return self.folder / self._name

    @property
    def hyperparameters(self) -> Path:
        """What the algorithm was set to."""
        return self.settings / "config.yml"

    @property
    def arguments(self) -> Path:
        """What the command was told."""
        return self.settings / "args.yml"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events, unless another one was asked for."""
        return self.folder / "tensorboard"

    @property
    def snapshots(self) -> Path:
        """Folder from which an interrupted run goes on; gone when it is finished."""
        return self.folder / ".resume"

    @property
    def way_on(self) -> str:
        """What an interrupted run tells its user to do."""
        folder = shlex.quote(str(self.folder))
        return f"go on with rltransfer train-source --resume {folder}"

    @property
    def _name(self) -> str:
        return folder_name(self.env_id)
