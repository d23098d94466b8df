"""Observations made of named parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_agents.frozen.encoders.encoder import Encoder, Features


@final
@dataclass(frozen=True, eq=False)
class Combined(Encoder):
    """Encodes each part of a Dict observation and joins the features in order."""

    parts: Mapping[str, Encoder]

    @override
    def __call__(self, observation: Any) -> Features:
        if not isinstance(observation, Mapping) or set(observation) != set(self.parts):
            given = (
                sorted(map(str, observation))
                if isinstance(observation, Mapping)
                else type(observation).__name__
            )
            raise InputError(
                f"an observation must have the parts {sorted(self.parts)}, "
                f"got {given}; use the environment the agent was trained in"
            )
        return np.concatenate(
            [encode(observation[name]) for name, encode in self.parts.items()], axis=-1
        )
