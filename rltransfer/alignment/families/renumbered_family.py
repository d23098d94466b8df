"""The family for finite worlds whose states and actions have other numbers."""

from collections.abc import Sequence

import numpy as np
import torch

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.counted_steps import CountedSteps, rounded_rewards
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.alignment.renumbering import Renumbering, renumberings, tied
from rltransfer.mapping import Affine, DomainMapping, FitWatcher


def renumbered(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Maps that take each state and action for one that does the like in the source.

    Rewards are compared where the target pays nothing that the source never paid. It
    settles the matter where one map alone explains what was seen.
    """
    del known, watch
    config = problem.config.renumbering
    own, rows = problem.model_data.rows, problem.rows
    paid = np.isin(rounded_rewards(rows), rounded_rewards(own))
    source, target = (CountedSteps.of(part, bool(paid.all())) for part in (own, rows))
    rng = problem.config.streams.generator("renumbering")
    found = renumberings(source, target, config, rng)
    likely = tied(found, config)
    settles = len(likely) == 1 and found[0].contradicted <= config.contradicted
    measured = []
    for one in found[: problem.config.beam]:
        mapping = problem.measured(_mapping(problem, one))
        measured += [
            each._replace(settles=settles and one is found[0]) for each in mapping
        ]
    return measured


def _mapping(problem: AlignmentProblem, found: Renumbering) -> DomainMapping:
    states = torch.eye(problem.source.observation_size)[torch.from_numpy(found.state)]
    taken = np.eye(problem.source.actions.size)[:, list(found.action)]
    state = Affine.of(states, torch.zeros(states.shape[1]))
    mapping = DomainMapping(state, problem.wired(taken))
    return mapping.requires_grad_(False)
