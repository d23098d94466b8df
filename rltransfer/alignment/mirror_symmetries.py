"""Mirror images of the source under which its steps are steps of it again.

A source that moves alike in a mirror cannot tell a map from its mirror image: both
explain the target equally, and only returns choose between them, where rewards differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from rltransfer.alignment.source_model_data import SourceModelData
from rltransfer.mapping import Affine, DomainMapping, DynamicsAgreement

MOST_SENSORS = 8
"""Each more doubles the images; of more sensors none is sought."""
_MOST_CHOICES, _MOST_MOTORS = 4, 3
"""Of more than so many actions the order is kept or reversed, all motors or none."""
_ROWS = 192
_ALIKE, _SLACK = 2.5, 0.005
"""Times its own error, and beyond that, up to which the model explains an image.

Of true images it was 1.2 (Pendulum) to 5 times as large (CartPole, where it is 1e-4),
of false ones 0.02 larger (weak torques of Acrobot) to 0.5.
"""
POOR = 0.15
"""Own error above which the model tells an image from the source too rarely."""
_STILL = 1e-6


@final
@dataclass(frozen=True)
class MirrorSymmetry:
    """One image: x becomes -x for some sensors, and actions change places or sign."""

    sensors: tuple[int, ...]
    """Places of those that are mirrored, about zero."""
    actions: tuple[int, ...]
    """What each choice becomes, or the motors that are reversed."""
    error: float
    """Of the source model on mirrored steps, see `relative_error`."""


def mirror_symmetries(
    data: SourceModelData, floor: float
) -> tuple[MirrorSymmetry, ...] | None:
    """Returns the images that move as the source does, by its model; best first.

    Tried is every choice of sensors that ever move, with every exchange of pairs of
    choices, or every choice of motors.

    Args:
        data: of the source.
        floor: see `rltransfer.mapping.objectives.unpaired.relative_error`.

    Returns:
        None where that cannot be told: too many sensors, or too poor a model.
    """
    rows, codec = data.rows, data.source.domain.actions
    rows = rows[torch.linspace(0, len(rows) - 1, _ROWS).long()]
    shown = data.model.whitening.unwhiten(data.rows.observation)
    moving = (shown.std(dim=0) > _STILL).nonzero().flatten().tolist()
    if shown.shape[1] > MOST_SENSORS:
        return None
    agreement = DynamicsAgreement(data.model, termination_weight=0.0, floor=floor)
    size = shown.shape[1]
    same = DomainMapping(Affine.of(torch.eye(size), torch.zeros(size)))
    with torch.no_grad():
        own = float(agreement(same, rows))
    if not own <= POOR:
        return None
    subsets = [
        chosen
        for count in range(len(moving) + 1)
        for chosen in combinations(moving, count)
    ]
    states = _mirrored(data, subsets)
    found: list[MirrorSymmetry] = []
    for actions, matrix in _action_images(codec.size, codec.discrete):
        copies = matrix.expand(len(subsets), -1, -1)
        mapping = DomainMapping(
            states, Affine.of(copies, torch.zeros(copies.shape[:2]))
        )
        with torch.no_grad():
            errors = agreement(mapping, rows).tolist()
        found += [
            MirrorSymmetry(sensors, actions, error)
            for sensors, error in zip(subsets, errors, strict=True)
            if error <= _ALIKE * own + _SLACK
            and (sensors or not torch.equal(matrix, torch.eye(codec.size)))
        ]
    return tuple(sorted(found, key=lambda one: one.error))


def _mirrored(data: SourceModelData, subsets: list[tuple[int, ...]]) -> Affine:
    """Returns a stack of white state maps, each mirroring some sensors about zero."""
    whitening = data.model.whitening
    signs = torch.ones(len(subsets), len(whitening.mean))
    for place, chosen in enumerate(subsets):
        signs[place, list(chosen)] = -1.0
    weight = whitening.inverse * signs[:, None, :] @ whitening.matrix
    return Affine.of(weight, (whitening.mean * (signs - 1)) @ whitening.matrix)


def _action_images(
    size: int, discrete: bool
) -> Iterator[tuple[tuple[int, ...], Float[Tensor, "action action"]]]:
    """Yields what may become of actions in a mirror, and its matrix."""
    places = tuple(range(size))
    if discrete:
        orders = permutations(places) if size <= _MOST_CHOICES else [places[::-1]]
        pairs = [o for o in orders if all(o[o[place]] == place for place in places)]
        for order in dict.fromkeys([places, *pairs]):
            yield order, torch.eye(size)[list(order)]
        return
    few = size <= _MOST_MOTORS
    for signs in product((1.0, -1.0), repeat=size if few else 1):
        diagonal = torch.tensor(signs if few else signs * size)
        reversed_motors = (diagonal < 0).nonzero().flatten().tolist()
        yield tuple(reversed_motors), torch.diag(diagonal)
