"""From an observation as the environment gives it to the features a network takes."""

from rltransfer_agents.frozen.encoders.combined import Combined
from rltransfer_agents.frozen.encoders.encoder import Encoder
from rltransfer_agents.frozen.encoders.image import Image
from rltransfer_agents.frozen.encoders.one_hot import OneHot
from rltransfer_agents.frozen.encoders.vector import Vector

__all__ = ["Combined", "Encoder", "Image", "OneHot", "Vector"]
