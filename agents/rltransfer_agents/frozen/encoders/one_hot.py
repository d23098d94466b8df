"""Observations that are numbers of alternatives."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from typing_extensions import override

from rltransfer.errors import InputError
from rltransfer_agents.frozen.encoders.encoder import Encoder, Features, as_array, unfit


@final
@dataclass(frozen=True, eq=False)
class OneHot(Encoder):
    """Encodes Discrete and MultiDiscrete observations, one block per component."""

    sizes: tuple[int, ...]
    single: bool
    """The space is Discrete: its observations are numbers, not rows."""

    @override
    def __call__(self, observation: Any) -> Features:
        indices = as_array(observation)
        if self.single:
            # A vectorised environment gives [n], some wrappers give [n, 1].
            rows = indices.reshape(-1, 1) if indices.ndim else indices.reshape(1)
        else:
            rows = indices
        expected = (len(self.sizes),)
        if rows.shape != expected and rows.shape[1:] != expected:
            raise unfit(indices.shape, () if self.single else expected)
        rows = rows.astype(np.int64)
        if (rows < 0).any() or (rows >= self.sizes).any():
            raise InputError(
                f"an observation must lie below {self.sizes}, got {indices.tolist()}; "
                "use the environment the agent was trained in"
            )
        blocks = [
            np.eye(size, dtype=np.float32)[rows[..., column]]
            for column, size in enumerate(self.sizes)
        ]
        return np.concatenate(blocks, axis=-1)
