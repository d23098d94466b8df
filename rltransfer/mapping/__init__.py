"""The mapping core: networks, objectives, fitting and storing; tensors only."""

from rltransfer.mapping.fit import FitConfig as FitConfig
from rltransfer.mapping.fit import FitReport as FitReport
from rltransfer.mapping.fit import FitWatcher as FitWatcher
from rltransfer.mapping.fit import Progress as Progress
from rltransfer.mapping.fit import fit as fit
from rltransfer.mapping.least_squares import least_squares_near as least_squares_near
from rltransfer.mapping.mapping_store import load_about as load_about
from rltransfer.mapping.mapping_store import load_network as load_network
from rltransfer.mapping.mapping_store import save_network as save_network
from rltransfer.mapping.networks import ACTIVATIONS as ACTIVATIONS
from rltransfer.mapping.networks import NETWORKS as NETWORKS
from rltransfer.mapping.networks import Affine as Affine
from rltransfer.mapping.networks import AtEveryPlace as AtEveryPlace
from rltransfer.mapping.networks import Chain as Chain
from rltransfer.mapping.networks import Convolutions as Convolutions
from rltransfer.mapping.networks import DomainMapping as DomainMapping
from rltransfer.mapping.networks import Mlp as Mlp
from rltransfer.mapping.networks import Network as Network
from rltransfer.mapping.networks import PixelEncoder as PixelEncoder
from rltransfer.mapping.networks import Rescaling as Rescaling
from rltransfer.mapping.networks import ResidualAffine as ResidualAffine
from rltransfer.mapping.networks import in_turn as in_turn
from rltransfer.mapping.objectives.adaptation import Adaptation as Adaptation
from rltransfer.mapping.objectives.adaptation import FeatureMatching as FeatureMatching
from rltransfer.mapping.objectives.adaptation import SampleMatching as SampleMatching
from rltransfer.mapping.objectives.adversarial import Adversary as Adversary
from rltransfer.mapping.objectives.adversarial import rising as rising
from rltransfer.mapping.objectives.at_places import AtPlaces as AtPlaces
from rltransfer.mapping.objectives.objective import Objective as Objective
from rltransfer.mapping.objectives.objective import WeightedSum as WeightedSum
from rltransfer.mapping.objectives.objective import descending as descending
from rltransfer.mapping.objectives.optimal_transport import Transport as Transport
from rltransfer.mapping.objectives.sample_gaps import Coral as Coral
from rltransfer.mapping.objectives.sample_gaps import Gap as Gap
from rltransfer.mapping.objectives.sample_gaps import KernelMeans as KernelMeans
from rltransfer.mapping.objectives.supervised import CrossEntropy as CrossEntropy
from rltransfer.mapping.objectives.supervised import Regression as Regression
from rltransfer.mapping.objectives.trajectories import (
    TrajectoryAgreement as TrajectoryAgreement,
)
from rltransfer.mapping.objectives.unpaired import (
    DynamicsAgreement as DynamicsAgreement,
)
from rltransfer.mapping.objectives.unpaired import MomentMatching as MomentMatching
from rltransfer.mapping.objectives.unpaired import Prediction as Prediction
from rltransfer.mapping.objectives.unpaired import (
    relative_residuals as relative_residuals,
)
from rltransfer.mapping.rows import Examples as Examples
from rltransfer.mapping.rows import Trajectories as Trajectories
from rltransfer.mapping.rows import Transitions as Transitions
from rltransfer.mapping.rows import Unpaired as Unpaired
from rltransfer.mapping.stacking import Stackable as Stackable
from rltransfer.mapping.stacking import stacked as stacked
