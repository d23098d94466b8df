"""The scales of the best map, tuned by the return while target steps are left.

Other bodies, weights and motors differ from the source by more than coordinates, and no
agreement with the source's dynamics says what then earns most. Few numbers are changed,
those that a body's size and strength change: how large each variable looks to the
source's policy, and how strongly each of its motors is driven.
"""

from dataclasses import replace
from typing import final

import numpy as np
import torch
from cmaes import CMA  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.alignment.candidates import Candidate, Trial
from rltransfer.alignment.families import TUNED
from rltransfer.alignment.trials import Trials
from rltransfer.alignment.watcher import Watcher
from rltransfer.mapping import Affine, Chain, DomainMapping, Network
from rltransfer.random_streams import INTEGER_SEEDS


def tune(trials: Trials, watch: Watcher) -> None:
    """Varies the best candidate, and acts with what comes of it.

    By evolution with an adapted covariance (CMA-ES; Hansen & Ostermeier, 2001); all of
    a generation start alike. It goes on while the acceptance test is left its steps and
    the best candidate earns clearly less than the source's policy at home, or nothing
    is known of that. Where episodes end early a variation would take whole ones: there
    nothing is tuned.

    Args:
        trials: at least one; what tuning leaves is added.
        watch: is called with each generation.
    """
    problem, budget = trials.problem, trials.problem.target.budget
    if not problem.config.uses(TUNED.name) or problem.finite:
        return  # numbers of states have no scale
    config, streams = problem.config.tuning, problem.config.streams
    start = trials.ranking[0]
    scales, last_round = _Scales(trials, start), trials.acted[-1].round
    if scales.count < 2:
        return  # covariances of one number are not adapted
    seeds = streams.generator("tuning starts")
    search = CMA(
        mean=np.zeros(scales.count),
        sigma=config.spread,
        population_size=config.population,
        seed=streams.integer("tuning"),
    )
    plan = trials.plan
    steps = min(config.steps, plan.trial_steps)
    generation, number = config.population * steps, 0
    # The mean acts as well: it counts, and not what it came from.
    fewest = generation + plan.short_steps
    if plan.none_ended and not plan.alone and trials.spare >= fewest:
        # What then is not tuned is not, because it earned enough: that is a choice.
        trials.returns_stopped |= trials.earns_enough is True
    while trials.worth_tuning and trials.spare >= fewest:
        number += 1
        watch.phase(f"tuning {number}", budget.used)
        seed = int(seeds.integers(INTEGER_SEEDS))
        asked = [search.ask() for _ in range(config.population)]
        earned = [trials.earned(scales.at(values), steps, seed) for values in asked]
        search.tell([(x, -value) for x, value in zip(asked, earned, strict=True)])
        if number % config.generations == 0 or trials.spare < fewest:
            tuned, before = scales.at(search.mean), trials.ranking[0].policy
            error = trials.problem.error_of(tuned.mapping)
            trials.add(last_round + 1, replace(tuned, alignment_error=error))
            improved = trials.ranking[0].policy is not before
            if trials.earns_enough is None and not improved:
                break


@final
class _Scales:
    """What is varied of a mapping: logarithms of scales; all zero: nothing is.

    Args:
        trials: whose problem it is.
        start: with the mapping. Variables keep their mean while it acted.
    """

    def __init__(self, trials: Trials, start: Trial) -> None:
        problem = trials.problem
        self._start = start.candidate
        self._mapping = start.candidate.mapping
        self._whitening = problem.model_data.model.whitening
        acted = problem.seeing(start.rollout.transitions).rows
        with torch.no_grad():
            seen = self._whitening.unwhiten(self._mapping.state(acted.observation))
        self._centre = seen.mean(dim=0)
        self._motors = (
            0 if problem.source.actions.discrete else problem.source.actions.size
        )
        self.count = len(self._centre) + self._motors
        """How many numbers are varied."""

    def at(self, values: NDArray[np.float64]) -> Candidate:
        """Returns the candidate with these logarithms of scales, not yet measured."""
        scale = torch.from_numpy(np.exp(values)).float()
        variables, motors = scale[: len(self._centre)], scale[len(self._centre) :]
        mapping = DomainMapping(self._state(variables), self._action(motors))
        return Candidate(TUNED, mapping, np.inf, source=self._start.source)

    def _state(self, scale: Tensor) -> Network:
        white, state = self._whitening, self._mapping.state
        weight = white.inverse @ (scale[:, None] * white.matrix)
        bias = ((white.mean - self._centre) * scale + self._centre - white.mean) @ (
            white.matrix
        )
        scaled = Affine.of(weight, bias)
        if isinstance(state, Affine) and state.activation == "identity":
            return scaled.after(state.weight, state.bias)
        return Chain(state, scaled)

    def _action(self, gain: Tensor) -> Network | None:
        action = self._mapping.action
        if not self._motors:
            return action
        # The target action is what is mapped to the source's: it grows as this shrinks.
        size = len(gain)
        if action is None:
            action = Affine.of(torch.eye(size), torch.zeros(size))
        weakened = Affine.of(torch.diag(1 / gain), torch.zeros(size))
        if isinstance(action, Affine) and action.activation == "identity":
            return weakened.after(action.weight, action.bias)
        return Chain(action, weakened)
