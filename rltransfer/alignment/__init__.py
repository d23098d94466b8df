"""Finding the mapping between two domains from unpaired experience."""

from rltransfer.alignment.acceptance_test import AcceptanceTest as AcceptanceTest
from rltransfer.alignment.acceptance_test import random_to_beat as random_to_beat
from rltransfer.alignment.align import Alignment as Alignment
from rltransfer.alignment.align import align as align
from rltransfer.alignment.align import require_budget as require_budget
from rltransfer.alignment.align_config import AlignConfig as AlignConfig
from rltransfer.alignment.candidates import Trial as Trial
from rltransfer.alignment.fitting_config import ActionFitConfig as ActionFitConfig
from rltransfer.alignment.source_model_data import Source as Source
from rltransfer.alignment.source_model_data import SourceModelData as SourceModelData
from rltransfer.alignment.source_model_data import holding as holding
from rltransfer.alignment.source_model_data import holding_helps as holding_helps
from rltransfer.alignment.source_model_data import (
    learn_source_model as learn_source_model,
)
from rltransfer.alignment.source_race import SourceEvidence as SourceEvidence
from rltransfer.alignment.step_plan import StepPlanConfig as StepPlanConfig
from rltransfer.alignment.watcher import Watcher as Watcher
