"""The family for variables that are reordered, turned round, rescaled and shifted.

Which variable is which is told from how the variables of each domain move each other;
then only scales and offsets are fitted. With few rows an affine fit finds a smaller
error than the true map's, and a useless return.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.matching.match_decoding import Match
from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.alignment.matching.match_proposals import (
    MatchSide,
    match_proposals,
    matchable,
)
from rltransfer.alignment.matching.match_weights import SHIPPED, read_match_network
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.domain import Transitions
from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import (
    Affine,
    Chain,
    DomainMapping,
    FitConfig,
    FitWatcher,
    Rescaling,
    stacked,
)


def matched(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Maps under which each source variable is one of the target's, or is missing.

    Several are proposed, as symmetric worlds have several. Where none explains the
    target, nothing is returned: its sensors are mixed, say.
    """
    config = problem.config.matching
    # Sensors that may be the same ones are a simpler answer, and have yet to act.
    trusted = any(candidate.family.trusts_sensors for candidate in known)
    sides = _sides(problem)
    if sides is None:
        return []
    streams = problem.config.streams
    # Draws of its own: where nothing is proposed, all others fit as they would have.
    generator = torch.Generator().manual_seed(streams.integer("matching"))
    problem = replace(problem, generator=generator)
    network = usable_network(Path(config.network) if config.network else SHIPPED)
    rng = streams.generator("matching")
    proposals = match_proposals(*sides, network, config.beam, rng)
    starts = [_start(problem, sides, match) for match in proposals.matches]
    schedule = FitConfig(
        updates=config.updates,
        batch_size=problem.config.batch_size,
        learning_rate=config.learning_rate,
        halvings=config.halvings,
        evaluate_every=config.evaluate_every,
    )
    fitted = problem.fit(stacked(starts), schedule, config.moments, watch)
    reference = problem.dynamics_reference
    enough = max(config.enough, reference)
    tolerated = min(config.tolerated * reference, config.mixed)
    plausible = max(config.plausible, tolerated)
    found = []
    for one in fitted:
        mapping = _joined(one.mapping)
        # Where a world was looked at says nothing about the map; how it moves does.
        error = problem.dynamics_error_of(mapping)
        explains = error <= enough
        if explains or error <= plausible:
            settles = explains and not trusted
            found.append(one._replace(mapping=mapping, settles=settles))
    if any(one.settles for one in found):
        return [one for one in found if one.settles]
    return found[: config.most_doubtful]


def usable_network(path: Path = SHIPPED) -> MatchNetwork | None:
    """Returns the network in a file; None, with a warning, where that is refused.

    Matches are then proposed without it.
    """
    try:
        return read_match_network(path)
    except ArtifactRefused as fault:
        warnings.warn(f"matching goes on without its network: {fault}", stacklevel=2)
        return None


def _sides(problem: AlignmentProblem) -> tuple[MatchSide, MatchSide] | None:
    """Returns what acting at random showed of source and target, as they show it.

    Of a target that is known from logs alone, whoever acted in them.
    """
    if problem.history.steps > 1:
        return None
    source, target = problem.source.actions, problem.target.actions
    if target.discrete and target.size > source.size:
        return None  # some would stand for nothing
    known, explored = (
        problem.model_data.model.whitening,
        problem.rows[: problem.explored or None],
    )
    sides = (
        MatchSide.of(known.unwhitened(problem.model_data.at_random), source),
        MatchSide.of(problem.whitening.unwhitened(explored), target),
    )
    return sides if matchable(*sides) is None else None


def _start(
    problem: AlignmentProblem, sides: tuple[MatchSide, MatchSide], match: Match
) -> DomainMapping:
    """Returns a match as a mapping whose scales and offsets can be fitted.

    Deviations of levels and of steps tell scales, means tell offsets. A source variable
    without a partner is the one that source experience expects from all others.
    """
    source, target = (side.rows for side in sides)
    count = source.observation.shape[1]
    partner, sign = match.partner[:count], match.sign[:count]
    there = torch.from_numpy(np.flatnonzero(partner >= 0))
    places = torch.from_numpy(partner[partner >= 0])
    ours, theirs = _sizes(source), _sizes(target)
    units = torch.zeros(target.observation.shape[1], count)
    signs = torch.from_numpy(sign).float()[there]
    units[places, there] = signs * ours[there] / theirs[places]
    centre, white = target.observation.mean(dim=0), problem.whitening
    home, known = source.observation.mean(dim=0), problem.model_data.model.whitening
    filled = _filling(source.observation - home, there)
    first = Affine.of(white.inverse @ units, (white.mean - centre) @ units)
    last = Affine.of(filled @ known.matrix, (home - known.mean) @ known.matrix)
    action = problem.wired(_wiring(problem, match))
    for fixed in (first, last, action):
        fixed.requires_grad_(False)
    scales = Rescaling(count, generator=torch.Generator())
    return DomainMapping(Chain(first, scales, last), action)


def _sizes(rows: Transitions) -> Float[Tensor, " observation"]:
    """Returns the size of each observation: of its levels and steps, times its own."""
    level = rows.observation.std(dim=0)
    step = (rows.next_observation - rows.observation).std(dim=0)
    size = (level * step).sqrt()
    return torch.where(size > 0, size, torch.ones_like(size))


def _filling(
    centred: Float[Tensor, "row source"], there: Int[Tensor, " known"]
) -> Float[Tensor, "source source"]:
    """Returns what makes all source variables of those that have a partner."""
    count = centred.shape[1]
    filled = torch.zeros(count, count)
    known = centred[:, there].double()
    size = len(there)
    ridge = 1e-6 * known.square().sum() / max(size, 1) * torch.eye(size)
    filled[there] = torch.linalg.solve(
        known.T @ known + ridge.double(), known.T @ centred.double()
    ).float()
    filled[:, there] = torch.eye(count)[:, there]
    return filled


def _wiring(problem: AlignmentProblem, match: Match) -> Float64[np.ndarray, "s t"]:
    """Returns which source motor each of the target's is, as `wirings` has it."""
    sensors = problem.source.observation_size
    wiring = np.zeros((problem.source.actions.size, problem.target.actions.size))
    for motor, place in enumerate(match.partner[sensors:]):
        if place >= 0:
            driven = place - problem.target.observation_size
            wiring[motor, driven] = match.sign[sensors + motor]
    return wiring


def _joined(mapping: DomainMapping) -> DomainMapping:
    """Returns a fitted match as one affine map, which all other parts know."""
    assert isinstance(mapping.state, Chain)
    first, scales, last = (mapping.state[place] for place in range(3))
    assert isinstance(first, Affine) and isinstance(last, Affine)
    assert isinstance(scales, Rescaling)
    scale, offset = scales.log_scale.exp(), scales.offset
    state = last.after(first.weight * scale, first.bias * scale + offset)
    return DomainMapping(state, mapping.action)
