"""Fitting: one loop for all networks and all objectives."""

from rltransfer.mapping.fitting.config import FitConfig as FitConfig
from rltransfer.mapping.fitting.fit import fit as fit
from rltransfer.mapping.fitting.progress_bar import ProgressBar as ProgressBar
from rltransfer.mapping.fitting.report import FitReport as FitReport
from rltransfer.mapping.fitting.report import Progress as Progress
from rltransfer.mapping.fitting.report import Stop as Stop
from rltransfer.mapping.fitting.report import Watcher as Watcher
from rltransfer.mapping.fitting.report import watchers as watchers
from rltransfer.mapping.fitting.tensorboard import (
    TensorBoardCurves as TensorBoardCurves,
)
