"""Pictures of results, drawn from plain numbers."""

from rltransfer.cli.pictures.heat_maps import LinearMap as LinearMap
from rltransfer.cli.pictures.returns import Attempt as Attempt
from rltransfer.cli.pictures.returns import Bar as Bar
from rltransfer.cli.pictures.transfer import TransferPicture as TransferPicture
from rltransfer.cli.pictures.transfer import draw_transfer as draw_transfer
from rltransfer.cli.pictures.variables import action_names as action_names
from rltransfer.cli.pictures.variables import observation_names as observation_names
