"""The family that matches what actions do: in closed form, from few steps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.alignment.responses import (
    Array,
    Responses,
    Turn,
    episodes_of,
    matching_turns,
)
from rltransfer.alignment.simulation import StateMap, explaining_map, simulate
from rltransfer.alignment.wirings import likely_wirings
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    FitConfig,
    FitWatcher,
    stacked,
)


def responses(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Affine maps under which actions do in both domains the same.

    The responses of both propose turns of the state, for the likeliest wirings of the
    motors. The best are tried in the source itself, and what it does there refines the
    map; wirings that explain the target about as well as the best one remain. Where
    none explains it, as on another body, turns are fitted to the source model.
    """
    del known
    config, at_random = problem.config.responses, problem.model_data.at_random
    rows = (problem.rows, at_random)
    shown = [part for one in rows for part in (one.observation, one.next_observation)]
    if problem.history.steps > 1:
        return []
    if max(part.shape[1] for part in shown) > config.most_sensors:
        return []
    if not all(bool(part.isfinite().all()) for part in shown):
        return []
    matching = _Matching(problem)
    turned = [
        _Proposal(found[0].wiring, [matching.affine(turn) for turn in found])
        for found in matching.turns()
    ]
    if not turned:
        return []
    proposals = turned[: config.simulated_wirings]
    for copies in config.copies:
        refined = [matching.refined(proposal, copies) for proposal in proposals]
        refined.sort(key=lambda one: one.unexplained)
        if refined[0].unexplained > config.hopeless:
            return matching.fitted(turned[: problem.config.restarts], watch)
        most = min(config.rival * refined[0].unexplained, config.hopeless)
        proposals = [one for one in refined if one.unexplained <= most]
        proposals = proposals[: config.kept_wirings]
        if refined[0].unexplained <= config.enough:
            break
    return matching.measured(proposals)


@final
@dataclass(frozen=True, eq=False)
class _Proposal:
    """A wiring, and the state maps that are thought of for it."""

    wiring: Array
    turns: list[StateMap]
    found: StateMap | None = None
    """What the source says of them; None before it was asked."""

    @property
    def unexplained(self) -> float:
        return float("inf") if self.found is None else self.found.unexplained


@final
class _Matching:
    """What acting at random showed of both domains, in white coordinates."""

    def __init__(self, problem: AlignmentProblem) -> None:
        self._problem, self._config = problem, problem.config.responses
        self._rng = problem.config.streams.generator("responses")
        self._episodes = episodes_of(problem.rows)
        at_random = episodes_of(problem.model_data.at_random)
        self._theirs = Responses.of(at_random, self._config)
        self._ours = Responses.of(self._episodes, self._config)

    def turns(self) -> list[list[Turn]]:
        """Returns turns of the state for each likely wiring, the best wiring first."""
        codecs = self._problem.source.actions, self._problem.target.actions
        both = self._theirs, self._ours
        found = [
            matching_turns(*both, wiring, self._config, self._rng)
            for wiring in likely_wirings(*both, codecs, self._config)
        ]
        return sorted(found, key=lambda turns: turns[0].error)

    def affine(self, turn: Turn) -> StateMap:
        """Returns a turn between responses' coordinates for the problem's."""
        ours, theirs = self._ours.whitening, self._theirs.whitening
        matrix, mean, inverse, origin = (
            part.double().numpy()
            for part in (ours.matrix, ours.mean, theirs.inverse, theirs.mean)
        )
        weight = matrix @ turn.matrix @ inverse
        return StateMap(weight, origin - mean @ weight)

    def refined(self, proposal: _Proposal, copies: int) -> _Proposal:
        """Returns a proposal with what so many copies in the source say of it."""
        simulated = simulate(
            self._problem.source,
            self._problem.model_data.model.whitening,
            self._episodes,
            proposal.wiring,
            copies,
            self._config,
            self._rng,
        )
        starts = [*proposal.turns, *filter(None, [proposal.found])]
        maps = [explaining_map(simulated, start, self._config) for start in starts]
        return replace(proposal, found=min(maps, key=lambda one: one.unexplained))

    def fitted(
        self, proposals: Sequence[_Proposal], watch: FitWatcher
    ) -> list[Measured]:
        """Returns the turns fitted to agree with the source's dynamics, best first.

        The motors stay as they are wired: where they are fitted as well, maps come out
        on which motors hardly act, of a smaller error.
        """
        starts = [self._mapping(one.wiring, one.turns[0]) for one in proposals]
        for start in starts:
            assert start.action is not None
            start.action.requires_grad_(False)
        schedule = FitConfig(
            updates=self._config.updates,
            batch_size=self._problem.config.batch_size,
            learning_rate=self._config.learning_rate,
        )
        return self._problem.fit(
            stacked(starts), schedule, self._config.fit_moments, watch
        )

    def measured(self, proposals: Sequence[_Proposal]) -> list[Measured]:
        """Returns proposals as mappings, the smallest alignment error first."""
        measured = []
        for proposal in proposals:
            best = proposal.found
            assert best is not None
            most = self._config.enough_error * self._problem.error_at_random
            for one in self._problem.measured(self._mapping(proposal.wiring, best)):
                settles = best.settles(self._config) and one.alignment_error <= most
                measured.append(one._replace(settles=settles, retraced=True))
        return sorted(measured, key=lambda one: one.alignment_error)

    def _mapping(self, wiring: Array, found: StateMap) -> DomainMapping:
        weight, bias = (
            torch.from_numpy(part).float() for part in (found.weight, found.bias)
        )
        return DomainMapping(Affine.of(weight, bias), self._problem.wired(wiring))
