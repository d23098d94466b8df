"""Mapping networks; each plain or a stack of K copies."""

from rltransfer.mapping.networks.affine import Affine as Affine
from rltransfer.mapping.networks.architectures import DOMAIN_MAPPING as DOMAIN_MAPPING
from rltransfer.mapping.networks.architectures import NETWORKS as NETWORKS
from rltransfer.mapping.networks.architectures import AtEveryPlace as AtEveryPlace
from rltransfer.mapping.networks.architectures import Chain as Chain
from rltransfer.mapping.networks.architectures import DomainMapping as DomainMapping
from rltransfer.mapping.networks.architectures import describe as describe
from rltransfer.mapping.networks.architectures import in_turn as in_turn
from rltransfer.mapping.networks.architectures import network_of as network_of
from rltransfer.mapping.networks.convolutions import Convolutions as Convolutions
from rltransfer.mapping.networks.mlp import Mlp as Mlp
from rltransfer.mapping.networks.mlp import ResidualAffine as ResidualAffine
from rltransfer.mapping.networks.network import ACTIVATIONS as ACTIVATIONS
from rltransfer.mapping.networks.network import Network as Network
from rltransfer.mapping.networks.pixel_encoder import PixelEncoder as PixelEncoder
from rltransfer.mapping.networks.rescaling import Rescaling as Rescaling
