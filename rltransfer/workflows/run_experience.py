"""What a finished transfer keeps of its steps, to be explained and distilled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from rltransfer.alignment import Alignment
from rltransfer.alignment.mirror_symmetries import MirrorSymmetry, mirror_symmetries
from rltransfer.domain import Transitions
from rltransfer.errors import ArtifactRefused
from rltransfer.io import make_folder
from rltransfer.io.tensor_files import read_tensor_file, write_tensor_file
from rltransfer.report.linear_maps import MapMatrices
from rltransfer.translation import MappedPolicy

EXPERIENCE_FOLDER = "experience"
"""Within a transfer's run folder, whose own files may be agents."""
EXPERIENCE = f"{EXPERIENCE_FOLDER}/steps.safetensors"
MOST_ROWS = 10_000
"""The last ones, from the beginning of an episode on."""
_KIND = "rltransfer-experience-1"


@final
@dataclass(frozen=True, eq=False)
class RunExperience:
    """Counted target steps, and what their alignment came to beside the mapping."""

    rows: Transitions
    """As the target showed them; without rewards and what followed, which are zero."""
    visited: Bool[Tensor, " step"]
    """Which steps the policy that was kept took."""
    maps: MapMatrices
    mirrors: tuple[MirrorSymmetry, ...] | None
    """Of the source; None where that cannot be told."""

    @classmethod
    def of(cls, alignment: Alignment, floor: float) -> "RunExperience":
        """Returns what is kept of an alignment.

        Args:
            alignment: as it came out.
            floor: see `mirror_symmetries`.
        """
        episode = alignment.experience.episode
        first = 0
        if len(episode) > MOST_ROWS:
            begins = (episode.diff() != 0).nonzero().flatten() + 1
            late = begins[begins >= len(episode) - MOST_ROWS]
            first = int(late[0]) if len(late) else 0
        return cls(
            alignment.experience[first:],
            alignment.visited[first:],
            MapMatrices.of(alignment),
            mirror_symmetries(alignment.model_data, floor),
        )

    def write(self, folder: Path) -> None:
        """Writes it into the folder of a run."""
        rows, maps = self.rows, self.maps
        mirrors = self.mirrors
        content: dict[str, Any] = {
            "mirrors": None if mirrors is None else [vars(one) for one in mirrors]
        }
        arrays = {
            "episode": rows.episode.numpy(),
            "observation": rows.observation.numpy(),
            "action": rows.action.numpy(),
            "visited": self.visited.numpy(),
            "state": maps.state,
            "action map": maps.action,
            "asked states": maps.asked_states,
            "asked action maps": maps.asked_actions,
        }
        make_folder(folder / EXPERIENCE_FOLDER)
        write_tensor_file(folder / EXPERIENCE, _KIND, content, arrays)

    @classmethod
    def read(
        cls, folder: Path, policy: MappedPolicy, discrete: bool
    ) -> "RunExperience":
        """Returns what the run in `folder` kept.

        Args:
            folder: of a finished transfer that has the file.
            policy: of this run, which must fit.
            discrete: whether the target's actions are.

        Raises:
            ArtifactRefused: it is damaged, or of another run.
        """
        path = folder / EXPERIENCE
        file = read_tensor_file(path, _KIND)
        history, arrays = policy.history, file.arrays
        try:
            rows = len(arrays["episode"])
            stack = policy.translation.state.inputs
            seen = policy.translation.unwhiten.outputs
            asked, taken = len(arrays["asked states"]), arrays["action map"].shape[0]
            shapes = {
                "episode": (rows,),
                "observation": (rows, history.observation),
                "action": (rows, history.action),
                "visited": (rows,),
                "state": (seen, stack),
                "action map": (taken, history.action),
                "asked states": (asked, seen, stack),
                "asked action maps": (asked, taken, history.action),
            }
            fits = all(arrays[name].shape == shape for name, shape in shapes.items())
            finite = all(np.isfinite(array).all() for array in arrays.values())
            told = file.content["mirrors"]
            mirrors = told and tuple(
                MirrorSymmetry(
                    tuple(range(seen)[place] for place in one["sensors"]),
                    tuple(range(taken)[place] for place in one["actions"]),
                    float(one["error"]),
                )
                for one in told
            )
        except (KeyError, IndexError, TypeError, ValueError) as fault:
            raise _not_of(path) from fault
        if not (fits and finite):
            raise _not_of(path)
        none = torch.zeros(rows)
        observation = torch.from_numpy(arrays["observation"]).float()
        return cls(
            Transitions(
                torch.from_numpy(arrays["episode"]).long(),
                observation,
                torch.from_numpy(arrays["action"]).float(),
                none,
                torch.zeros_like(observation),
                none.bool(),
                none.bool(),
            ),
            torch.from_numpy(arrays["visited"]).bool(),
            MapMatrices(
                arrays["state"],
                arrays["action map"],
                arrays["asked states"],
                arrays["asked action maps"],
                history,
                discrete,
            ),
            None if told is None else tuple(mirrors or ()),
        )


def _not_of(path: Path) -> ArtifactRefused:
    return ArtifactRefused(
        f"{path} must hold the steps of its run, it does not fit the mapping beside "
        "it; restore the file or make the transfer again"
    )
